#include <spool/graph/error.hpp>
#include <spool/io/atomic_file.hpp>
#include <spool/io/chart.hpp>
#include <spool/io/heat_map.hpp>
#include <spool/io/params.hpp>
#include <spool/optim/catch_interrupt.hpp>
#include <spool/optim/train_progress.hpp>
#include <spool/optim/trainer.hpp>
#include <spool/optim/update_rule.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <limits>
#include <memory>
#include <system_error>

namespace spool {

namespace {

constexpr double nothing = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr int told_skipped = 3, most_skipped = 100;  // steps in a row
constexpr std::int64_t points = 20;                  // of the loss curve, in an epoch

struct Mean {
  double sum = 0;
  std::uint64_t count = 0;
  void add(double x) {
    sum += x;
    ++count;
  }
  double value() const { return count > 0 ? sum / static_cast<double>(count) : nothing; }
  Snapshot state() const {
    Snapshot s;
    s.counts["count"] = count;
    s.numbers["sum"] = sum;
    return s;
  }
  void load_state(const Snapshot& from) { *this = {from.number("sum"), from.count("count")}; }
};

void check_options(const TrainerOptions& o) {
  const auto count = [](const char* name, std::int64_t value, std::int64_t least, const char* rule) {
    return Limit{name, static_cast<double>(value), value >= least, rule};
  };
  const std::array limits{count("epochs", o.epochs, 0, "at least 0"),
                          count("steps", o.steps, -1, "at least 0, or -1 for no bound"),
                          count("validate_every", o.validate_every, 0, "at least 0"),
                          count("patience", o.patience, 0, "at least 0"),
                          count("save_every", o.save_every, 0, "at least 0"),
                          at_least_0("minutes", o.minutes),
                          at_least_0("clip", o.clip)};
  check_limits("Trainer", limits);
  if (o.resume && o.directory.empty())
    throw TapeError("Trainer: resume needs a directory to go on from; name it");
}

}  // namespace

std::int64_t TrainerOptions::total_steps(std::int64_t batches) const {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  const std::int64_t by_epochs = batches > 0 && epochs > most / batches ? most : epochs * batches;
  return steps >= 0 ? std::min(steps, by_epochs) : by_epochs;
}

// One call of fit(). Invariant: all that decides the coming steps is in what save() writes.
class Trainer::Run {
 public:
  Run(Trainer& trainer, std::int64_t batches, const Validation& validate)
      : trainer_(trainer),
        o_(trainer.options_),
        optimizer_(trainer.optimizer_),
        params_(optimizer_.params()),
        batches_(batches),
        validate_(validate) {
    if (o_.schedule) schedule_.emplace(optimizer_, o_.schedule);
    if (!o_.plateau) return;
    PlateauOptions options = *o_.plateau;
    options.maximize = o_.maximize;
    plateau_.emplace(optimizer_, options);
  }

  TrainResult train(const std::function<double(std::int64_t)>& step) {
    if (o_.resume) load();
    make_directory();
    const std::int64_t last = o_.total_steps(batches_);
    TrainProgress progress(o_, batches_, step_, last);
    progress_ = &progress;
    if (o_.resume) progress.say(fmt::format("going on after step {}", step_));
    if (o_.catch_interrupt) catch_.emplace();
    save();  // a directory that can't be written is found out now, not when work is lost
    const auto in_time = [&] { return o_.minutes == 0 || progress.seconds() < o_.minutes * 60; };
    while (step_ < last && in_time() && !interrupted() && !exhausted()) {
      take(step(step_));
      const bool due = step_ % (o_.validate_every > 0 ? o_.validate_every : batches_) == 0;
      if (due)
        validate();
      else if (step_ % std::max<std::int64_t>(batches_ / points, 1) == 0)
        add_point(nothing);
      if (o_.save_every > 0 ? step_ % o_.save_every == 0 : due) save();
    }
    if (!interrupted() && validated_step_ != step_) validate();
    save();
    return finish();
  }

