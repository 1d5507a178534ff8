#include "progress.hpp"

#include <spool/spool.hpp>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <boost/json.hpp>

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace char_lm {

namespace {

std::int64_t end_of_run(const Options& o, std::int64_t steps_per_epoch) {
  const std::int64_t by_epochs = o.epochs * steps_per_epoch;
  return o.steps >= 0 ? std::min(o.steps, by_epochs) : by_epochs;
}

std::string clock_text(double seconds) {
  const auto s = static_cast<std::int64_t>(seconds);
  return s < 3600 ? fmt::format("{}:{:02}", s / 60, s % 60)
                  : fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

}  // namespace

Progress::Progress(const Options& options, std::int64_t steps_per_epoch, std::int64_t first_step)
    : options_(options),
      steps_per_epoch_(steps_per_epoch),
      first_step_(first_step),
      last_step_(end_of_run(options, steps_per_epoch)),
      terminal_(isatty(STDOUT_FILENO) != 0) {
  if (options.log.empty()) return;
  log_.open(options.log, std::ios::app);
  if (!log_) throw spool::FileError(fmt::format("{}: the log can't be written", options.log));
}

double Progress::seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

bool Progress::out_of_time() const { return options_.minutes > 0 && seconds() >= options_.minutes * 60; }

std::string Progress::time_left(std::int64_t step) const {
  const double per_step = seconds() / static_cast<double>(std::max<std::int64_t>(step - first_step_, 1));
  double left = per_step * static_cast<double>(last_step_ - step);
  if (options_.minutes > 0) left = std::min(left, options_.minutes * 60 - seconds());
  return clock_text(std::max(left, 0.0));
}

void Progress::step(std::int64_t step, double loss) {
  constexpr double memory = 0.95;
  loss_ = loss_ == 0 ? loss : memory * loss_ + (1 - memory) * loss;
  const double since = std::chrono::duration<double>(Clock::now() - shown_).count();
  if (since < (terminal_ ? 0.2 : 10.0)) return;
  shown_ = Clock::now();
  show(step);
}

void Progress::show(std::int64_t step) {
  const double rate =
      static_cast<double>((step - first_step_) * options_.batch * options_.seq) / std::max(seconds(), 1e-9);
  const std::int64_t in_epoch = (step - 1) % steps_per_epoch_ + 1;
  fmt::print("{}epoch {}/{}  {:3.0f} %  loss {:.4f}  {:.0f} characters/s  {} left{}",
             terminal_ ? "\r\x1b[K" : "", (step - 1) / steps_per_epoch_ + 1, options_.epochs,
             100.0 * static_cast<double>(in_epoch) / static_cast<double>(steps_per_epoch_), loss_, rate,
             time_left(step), terminal_ ? "" : "\n");
  std::fflush(stdout);
  if (log_)
    log_ << boost::json::object{{"step", step},
                                {"loss", loss_},
                                {"characters_per_second", rate},
                                {"seconds", seconds()}}
         << std::endl;
}

void Progress::evaluated(std::int64_t step, double train, double validation, bool best) {
  fmt::print("{}step {}  training loss {:.4f}  validation loss {:.4f} nats per character{}\n",
             terminal_ ? "\r\x1b[K" : "", step, train, validation, best ? "  (best so far)" : "");
  std::fflush(stdout);
  if (log_)
    log_ << boost::json::object{{"step", step},
                                {"training_loss", train},
                                {"validation_loss", validation},
                                {"seconds", seconds()}}
         << std::endl;
}

void draw_curve(const Options& options, const std::vector<Point>& history) {
  spool::Series train{"training", {}, {}}, validation{"validation", {}, {}};
  for (const Point& p : history) {
    train.x.push_back(p.step);
    train.y.push_back(p.train);
    if (!std::isfinite(p.validation)) continue;
    validation.x.push_back(p.step);
    validation.y.push_back(p.validation);
  }
  spool::write_file(options.checkpoint + "/loss.svg",
                    spool::line_chart(std::vector{train, validation}, {.title = "char_lm: " + options.cell,
                                                                       .x_label = "step",
                                                                       .y_label = "nats per character"}));
}

}  // namespace char_lm
