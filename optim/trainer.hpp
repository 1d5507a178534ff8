// Trainer: a training loop that may be stopped at any step and goes on to the same bits: epochs, validation,
// early stopping, the best weights, schedules, clipping, checkpoints, progress, a log and the loss curve. It
// knows no models: a function records the loss of one batch. It can be left out; docs/training.md has the
// same loop by hand.
//
//   Adam adam(parameters(model), {.lr = 2e-3});
//   Trainer trainer(adam, {.epochs = 20, .patience = 3, .directory = "run"});
//   trainer.fit(batches, [&](Tape& tape, const Batch& batch) { return model.loss(tape, batch); },
//               [&] { return evaluate(model, validation); });
//
// A stop by `minutes` or `steps` in the middle of an epoch validates there, which counts for the best metric,
// patience and the plateau, so that those may differ from a run without the stop. The updates themselves do
// not, where there is neither patience nor a plateau.
//
// Invariant: all that decides the coming steps is in the checkpoint, but for the data and what the functions
// keep to themselves: keep() adds that.
#pragma once

#include <spool/graph/param.hpp>
#include <spool/graph/state.hpp>
#include <spool/graph/tape.hpp>
#include <spool/io/checkpoint.hpp>
#include <spool/optim/optimizer.hpp>
#include <spool/optim/schedule.hpp>

#include <concepts>
#include <functional>
#include <optional>
#include <ranges>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace spool {

struct TrainerOptions {
  // How far
  std::int64_t epochs = 10;         ///< times through the batches
  std::int64_t steps = -1;          ///< at most so many updates in all; -1: no bound
  double minutes = 0;               ///< at most so long; 0: no bound
  std::int64_t validate_every = 0;  ///< steps; 0: after each epoch. At the end too.
  int patience = 0;                 ///< stop after so many validations in a row that are no better; 0: never
  bool maximize = false;            ///< larger values of the metric are better, as of an accuracy
  bool restore_best = true;         ///< fit() ends with the best weights; otherwise with the last
  TapeOptions tape = {};            ///< of the tape that steps record on, such as the seed of its dropout
  // Steps
  double clip = 0;                             ///< bound on the norm of all gradients; 0: the optimizer's
  Curve schedule = {};                         ///< of the rates, by the step
  std::optional<PlateauOptions> plateau = {};  ///< lowers the rate by the metric (`maximize` as above)
  // What is kept
  /// Where last.safetensors, best.safetensors and loss.svg are written; created if missing. Empty: nothing is
  /// written.
  std::string directory = {};
  bool resume = false;          ///< go on from last.safetensors, or from best.safetensors where that is newer
  std::int64_t save_every = 0;  ///< steps; 0: at each validation. At the end and after Ctrl-C too.
  ModelDescription model = {};  ///< goes into the files; one that differs can't be resumed
  // What is shown
  bool progress = true;        ///< lines on standard output
  std::string log = {};        ///< JSON lines are appended to this file
  std::string unit = "steps";  ///< what progress counts by the second, ...
  double units_per_step = 1;   ///< ... and how many of them a step is
  std::string loss_unit = "";  ///< "nats per character": of the training loss, and of metrics called ... loss
  // How it stops
  bool catch_interrupt = true;  ///< Ctrl-C finishes the step and saves; false: it does what it did before

  /// The updates of a whole run with so many batches an epoch: epochs * batches, or the largest number where
  /// that is too large for one, and at most `steps`.
  std::int64_t total_steps(std::int64_t batches) const;
};

/// What a validation gives: metrics with names, the first of which decides what is best. One whose name is or
/// ends in "loss" is taken for a loss in the unit of the training loss: it is shown with `loss_unit`, and
/// where it decides, beside it in loss.svg; what decides and is no loss has a chart of its own there. A name
/// may be none of the log's keys ("step", "best", "training loss", ...).
struct Metrics {
  std::vector<std::pair<std::string, double>> all;
  /// A number alone is a validation loss; name it where it is something else.
  Metrics(double validation_loss) : all{{"validation loss", validation_loss}} {}  // NOLINT: on purpose
  Metrics(std::initializer_list<std::pair<std::string, double>> named) : all(named) {}
};

