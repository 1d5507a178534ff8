#include "train.hpp"

#include "model.hpp"
#include "progress.hpp"

#include <fmt/format.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <limits>
#include <system_error>

namespace char_lm {

namespace {

volatile std::sig_atomic_t interrupted = 0;

void on_interrupt(int) {
  interrupted = 1;
  std::signal(SIGINT, SIG_DFL);  // a second Ctrl-C ends the program at once
}

constexpr std::int64_t steps_per_point = 50;  // of the loss curve

// Invariant: all that decides the coming steps is in the members that save() writes.
template <class R>
class Training {
 public:
  Training(const Options& o, const Corpus& corpus, const CharLm<R>& model)
      : o_(o),
        corpus_(corpus),
        model_(model),
        optimizer_(spool::make_optimizer(o.optim, model.parameters(), {.lr = o.lr})),
        tape_(spool::TapeOptions{.seed = o.seed}),
        carried_(model.zero_state(o.batch)) {
    if (o.clip > 0) optimizer_->set_clip({.max_norm = o.clip});
  }

  void run() {
    if (o_.resume) load();
    Progress progress(o_, windows(), step_);
    std::signal(SIGINT, on_interrupt);
    save();  // a directory that can't be written is found out now, not when work is lost
    while (step_ < progress.last_step() && !progress.out_of_time() && !interrupted) {
      train_step();
      ++step_;
      progress.step(step_, last_loss_);
      if (step_ % windows() == 0)
        end_epoch(progress);
      else if (step_ % steps_per_point == 0)
        add_point();
      if (step_ % o_.save_every == 0) save();
    }
    if (!interrupted && !evaluated()) evaluate_now(progress);
    save();
    draw_curve(o_, history_);
    finish();
  }

 private:
  std::int64_t windows() const { return static_cast<std::int64_t>(corpus_.train.size()); }

  void train_step() {
    tape_.clear();
    const spool::TextBatch batch = corpus_.train.at(static_cast<std::uint64_t>(step_));
    if (batch.first) carried_ = model_.zero_state(o_.batch);
    const spool::Var x = tape_.tokens(batch.shape, batch.x, "characters");
    const spool::Var y = tape_.tokens(batch.shape, batch.y, "next characters");
    const auto [scores, next] = model_(x, carried_.on(tape_), /*training=*/true);
    const spool::Var loss = spool::cross_entropy(scores, y);
    carried_ = optimizer_->step(loss, next);
    last_loss_ = tape_.value(loss);
    if (optimizer_->last().skipped) {
      fmt::print(stderr, "\nstep {}: skipped, and the state starts anew; {}\n", step_ + 1,
                 optimizer_->last().reason);
      carried_ = model_.zero_state(o_.batch);  // what it carries is not finite either
      return;
    }
    loss_sum_ += last_loss_;
    ++losses_;
  }

  void end_epoch(Progress& progress) {
    evaluate_now(progress);
    optimizer_->set_lr(optimizer_->lr() * o_.decay);
  }

  void evaluate_now(Progress& progress) {
    const double validation = evaluate(model_, corpus_.validation);
    const bool best = validation < best_;
    add_point();
    history_.back().validation = validation;
    progress.evaluated(step_, history_.back().train, validation, best);
    if (!best) return;
    best_ = validation;
    save_to(best_file(o_));
  }

  bool evaluated() const {
    return step_ == 0 || (!history_.empty() && history_.back().step == static_cast<double>(step_) &&
                          std::isfinite(history_.back().validation));
  }

  // Of the loss curve: the mean loss since the last one.
  void add_point() {
    if (!history_.empty() && history_.back().step == static_cast<double>(step_)) return;
    const double train = losses_ > 0 ? loss_sum_ / static_cast<double>(losses_) : last_loss_;
    history_.push_back({static_cast<double>(step_), train, std::numeric_limits<double>::quiet_NaN()});
    loss_sum_ = 0;
    losses_ = 0;
  }

  void save() { save_to(last_file(o_)); }