 private:
  double worst() const { return o_.maximize ? -infinity : infinity; }
  std::string file(const char* name) const { return o_.directory + "/" + name; }
  bool interrupted() const { return catch_ && catch_->caught(); }
  bool exhausted() const { return o_.patience > 0 && bad_ >= static_cast<std::uint64_t>(o_.patience); }

  void make_directory() const {
    if (o_.directory.empty()) return;
    if (!o_.resume && (file_exists(file("last.safetensors")) || file_exists(file("best.safetensors"))))
      throw FileError(
          fmt::format("{} holds a training already; resume it, or name another directory", o_.directory));
    std::error_code error;
    std::filesystem::create_directories(o_.directory, error);
    if (error)
      throw FileError(fmt::format("{}: can't be made a directory for the model: {}; name another",
                                  o_.directory, error.message()));
  }

  void take(double loss) {
    ++step_;
    if (schedule_) schedule_->step();
    const StepReport& report = optimizer_.last();
    if (report.skipped) {
      if (++skipped_ <= told_skipped)
        fmt::print(stderr, "{}step {}: skipped; {}{}\n", progress_->new_line(), step_, report.reason,
                   skipped_ == told_skipped ? "; further ones in a row are not shown" : "");
      if (skipped_ == most_skipped)
        throw TapeError(fmt::format(
            "Trainer: the gradients of {} steps in a row are not finite; train anew with a lower learning "
            "rate, or clip",
            most_skipped));
      return;
    }
    skipped_ = 0;
    since_point_.add(loss);
    since_validation_.add(loss);
    progress_->step(step_, loss);
  }

  void validate() {
    const double loss = since_validation_.value();
    since_validation_ = {};
    const Metrics metrics = validate_ ? validate_() : Metrics({{"training loss", loss}});
    if (validate_) progress_->check(metrics);
    validated_step_ = step_;
    metric_name_ = metrics.all.front().first;
    const double metric = metrics.all.front().second;
    const bool best = o_.maximize ? metric > best_ : metric < best_;
    bad_ = best ? 0 : bad_ + 1;
    if (best) {
      best_ = metric;
      best_step_ = step_;
      best_weights_ = values();
    }
    if (plateau_) plateau_->step(metric);
    add_point(metric);
    progress_->validated(step_, loss, metrics, best);
    if (best) save_to("best.safetensors");
  }

  void add_point(double metric) {
    if (!curve_.empty() && curve_.back().step == static_cast<double>(step_)) {
      curve_.back().metric = metric;
      return;
    }
    curve_.push_back({static_cast<double>(step_), since_point_.value(), metric});
    since_point_ = {};
    progress_->point(step_, curve_.back().loss, optimizer_.lr(), optimizer_.last().grad_norm);
  }

  std::vector<Tensor> values() const {
    std::vector<Tensor> all;
    for (const Param& p : params_) all.push_back(p.value());
    return all;
  }

  void save() const { save_to("last.safetensors"); }

  void save_to(const char* name) const {
    if (o_.directory.empty()) return;
    Checkpoint c{.model = o_.model};
    c.state.add("model", snapshot(params_));
    c.state.add("optimizer", optimizer_.state());
    c.state.add("random", snapshot(trainer_.tape_.random()));
    if (schedule_) c.state.add("schedule", schedule_->state());
    if (plateau_) c.state.add("plateau", plateau_->state());
    for (const Kept& k : trainer_.kept_) c.state.add(k.name, k.save());
    Snapshot own;
    own.counts = {{"step", static_cast<std::uint64_t>(step_)},
                  {"batches", static_cast<std::uint64_t>(batches_)},
                  {"best_step", static_cast<std::uint64_t>(best_step_)},
                  {"validated_step", static_cast<std::uint64_t>(validated_step_)},
                  {"bad", bad_}};
    own.numbers["best"] = best_;
    own.texts["metric"] = metric_name_;
    own.add("since_point", since_point_.state());
    own.add("since_validation", since_validation_.state());
    std::vector<double> all;
    for (const TrainPoint& p : curve_) all.insert(all.end(), {p.step, p.loss, p.metric});
    own.tensors["curve"] = Tensor(Shape{std::ssize(curve_), 3}, std::move(all));
    c.state.add("trainer", own);
    save_checkpoint(file(name), c);
  }

