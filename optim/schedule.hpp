// Schedules: how the learning rate (and for one-cycle the momentum) changes as training goes on. A Curve is a
// plain function of the step, so curves combine: warm_up(500, cosine({.steps = 10'000})). A Schedule applies
// one to an optimiser; a step is whatever the program counts, an update or an epoch. ReduceOnPlateau reacts
// to a measured value instead. Values are those of PyTorch 1.13's lr_scheduler.
//
//   Schedule schedule(adam, warm_up(100, cosine({.steps = 1000})));
//   ... adam.step(loss); schedule.step();
#pragma once

#include <spool/optim/optimizer.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace spool {

/// The settings of one group at one step.
struct Rates {
  double lr;
  std::optional<double> momentum = {};
};

/// The rates at step t = 0, 1, ... of a group whose own learning rate is base_lr. A user's may be any
/// function.
using Curve = std::function<Rates(std::int64_t t, double base_lr)>;

// All makers of curves throw TapeError for numbers of steps below 1 and for rates and factors that are
// negative or not finite.

/// base_lr gamma^floor(t / every)
Curve step_decay(std::int64_t every, double gamma = 0.1);
/// base_lr gamma^n, where n of the milestones are at or before t; a milestone may stand there twice.
Curve multi_step(std::vector<std::int64_t> milestones, double gamma = 0.1);
/// base_lr gamma^t
Curve exponential(double gamma);
/// base_lr times a factor that goes in a straight line from `start` to `end` in so many steps and stays
/// there.
Curve linear(std::int64_t steps, double start, double end);

struct CosineOptions {
  std::int64_t steps = 1000;  ///< from base_lr down to eta_min
  double eta_min = 0;
};
/// eta_min + (base_lr - eta_min) (1 + cos(pi t / steps)) / 2 (Loshchilov and Hutter 2017, equation 5, without
/// restarts). After `steps` it rises again as it fell, with period 2 steps.
Curve cosine(const CosineOptions& options);

struct RestartOptions {
  std::int64_t steps = 1000;  ///< of the first period
  std::int64_t mult = 1;      ///< each period is so many times as long as the one before
  double eta_min = 0;
};
/// The same, starting anew from base_lr after each period (Loshchilov and Hutter 2017, SGDR).
Curve cosine_restarts(const RestartOptions& options);

/// Rises in a straight line from start_factor * base_lr to base_lr in so many steps; then `then` begins, at
/// its own step 0.
Curve warm_up(std::int64_t steps, Curve then, double start_factor = 1.0 / 3);

enum class Anneal { cosine, linear };
struct OneCycleOptions {
  std::int64_t steps = 1000;  ///< of the whole cycle; afterwards the last rates stay
  double pct_start = 0.3;     ///< the part of it in which the rate rises
  Anneal anneal = Anneal::cosine;
  bool cycle_momentum = true;  ///< needs an optimiser with a momentum or betas
  double base_momentum = 0.85, max_momentum = 0.95;
  double div_factor = 25;         ///< starts at base_lr / div_factor
  double final_div_factor = 1e4;  ///< ends at the start's rate / final_div_factor
  bool three_phase = false;       ///< falls as it rose, and then to the end's rate
};
/// Smith and Topin 2017: up from a small rate to base_lr and down to nearly nothing, the momentum the other
/// way round. The group's own learning rate is the largest (PyTorch's max_lr).
Curve one_cycle(const OneCycleOptions& options);

/// Gives an optimiser the rates of a curve, step by step. Keeps a reference: the optimiser must outlive it.
class Schedule {
 public:
  /// Takes each group's present learning rate as its base_lr, and sets the rates of step 0. Throws TapeError
  /// for a curve with momentum and an optimiser without.
  Schedule(Optimizer& optimizer, Curve curve);

  void step();  ///< Sets the rates of the next step.
  std::int64_t steps() const { return t_; }

  /// Where it stands, for a checkpoint: the count "step" and the numbers "base_lr.0", ...
  Snapshot state() const;
  /// Goes on from there: sets the rates of that step. FileError, and no change, for another number of groups.
  void load_state(const Snapshot& snapshot);

 private:
  void apply();

  Optimizer& optimizer_;
  Curve curve_;
  std::vector<double> base_;
  std::int64_t t_ = 0;
};

struct PlateauOptions {
  bool maximize = false;    ///< larger values are better
  double factor = 0.1;      ///< what the rate is multiplied with; in [0, 1)
  int patience = 10;        ///< so many values in a row may be no better before that
  double threshold = 1e-4;  ///< better by less than this does not count
  bool relative = true;     ///< threshold as a part of the best value, or absolute
  int cooldown = 0;         ///< after a reduction so many values are not counted
  double min_lr = 0;
  double eps = 1e-8;  ///< smaller changes are not made
};

/// Reduces the rate of all groups when a value, such as the validation loss, stops improving. Keeps a
/// reference: the optimiser must outlive it.
class ReduceOnPlateau {
 public:
  explicit ReduceOnPlateau(Optimizer& optimizer, const PlateauOptions& options = {});

  void step(double value);  ///< NaN is never better.
  std::optional<double> best() const { return best_; }

  /// For a checkpoint: the counts "bad" and "cooldown", the number "best". The rates are the optimiser's.
  Snapshot state() const;
  void load_state(const Snapshot& snapshot);

 private:
  bool better(double value) const;

  Optimizer& optimizer_;
  PlateauOptions options_;
  std::optional<double> best_;
  std::uint64_t bad_ = 0, cooldown_ = 0;
};

}  // namespace spool
