// What a training run shows: one line that keeps itself up to date on a terminal (and a line now and then
// where the output goes to a file), JSON lines in a log, and the loss curve as a picture.
#pragma once

#include "options.hpp"

#include <chrono>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

namespace char_lm {

/// A point of the loss curve; the losses are means since the last point, in nats per character.
struct Point {
  double step, train, validation;  // validation is NaN where none was computed
};

class Progress {
 public:
  Progress(const Options& options, std::int64_t steps_per_epoch, std::int64_t first_step);

  /// After each step.
  void step(std::int64_t step, double loss);
  /// After each evaluation.
  void evaluated(std::int64_t step, double train, double validation, bool best);

  double seconds() const;
  /// Whether --minutes are over.
  bool out_of_time() const;
  /// The step that the run ends at, if time allows.
  std::int64_t last_step() const { return last_step_; }

 private:
  using Clock = std::chrono::steady_clock;

  std::string time_left(std::int64_t step) const;
  void show(std::int64_t step);

  const Options& options_;
  std::int64_t steps_per_epoch_, first_step_, last_step_;
  Clock::time_point start_ = Clock::now(), shown_ = start_;
  double loss_ = 0;  // a running mean
  bool terminal_;
  std::ofstream log_;
};

/// Draws the loss curve into DIR/loss.svg.
void draw_curve(const Options& options, const std::vector<Point>& history);

}  // namespace char_lm