  // From last.safetensors; or from best.safetensors where that is newer, as after a kill before the next
  // save: it holds all of the state too, and no other file has its weights.
  void load() {
    const bool has_best = file_exists(file("best.safetensors"));
    std::optional<Checkpoint> last, best;
    if (!has_best || file_exists(file("last.safetensors")))
      last = load_checkpoint(file("last.safetensors"), o_.model);
    if (has_best) best = load_checkpoint(file("best.safetensors"), o_.model);
    const bool from_best = !last || (best && step_of(*best) > step_of(*last));
    load(from_best ? *best : *last, best);
  }

  void load(const Checkpoint& c, const std::optional<Checkpoint>& best) {
    Snapshot own = c.state.part("trainer");
    own.origin = c.state.origin;
    if (own.count("batches") != static_cast<std::uint64_t>(batches_))
      throw FileError(
          fmt::format("{}: was trained on {} batches an epoch, not on {}; resume with the same data",
                      own.origin, own.count("batches"), batches_));
    if (own.count("best_step") > 0) load_best(own, best);
    restore(params_, c.state.part("model"));
    optimizer_.load_state(c.state.part("optimizer"));
    trainer_.tape_.set_random(random_state(c.state.part("random")));
    if (schedule_) schedule_->load_state(c.state.part("schedule"));
    if (plateau_) plateau_->load_state(c.state.part("plateau"));
    for (const Kept& k : trainer_.kept_) k.load(c.state.part(k.name));
    step_ = static_cast<std::int64_t>(own.count("step"));
    best_step_ = static_cast<std::int64_t>(own.count("best_step"));
    validated_step_ = static_cast<std::int64_t>(own.count("validated_step"));
    bad_ = own.count("bad");
    best_ = own.number("best");
    metric_name_ = own.texts["metric"];
    since_point_.load_state(own.part("since_point"));
    since_validation_.load_state(own.part("since_validation"));
    const Tensor& points = own.tensor("curve");
    for (std::size_t i = 0; i + 2 < points.size(); i += 3)
      curve_.push_back({points.at(i), points.at(i + 1), points.at(i + 2)});
  }

  static std::uint64_t step_of(const Checkpoint& c) { return c.state.count("trainer.step"); }

  // Only the weights that the best metric was measured with.
  void load_best(const Snapshot& own, const std::optional<Checkpoint>& best) {
    const std::uint64_t step = own.count("best_step");
    if (!best || step_of(*best) != step || best->state.number("trainer.best") != own.number("best"))
      throw FileError(
          fmt::format("{}: {}, but the best weights so far are those of step {} of this training; put their "
                      "file back, or train anew in another directory",
                      file("best.safetensors"),
                      best ? fmt::format("is of step {}", step_of(*best)) : "is missing", step));
    restore(params_, best->state.part("model"));
    best_weights_ = values();
  }

  TrainResult finish() {
    const bool early = exhausted() && !interrupted();
    if (early) progress_->say(fmt::format("stopped: no better for {} validations in a row", bad_));
    if (!o_.directory.empty() && !curve_.empty()) draw();
    if (o_.restore_best)
      for (std::size_t i = 0; i < best_weights_.size(); ++i) params_[i].assign(best_weights_[i]);
    return {.steps = step_,
            .best_step = best_step_,
            .best = best_ == worst() ? nothing : best_,
            .interrupted = interrupted(),
            .stopped_early = early,
            .curve = std::move(curve_)};
  }

