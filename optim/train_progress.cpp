#include <spool/graph/error.hpp>
#include <spool/optim/train_progress.hpp>

#include <fmt/format.h>
#include <unistd.h>
#include <boost/json.hpp>

#include <algorithm>
#include <cmath>
#include <set>

namespace spool {

namespace {

std::string clock_text(double seconds) {
  const auto s = static_cast<std::int64_t>(std::min(seconds, 1e9));  // a training may have no end in sight
  return s < 3600 ? fmt::format("{}:{:02}", s / 60, s % 60)
                  : fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

// JSON has no NaN.
boost::json::value number(double x) {
  return std::isfinite(x) ? boost::json::value(x) : boost::json::value();
}

// What the log calls a metric.
std::string key_of(std::string name) {
  std::ranges::replace(name, ' ', '_');
  return name;
}

}  // namespace

TrainProgress::TrainProgress(const TrainerOptions& options, std::int64_t batches, std::int64_t first,
                             std::int64_t last)
    : options_(options),
      batches_(batches),
      first_(first),
      last_(last),
      terminal_(isatty(STDOUT_FILENO) != 0) {
  if (options.log.empty()) return;
  log_.open(options.log, std::ios::app);
  if (!log_) throw FileError(fmt::format("{}: the log can't be written", options.log));
}

double TrainProgress::seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

double TrainProgress::rate(std::int64_t step) const {
  return static_cast<double>(step - first_) * options_.units_per_step / std::max(seconds(), 1e-9);
}

std::string TrainProgress::time_left(std::int64_t step) const {
  const double per_step = seconds() / static_cast<double>(std::max<std::int64_t>(step - first_, 1));
  double left = per_step * static_cast<double>(last_ - step);
  if (options_.minutes > 0) left = std::min(left, options_.minutes * 60 - seconds());
  return clock_text(std::max(left, 0.0));
}

void TrainProgress::step(std::int64_t step, double loss) {
  constexpr double memory = 0.95;
  loss_ = std::isnan(loss_) ? loss : memory * loss_ + (1 - memory) * loss;
  const double since = std::chrono::duration<double>(Clock::now() - shown_).count();
  if (!options_.progress || since < (terminal_ ? 0.2 : 10.0)) return;
  shown_ = Clock::now();
  const std::int64_t in_epoch = (step - 1) % batches_ + 1;
  fmt::print("{}epoch {}/{}  {:3.0f} %  loss {:.4f}  {:.0f} {}/s  {} left{}", new_line(),
             (step - 1) / batches_ + 1, (last_ - 1) / batches_ + 1,
             100.0 * static_cast<double>(in_epoch) / static_cast<double>(batches_), loss_, rate(step),
             options_.unit, time_left(step), terminal_ ? "" : "\n");
  std::fflush(stdout);
}

void TrainProgress::point(std::int64_t step, double loss, double lr, double grad_norm) {
  write({{"step", step},
         {"loss", number(loss)},
         {"lr", lr},
         {"grad_norm", number(grad_norm)},
         {options_.unit + "_per_second", rate(step)},
         {"seconds", seconds()}});
}

void TrainProgress::check(const Metrics& metrics) const {
  if (metrics.all.empty()) throw TapeError("Trainer: the validation gives no metric; give at least one");
  std::set<std::string> taken{"step",    "loss", "lr",           "grad_norm", options_.unit + "_per_second",
                              "seconds", "best", "training_loss"};
  for (const auto& [name, value] : metrics.all)
    if (!taken.insert(key_of(name)).second)
      throw TapeError(
          fmt::format("Trainer: a metric can't be called \"{}\", since the log has a \"{}\" already; choose "
                      "another name",
                      name, key_of(name)));
}

void TrainProgress::validated(std::int64_t step, double loss, const Metrics& metrics, bool best) {
  boost::json::object line{{"step", step}, {"training_loss", number(loss)}};
  std::string text = fmt::format("step {}", step);
  const auto show = [&](const std::string& name, double value) {
    text += fmt::format("  {} {:.4f}", name, value);
    if (is_loss(name) && !options_.loss_unit.empty()) text += " " + options_.loss_unit;
  };
  show("training loss", loss);
  for (const auto& [name, value] : metrics.all) {
    line[key_of(name)] = number(value);
    if (name != "training loss") show(name, value);
  }
  line["best"] = best;
  line["seconds"] = seconds();
  write(line);
  say(text + (best ? "  (best so far)" : ""));
}

void TrainProgress::say(const std::string& text) const {
  if (!options_.progress) return;
  fmt::print("{}{}\n", new_line(), text);
  std::fflush(stdout);
}

void TrainProgress::write(const boost::json::object& line) {
  if (log_.is_open()) log_ << line << std::endl;
}

}  // namespace spool
