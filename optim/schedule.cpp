#include <spool/graph/error.hpp>
#include <spool/optim/schedule.hpp>
#include <spool/optim/update_rule.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace spool {

namespace {

Limit positive(const char* option, std::int64_t steps) {
  return {option, static_cast<double>(steps), steps >= 1, "at least 1"};
}

void check_limits(const char* name, std::initializer_list<Limit> limits) {
  check_limits(name, std::span(limits.begin(), limits.size()));
}

// From start to end as part goes from 0 to 1.
double between(double start, double end, double part, Anneal anneal) {
  if (anneal == Anneal::linear) return start + (end - start) * part;
  return end + (start - end) / 2 * (1 + std::cos(std::numbers::pi * part));
}

double ratio(std::int64_t t, std::int64_t steps) {
  return static_cast<double>(t) / static_cast<double>(steps);
}

void check_curve(const char* who, const Curve& curve) {
  if (!curve)
    throw TapeError(
        fmt::format("{}: the curve is an empty function; make one, such as exponential(0.9)", who));
}

}  // namespace

// --- curves ---------------------------------------------------------------------------------------------

Curve step_decay(std::int64_t every, double gamma) {
  check_limits("step_decay", {positive("every", every), at_least_0("gamma", gamma)});
  return [=](std::int64_t t, double base) {
    return Rates{base * std::pow(gamma, static_cast<double>(t / every))};
  };
}

Curve multi_step(std::vector<std::int64_t> milestones, double gamma) {
  check_limits("multi_step", {at_least_0("gamma", gamma)});
  return [=](std::int64_t t, double base) {
    const auto passed = std::ranges::count_if(milestones, [&](std::int64_t m) { return m <= t; });
    return Rates{base * std::pow(gamma, static_cast<double>(passed))};
  };
}

Curve exponential(double gamma) {
  check_limits("exponential", {at_least_0("gamma", gamma)});
  return [=](std::int64_t t, double base) { return Rates{base * std::pow(gamma, static_cast<double>(t))}; };
}

Curve linear(std::int64_t steps, double start, double end) {
  check_limits("linear", {positive("steps", steps), at_least_0("start", start), at_least_0("end", end)});
  return [=](std::int64_t t, double base) {
    return Rates{base * between(start, end, ratio(std::min(t, steps), steps), Anneal::linear)};
  };
}

Curve cosine(const CosineOptions& o) {
  check_limits("cosine", {positive("steps", o.steps), at_least_0("eta_min", o.eta_min)});
  return [=](std::int64_t t, double base) {
    return Rates{between(base, o.eta_min, ratio(t, o.steps), Anneal::cosine)};
  };
}

Curve cosine_restarts(const RestartOptions& o) {
  check_limits("cosine_restarts",
               {positive("steps", o.steps), positive("mult", o.mult), at_least_0("eta_min", o.eta_min)});
  return [=](std::int64_t t, double base) {
    std::int64_t period = o.steps;
    if (o.mult == 1) t %= period;
    for (; t >= period; period *= o.mult) t -= period;
    return Rates{between(base, o.eta_min, ratio(t, period), Anneal::cosine)};
  };
}

Curve warm_up(std::int64_t steps, Curve then, double start_factor) {
  check_limits("warm_up", {positive("steps", steps), at_least_0("start_factor", start_factor)});
  check_curve("warm_up", then);
  return [rise = linear(steps, start_factor, 1), then = std::move(then), steps](std::int64_t t, double base) {
    return t < steps ? rise(t, base) : then(t - steps, base);
  };
}

Curve one_cycle(const OneCycleOptions& o) {
  const auto above_0 = [](const char* option, double value) {
    return Limit{option, value, value > 0 && std::isfinite(value), "a finite number above 0"};
  };
  check_limits("one_cycle", {positive("steps", o.steps),
                             {"pct_start", o.pct_start, o.pct_start >= 0 && o.pct_start <= 1, "in [0, 1]"},
                             fraction("base_momentum", o.base_momentum),
                             fraction("max_momentum", o.max_momentum),
                             above_0("div_factor", o.div_factor),
                             above_0("final_div_factor", o.final_div_factor)});
  // Where the phases meet: the step, the rate as a part of base_lr, the momentum.
  struct Point {
    double t, factor, momentum;
  };
  const double steps = static_cast<double>(o.steps), start = 1 / o.div_factor;
  std::vector<Point> points{{0, start, o.max_momentum}, {o.pct_start * steps - 1, 1, o.base_momentum}};
  if (o.three_phase) points.push_back({2 * o.pct_start * steps - 2, start, o.max_momentum});
  points.push_back({steps - 1, start / o.final_div_factor, o.max_momentum});

  return [=](std::int64_t step, double base) {
    const double t = std::min(static_cast<double>(step), steps - 1);
    std::size_t i = 1;
    while (i + 1 < points.size() && t > points[i].t) ++i;
    const Point &from = points[i - 1], &to = points[i];
    const double part = to.t > from.t ? (t - from.t) / (to.t - from.t) : 1;
    Rates rates{base * between(from.factor, to.factor, part, o.anneal)};
    if (o.cycle_momentum) rates.momentum = between(from.momentum, to.momentum, part, o.anneal);
    return rates;
  };
}

