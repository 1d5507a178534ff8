// What a Trainer shows: one line that keeps itself up to date on a terminal (and a line now and then where
// the output goes to a file), and JSON lines in a log. Only optim/*.cpp include this.
#pragma once

#include <spool/optim/trainer.hpp>

#include <boost/json/fwd.hpp>

#include <chrono>
#include <fstream>
#include <limits>
#include <string_view>

namespace spool {

/// Whether a metric is called a loss: then it has the unit of the training loss.
inline bool is_loss(std::string_view metric) { return metric.ends_with("loss"); }

class TrainProgress {
 public:
  /// FileError when the log can't be written. `last` is the step that the run ends at if time allows.
  TrainProgress(const TrainerOptions& options, std::int64_t batches, std::int64_t first, std::int64_t last);

  void step(std::int64_t step, double loss);
  void point(std::int64_t step, double loss, double lr, double grad_norm);
  /// TapeError for no metrics, and for a name that is another key of the log.
  void check(const Metrics& metrics) const;
  void validated(std::int64_t step, double loss, const Metrics& metrics, bool best);
  void say(const std::string& text) const;

  double seconds() const;
  const char* new_line() const { return terminal_ && options_.progress ? "\r\x1b[K" : ""; }

 private:
  using Clock = std::chrono::steady_clock;

  double rate(std::int64_t step) const;
  std::string time_left(std::int64_t step) const;
  void write(const boost::json::object& line);

  const TrainerOptions& options_;
  std::int64_t batches_, first_, last_;
  Clock::time_point start_ = Clock::now(), shown_ = start_;
  double loss_ = std::numeric_limits<double>::quiet_NaN();  // a running mean
  bool terminal_;
  std::ofstream log_;
};

}  // namespace spool