  void draw() const {
    std::vector<Series> lines{{"training loss", {}, {}}};
    Series metric{metric_name_, {}, {}};
    for (const TrainPoint& p : curve_) {
      lines[0].x.push_back(p.step);
      lines[0].y.push_back(p.loss);
      if (!std::isfinite(p.metric)) continue;
      metric.x.push_back(p.step);
      metric.y.push_back(p.metric);
    }
    const bool loss = !o_.maximize && is_loss(metric_name_), shown = validate_ && !metric.x.empty();
    if (shown && loss) lines.push_back(metric);
    std::vector charts{
        line_chart(lines, {.title = "Loss in training" + std::string(shown && loss ? " and validation" : ""),
                           .x_label = "step",
                           .y_label = o_.loss_unit.empty() ? "loss" : o_.loss_unit})};
    if (shown && !loss) {
      metric.name.clear();
      // Two points that are not shown, so that both charts reach over the same steps.
      metric.x.insert(metric.x.begin(), curve_.front().step), metric.x.push_back(curve_.back().step);
      metric.y.insert(metric.y.begin(), nothing), metric.y.push_back(nothing);
      charts.push_back(line_chart(std::vector{metric}, {.title = metric_name_ + " in validation",
                                                        .x_label = "step",
                                                        .y_label = metric_name_,
                                                        .height = 280}));
    }
    write_file(file("loss.svg"), panels(charts, /*columns=*/1));
  }

  Trainer& trainer_;
  const TrainerOptions& o_;
  Optimizer& optimizer_;
  Params params_;
  std::int64_t batches_;
  const Validation& validate_;
  std::optional<Schedule> schedule_;
  std::optional<ReduceOnPlateau> plateau_;
  TrainProgress* progress_ = nullptr;
  std::optional<CatchInterrupt> catch_;
  std::int64_t step_ = 0, best_step_ = 0, validated_step_ = 0;
  std::uint64_t bad_ = 0;  // validations in a row that were no better
  int skipped_ = 0;        // steps in a row
  double best_ = worst();
  Mean since_point_, since_validation_;
  std::vector<Tensor> best_weights_;
  std::vector<TrainPoint> curve_;
  std::string metric_name_;
};

Trainer::Trainer(Optimizer& optimizer, TrainerOptions options)
    : optimizer_(optimizer), options_(std::move(options)), tape_(options_.tape) {
  check_options(options_);
  if (options_.clip > 0) optimizer_.set_clip({.max_norm = options_.clip});
}

void Trainer::keep(std::string name, std::function<Snapshot()> save,
                   std::function<void(const Snapshot&)> load) {
  if (name.empty() || name.find('.') != name.npos)
    throw TapeError(fmt::format("Trainer: keep: the name \"{}\" must not be empty or have a dot", name));
  constexpr std::array ours{"model", "optimizer", "random", "schedule", "plateau", "trainer"};
  if (std::ranges::find(ours, name) != ours.end() ||
      std::ranges::find(kept_, name, &Kept::name) != kept_.end())
    throw TapeError(fmt::format("Trainer: keep: \"{}\" is kept already; choose another name", name));
  kept_.push_back({std::move(name), std::move(save), std::move(load)});
}

void Trainer::keep(std::string name, std::uint64_t& count) {
  keep(
      std::move(name),
      [&count] {
        Snapshot s;
        s.counts["count"] = count;
        return s;
      },
      [&count](const Snapshot& from) { count = from.count("count"); });
}

void Trainer::keep(std::string name, Tape& tape) {
  keep(
      std::move(name), [&tape] { return snapshot(tape.random()); },
      [&tape](const Snapshot& from) { tape.set_random(random_state(from)); });
}

TrainResult Trainer::run(std::int64_t batches, const std::function<double(std::int64_t)>& step,
                         const Validation& validate) {
  if (batches < 1) throw ShapeError("Trainer: there are no batches to train on");
  return Run(*this, batches, validate).train(step);
}

}  // namespace spool
