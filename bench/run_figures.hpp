// What runs say of themselves: how long it took to find or make their plan and to carry it out.
// Nothing at all while tapes have no run_stats().
#pragma once

#include "measure.hpp"

#include <string>
#include <vector>

namespace bench {

class RunFigures {
 public:
  /// After each run, of a spool::Tape.
  template <class T>
  void note(const T& tape) {
    if constexpr (requires { tape.run_stats().plan_ns; }) {
      const auto stats = tape.run_stats();
      plan_.push_back(static_cast<double>(stats.plan_ns));
      run_.push_back(static_cast<double>(stats.run_ns));
      steps_ = static_cast<std::int64_t>(stats.steps);
      plans_ = static_cast<std::int64_t>(stats.plans);
      hits_ = static_cast<std::int64_t>(stats.hits);
    }
  }

  /// Medians over the runs, and how many plans were made and found.
  void append_to(boost::json::object& figures) const {
    if (plan_.empty()) return;
    figures["plan_ms"] = rounded(median(plan_) * 1e-6);
    figures["planned_run_ms"] = rounded(median(run_) * 1e-6);
    figures["plan_steps"] = steps_;
    figures["plans"] = plans_;
    figures["plan_hits"] = hits_;
  }

 private:
  std::vector<double> plan_, run_;
  std::int64_t steps_ = 0, plans_ = 0, hits_ = 0;
};

/// Seconds that the last run took to find or make its plan; 0 where tapes don't say.
template <class T>
double plan_seconds(const T& tape) {
  if constexpr (requires { tape.run_stats().plan_ns; })
    return static_cast<double>(tape.run_stats().plan_ns) * 1e-9;
  else
    return 0;
}

}  // namespace bench