// --- Schedule -------------------------------------------------------------------------------------------

Schedule::Schedule(Optimizer& optimizer, Curve curve) : optimizer_(optimizer), curve_(std::move(curve)) {
  check_curve("Schedule", curve_);
  for (int g = 0; g < optimizer.groups(); ++g) {
    base_.push_back(optimizer.lr(g));
    if (curve_(0, base_.back()).momentum && !optimizer.momentum(g))
      throw TapeError(
          fmt::format("Schedule: {} has no momentum to change; make it with one above 0, or say "
                      ".cycle_momentum = false",
                      optimizer.name()));
  }
  apply();
}

void Schedule::apply() {
  for (int g = 0; g < optimizer_.groups(); ++g) {
    const Rates rates = curve_(t_, base_[static_cast<std::size_t>(g)]);
    optimizer_.set_lr(rates.lr, g);
    if (rates.momentum) optimizer_.set_momentum(*rates.momentum, g);
  }
}

void Schedule::step() {
  ++t_;
  apply();
}

Snapshot Schedule::state() const {
  Snapshot s;
  s.counts["step"] = static_cast<std::uint64_t>(t_);
  for (std::size_t g = 0; g < base_.size(); ++g) s.numbers[fmt::format("base_lr.{}", g)] = base_[g];
  return s;
}

void Schedule::load_state(const Snapshot& from) {
  if (from.numbers.size() != base_.size())
    throw FileError(fmt::format("{}: it is the state of a schedule of {} groups, not of {}", from.origin,
                                from.numbers.size(), base_.size()));
  std::vector<double> base;
  for (std::size_t g = 0; g < base_.size(); ++g) base.push_back(from.number(fmt::format("base_lr.{}", g)));
  t_ = static_cast<std::int64_t>(from.count("step"));
  base_ = std::move(base);
  apply();
}

// --- ReduceOnPlateau ------------------------------------------------------------------------------------

ReduceOnPlateau::ReduceOnPlateau(Optimizer& optimizer, const PlateauOptions& o)
    : optimizer_(optimizer), options_(o) {
  check_limits("ReduceOnPlateau", {fraction("factor", o.factor), at_least_0("patience", o.patience),
                                   at_least_0("threshold", o.threshold), at_least_0("cooldown", o.cooldown),
                                   at_least_0("min_lr", o.min_lr), at_least_0("eps", o.eps)});
}

bool ReduceOnPlateau::better(double value) const {
  if (!best_) return !std::isnan(value);
  const double margin = options_.threshold * (options_.relative ? *best_ : 1);
  return options_.maximize ? value > *best_ + margin : value < *best_ - margin;
}

void ReduceOnPlateau::step(double value) {
  if (better(value)) {
    best_ = value;
    bad_ = 0;
  } else {
    ++bad_;
  }
  if (cooldown_ > 0) {
    --cooldown_;
    bad_ = 0;
  }
  if (bad_ <= static_cast<std::uint64_t>(options_.patience)) return;
  for (int g = 0; g < optimizer_.groups(); ++g) {
    const double lr = std::max(optimizer_.lr(g) * options_.factor, options_.min_lr);
    if (optimizer_.lr(g) - lr > options_.eps) optimizer_.set_lr(lr, g);
  }
  cooldown_ = static_cast<std::uint64_t>(options_.cooldown);
  bad_ = 0;
}

Snapshot ReduceOnPlateau::state() const {
  Snapshot s;
  s.counts = {{"bad", bad_}, {"cooldown", cooldown_}};
  if (best_) s.numbers["best"] = *best_;
  return s;
}

void ReduceOnPlateau::load_state(const Snapshot& from) {
  const std::uint64_t bad = from.count("bad"), cooldown = from.count("cooldown");
  bad_ = bad;
  cooldown_ = cooldown;
  best_ = from.numbers.contains("best") ? std::optional(from.number("best")) : std::nullopt;
}

}  // namespace spool