  void save_to(const std::string& path) {
    spool::Checkpoint c;
    c.model = describe(o_, corpus_);
    c.state.add("model", spool::snapshot(model_.parameters()));
    c.state.add("optimizer", optimizer_->state());
    c.state.add("random", spool::snapshot(tape_.random()));
    c.state.add("carried", spool::snapshot(carried_.values()));
    c.state.counts["step"] = static_cast<std::uint64_t>(step_);
    c.state.counts["losses"] = static_cast<std::uint64_t>(losses_);
    c.state.numbers["loss_sum"] = loss_sum_;
    c.state.numbers["best"] = best_;
    c.state.texts["options"] = to_config(o_);
    std::vector<double> points;
    for (const Point& p : history_) points.insert(points.end(), {p.step, p.train, p.validation});
    c.state.tensors["history"] =
        spool::Tensor(spool::Shape{static_cast<std::int64_t>(history_.size()), 3}, std::move(points));
    spool::save_checkpoint(path, c);
  }

  void load() {
    const spool::Checkpoint c = spool::load_checkpoint(last_file(o_), describe(o_, corpus_));
    spool::restore(model_.parameters(), c.state.part("model"));
    optimizer_->load_state(c.state.part("optimizer"));
    tape_.set_random(spool::random_state(c.state.part("random")));
    spool::restore(carried_.values(), c.state.part("carried"));
    step_ = static_cast<std::int64_t>(c.state.count("step"));
    losses_ = static_cast<std::int64_t>(c.state.count("losses"));
    loss_sum_ = c.state.number("loss_sum");
    best_ = c.state.number("best");
    const spool::Tensor& points = c.state.tensor("history");
    for (std::size_t i = 0; i < points.size(); i += 3)
      history_.push_back({points.at(i), points.at(i + 1), points.at(i + 2)});
    fmt::print("going on after step {}\n", step_);
  }

  void finish() const {
    if (interrupted)
      fmt::print("\nstopped after step {}; to go on: char_lm train --resume --checkpoint {}\n", step_,
                 o_.checkpoint);
    else if (std::isfinite(best_))
      fmt::print("best validation loss {:.4f} nats per character; curve in {}/loss.svg\n", best_,
                 o_.checkpoint);
  }

  const Options& o_;
  const Corpus& corpus_;
  const CharLm<R>& model_;
  std::unique_ptr<spool::Optimizer> optimizer_;
  spool::Tape tape_;
  spool::Carried<typename R::State> carried_;
  std::int64_t step_ = 0, losses_ = 0;
  double last_loss_ = 0, loss_sum_ = 0, best_ = std::numeric_limits<double>::infinity();
  std::vector<Point> history_;
};

}  // namespace

spool::ModelDescription describe(const Options& o, const Corpus& corpus) {
  return {{"cell", o.cell},
          {"layers", fmt::format("{}", o.layers)},
          {"hidden", fmt::format("{}", o.hidden)},
          {"embed", fmt::format("{}", o.embed)},
          {"text", corpus.fingerprint},
          {"vocabulary", corpus.vocabulary.symbols()}};
}

int train(const Options& o, const Corpus& corpus) {
  if (!o.resume && std::filesystem::exists(last_file(o)))
    throw UsageError{fmt::format(
        "{} holds a model already; go on with --resume, or name another --checkpoint", o.checkpoint)};
  std::error_code error;
  std::filesystem::create_directories(o.checkpoint, error);
  if (error)
    throw spool::FileError(
        fmt::format("{}: can't be made a directory for the model: {}; name another --checkpoint",
                    o.checkpoint, error.message()));
  return with_model(o, corpus.vocabulary.size(), [&]<class R>(const CharLm<R>& model) {
    std::int64_t weights = 0;
    for (const spool::Param& p : model.parameters()) weights += p.shape().size();
    fmt::print("{} characters to learn from, {} distinct; {} with {} weights\n", corpus.characters,
               corpus.vocabulary.size(), o.cell, weights);
    Training<R>(o, corpus, model).run();
    return interrupted ? 130 : 0;
  });
}

}  // namespace char_lm