/// A point of the loss curve.
struct TrainPoint {
  double step, loss;  ///< the mean loss of the steps since the last point
  double metric;      ///< the one that decides; NaN where there was no validation
};

struct TrainResult {
  std::int64_t steps = 0, best_step = 0;
  double best = 0;           ///< the best metric; NaN when none was a number
  bool interrupted = false;  ///< by Ctrl-C, where `catch_interrupt`
  bool stopped_early = false;
  std::vector<TrainPoint> curve = {};
};

class Trainer {
 public:
  using Validation = std::function<Metrics()>;

  /// The optimizer must outlive this. TapeError for options without a meaning.
  explicit Trainer(Optimizer& optimizer, TrainerOptions options = {});

  /// Adds state to the checkpoints under this name and restores it on resume. What is referenced must outlive
  /// the Trainer. TapeError for a name that is empty, has a dot or is taken.
  void keep(std::string name, std::function<Snapshot()> save, std::function<void(const Snapshot&)> load);
  /// A recurrent state that goes from batch to batch.
  template <class S>
  void keep(std::string name, Carried<S>& carried) {
    keep(
        std::move(name), [&carried] { return snapshot(carried.values()); },
        [&carried](const Snapshot& from) { restore(carried.values(), from); });
  }
  /// A number of yours, such as that of the steps so far.
  void keep(std::string name, std::uint64_t& count);
  /// The random numbers of a tape of your own, such as a part of DataParallel.
  void keep(std::string name, Tape& tape);

  /// Trains by step(tape, batch) for each batch. The tape is empty; the function records on it and returns
  /// the loss, by which the trainer updates. A function that updates by itself (with carried state,
  /// DataParallel or accumulation) returns the loss as a number instead.
  ///
  /// Batches are a list of them, or have size(), the batches of one epoch, and at(n), the batch of step n =
  /// 0, 1, ... through all epochs, as TextBatches and LengthBatches have. Without a validation the mean loss
  /// of the steps since the last one is the metric.
  ///
  /// A step whose gradients are not finite is left out, and said; TapeError after a hundred in a row.
  /// ShapeError for no batches, FileError for files that can't be written or resumed, and for a directory
  /// that holds a training already when not resuming. Ctrl-C finishes the step and saves, in all trainers
  /// that are at work; a second one does what it did before fit(). Where it is ignored it stays so.
  template <class Batches, class Step>
  TrainResult fit(const Batches& batches, const Step& step, const Validation& validate = {}) {
    return run(
        static_cast<std::int64_t>(batches.size()),
        [&](std::int64_t n) { return update(step, batch_of(batches, n)); }, validate);
  }

 private:
  class Run;
  struct Kept {
    std::string name;
    std::function<Snapshot()> save;
    std::function<void(const Snapshot&)> load;
  };

  template <class Batches>
  static decltype(auto) batch_of(const Batches& batches, std::int64_t n) {
    if constexpr (std::ranges::random_access_range<const Batches>)
      return batches[static_cast<std::size_t>(n) % batches.size()];
    else
      return batches.at(static_cast<std::uint64_t>(n));
  }

  // One step; gives its loss.
  template <class Step, class Batch>
  double update(const Step& step, const Batch& batch) {
    using Loss = std::invoke_result_t<const Step&, Tape&, const Batch&>;
    static_assert(std::same_as<Loss, Var> || std::is_arithmetic_v<Loss>,
                  "a step gives its loss: as a Var, or as a number when it has updated by itself");
    tape_.clear();
    if constexpr (std::same_as<Loss, Var>) {
      const Var loss = step(tape_, batch);
      optimizer_.step(loss);
      return loss.tape().value(loss);
    } else {
      return static_cast<double>(step(tape_, batch));
    }
  }

  TrainResult run(std::int64_t batches, const std::function<double(std::int64_t)>& step,
                  const Validation& validate);

  Optimizer& optimizer_;
  TrainerOptions options_;
  Tape tape_;
  std::vector<Kept> kept_;
};

}  // namespace spool
