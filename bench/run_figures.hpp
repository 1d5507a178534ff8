// What the runs of a tape say of themselves: how long it took to find or make their plan and to carry it out.
#pragma once

#include "measure.hpp"

#include <spool/graph/tape.hpp>

#include <string>
#include <vector>

namespace bench {

class RunFigures {
 public:
  /// After each run.
  void note(const spool::Tape& tape) {
    last_ = tape.run_stats();
    plan_.push_back(static_cast<double>(last_.plan_ns) * 1e-6);
    run_.push_back(static_cast<double>(last_.run_ns) * 1e-6);
  }

  /// Medians over the runs; of all runs of the tape, the plans made and found.
  void append_to(boost::json::object& figures) const {
    figures["plan_ms"] = rounded(median(plan_));
    figures["planned_run_ms"] = rounded(median(run_));
    figures["plan_steps"] = last_.steps;
    figures["plans"] = last_.plans;
    figures["plan_hits"] = last_.hits;
    figures["arena_mb"] = rounded(static_cast<double>(last_.arena_bytes) * 1e-6);
    figures["packed_mb"] = rounded(static_cast<double>(last_.packed_bytes) * 1e-6);
  }

 private:
  std::vector<double> plan_, run_;
  spool::RunStats last_;
};

}  // namespace bench
