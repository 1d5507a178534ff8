#include <spool/graph/error.hpp>
#include <spool/layers/budget.hpp>
#include <spool/ops/record.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace spool {

namespace {

constexpr std::int64_t many = std::int64_t{1} << 40;

// C(s + r, s), or `many` when it is larger; r is small.
std::int64_t reach(std::int64_t states, std::int64_t repeats) {
  if (repeats < 0) return 0;
  std::int64_t c = 1;
  for (std::int64_t i = 1; i <= repeats; ++i) {
    c = c * (states + i) / i;
    if (c >= many / (states + repeats + 1)) return many;
  }
  return c;
}

// The fewest repeats that get so many groups through.
std::int64_t repeats_for(std::int64_t groups, std::int64_t states) {
  std::int64_t r = 0;
  while (reach(states, r) < groups) ++r;
  return r;
}

std::int64_t groups_of(std::int64_t steps, const Recomputation& r) {
  return r.group == 0 ? 1 : (steps + r.group - 1) / r.group;
}

std::string megabytes(std::int64_t bytes) {
  return fmt::format("{:.2f} MB", static_cast<double>(bytes) * 1e-6);
}

}  // namespace

Recomputation uniform_recomputation(std::int64_t steps, std::int64_t group) {
  if (group < 1 || group >= steps) return {};
  return {group, groups_of(steps, {group, 0}) - 1};
}

std::int64_t recomputed_steps(std::int64_t steps, const Recomputation& r) {
  const std::int64_t groups = groups_of(steps, r);
  if (groups == 1) return 0;
  const std::int64_t repeats = repeats_for(groups, r.states);
  return (repeats * groups - reach(r.states + 1, repeats - 1)) * r.group;  // the last group is not among them
}

Recomputation choose_recomputation(std::int64_t steps, double step_bytes, double state_bytes, double bytes) {
  Recomputation best{}, smallest{};
  std::int64_t fewest = std::numeric_limits<std::int64_t>::max();
  double least = std::numeric_limits<double>::max();
  const auto consider = [&](const Recomputation& r) {
    const double need =
        static_cast<double>(r.group) * step_bytes + static_cast<double>(r.states) * state_bytes;
    if (need < least) least = need, smallest = r;
    const std::int64_t again = recomputed_steps(steps, r);
    if (need <= bytes && again < fewest) fewest = again, best = r;
  };
  for (std::int64_t group = 1; group < steps; group += 1 + group / 16) {
    const std::int64_t groups = groups_of(steps, {group, 0});
    for (std::int64_t repeats = 1; repeats <= most_repeats; ++repeats) {
      std::int64_t low = 1, high = groups - 1;  // the fewest states that do with so many repeats
      while (low < high) {
        const std::int64_t middle = (low + high) / 2;
        reach(middle, repeats) < groups ? low = middle + 1 : high = middle;
      }
      consider({group, low});
    }
  }
  return best.group != 0 ? best : smallest;
}

std::string BudgetPlan::text() const {
  if (recomputation.group == 0)
    return fmt::format("{} steps, none computed again; {}", steps, megabytes(bytes));
  return fmt::format("{} steps in {} groups of {}, {} states kept: {} steps computed again; {}, without {}",
                     steps, groups_of(steps, recomputation), recomputation.group, recomputation.states,
                     recomputed, megabytes(bytes), megabytes(bytes_without));
}

namespace detail {

void check_recomputation(const Recomputation& r) {
  if (r.group < 0 || (r.group > 0 && r.states < 1))
    throw ShapeError(
        fmt::format("unroll: recomputation in groups of {} steps with {} states; both must be at least 1",
                    r.group, r.states));
}

std::int64_t check_inputs(const Vars& inputs, const Where& where) {
  if (inputs.empty()) throw ShapeError("sum_over_time: there are no inputs");
  const Shape& first = inputs[0].shape(where);
  for (const Var& v : inputs)
    if (v.shape(where).rank() == 0 || v.shape()[0] == 0 || v.shape()[0] != first[0])
      fail_shape("sum_over_time", "all inputs must be [T, ...] with the same T, of at least one step",
                 {inputs[0], v}, where);
  return first[0];
}

std::int64_t first_part(std::int64_t groups, std::int64_t states) {
  const std::int64_t r = repeats_for(groups, states);
  return std::min(reach(states, r - 1), groups - reach(states - 1, r - 1));
}

namespace {

// What runs take, by planning them. Beyond some steps, from fewer: each further one costs the same.
class Prediction {
 public:
  Prediction(std::int64_t steps, std::int64_t state_bytes, const BytesOfUnroll& bytes_of)
      : steps_(steps), state_(static_cast<double>(state_bytes)), bytes_of_(bytes_of) {
    constexpr std::int64_t few = 8;
    step_ = (bytes(4 * few, {}) - bytes(2 * few, {})) / (2 * few);
    if (steps > most_planned)
      outer_step_ = (bytes(8 * few, uniform_recomputation(8 * few, few)) -
                     bytes(4 * few, uniform_recomputation(4 * few, few))) /
                        (4 * few) -
                    state_ / few;
  }

  // Bytes that a step whose inner values are kept has more than one that is computed again, at most.
  double step() const { return step_; }

  double operator()(const Recomputation& how) const {
    const std::int64_t planned = std::min(steps_, std::max(most_planned, 3 * how.group));
    Recomputation few = how;
    few.states = std::min(how.states, groups_of(planned, how) - 1);
    return bytes(planned, few) + static_cast<double>(how.states - few.states) * state_ +
           static_cast<double>(steps_ - planned) * (how.group == 0 ? step_ : outer_step_);
  }

 private:
  static constexpr std::int64_t most_planned = 512;

  double bytes(std::int64_t steps, const Recomputation& how) const {
    return static_cast<double>(bytes_of_(steps, how));
  }

  std::int64_t steps_;
  double state_, step_ = 0, outer_step_ = 0;
  const BytesOfUnroll& bytes_of_;
};

}  // namespace

// The bytes of a recomputation are some that all have, and those of its group and its states. How many the
// first are, the planner says for one recomputation after the other, until no better one is found.
BudgetPlan plan_budget(std::int64_t steps, std::int64_t state_bytes, const Budget& budget,
                       const BytesOfUnroll& bytes_of) {
  const Prediction predicted(steps, state_bytes, bytes_of);
  const double state = static_cast<double>(state_bytes), limit = static_cast<double>(budget.bytes);
  const double without = predicted({});
  BudgetPlan plan{{}, steps, 0, static_cast<std::int64_t>(without), static_cast<std::int64_t>(without)};
  if (budget.bytes == 0 || without <= limit) return plan;

  double least = without, room = limit;
  bool found = false;
  Recomputation last{};
  for (int tries = 0; tries < 8 && steps > 1; ++tries) {
    const Recomputation how = choose_recomputation(steps, predicted.step(), state, room);
    if (how == last) break;
    last = how;
    const double bytes = predicted(how);
    least = std::min(least, bytes);
    room = limit - (bytes - predicted.step() * static_cast<double>(how.group) -
                    state * static_cast<double>(how.states));
    const std::int64_t again = recomputed_steps(steps, how);
    if (bytes > limit || (found && again >= plan.recomputed)) continue;
    found = true;
    plan.recomputation = how;
    plan.recomputed = again;
    plan.bytes = static_cast<std::int64_t>(bytes);
  }
  if (!found)
    throw TapeError(fmt::format("unroll: {} steps can't be done within {} bytes; the least is {}", steps,
                                budget.bytes, static_cast<std::int64_t>(std::ceil(least))));
  return plan;
}

}  // namespace detail

}  // namespace spool
