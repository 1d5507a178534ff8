// Which steps of an unroll lie in checkpoints, and how much memory that takes.
//
// Steps go in groups. The inner values of one group are kept at a time; of the others, the backward pass has
// the state before some of them, and computes from there what it needs. With room for s states, the binomial
// schedule of Griewank and Walther (2000, "Algorithm 799: Revolve") takes C(s + r, s) groups through with r
// computations of each at most. r = 1 is one checkpoint for each group. What does not fit into these forms,
// such as checkpoints of two layers together, can be written with checkpoint() itself.
#pragma once

#include <spool/layers/checkpoint.hpp>

#include <cstdint>
#include <functional>
#include <string>

namespace spool {

struct Recomputation {
  std::int64_t group = 0;   ///< steps whose inner values are kept at a time; 0: all of them
  std::int64_t states = 0;  ///< that are kept at a time, that before the first step included
  friend bool operator==(const Recomputation&, const Recomputation&) = default;
};

/// One checkpoint for every `group` steps; with about sqrt(steps) of them, memory grows as sqrt(steps).
Recomputation uniform_recomputation(std::int64_t steps, std::int64_t group);
/// For steps that each need `step_bytes` for inner values and `state_bytes` for a state: the one that
/// computes the fewest steps again within bytes, and none more than most_repeats times. Where there is none,
/// the one that needs the fewest bytes.
Recomputation choose_recomputation(std::int64_t steps, double step_bytes, double state_bytes, double bytes);
/// Forward steps that the backward pass computes in addition.
std::int64_t recomputed_steps(std::int64_t steps, const Recomputation& r);
constexpr std::int64_t most_repeats = 6;

/// Bytes for the values of a run of an unroll and its gradients: what RunStats::arena_bytes says. 0: no
/// limit.
struct Budget {
  std::int64_t bytes = 0;
};

/// What choosing a recomputation found out.
struct BudgetPlan {
  Recomputation recomputation;
  std::int64_t steps = 0;
  std::int64_t recomputed = 0;  ///< forward steps computed in addition
  std::int64_t bytes = 0;       ///< the predicted peak
  std::int64_t bytes_without = 0;

  /// "1000 steps in 32 groups of 32, 31 states kept: 968 steps computed again; 1.2 MB, without 14.1 MB"
  std::string text() const;
};

namespace detail {

/// Throws ShapeError for numbers below 1.
void check_recomputation(const Recomputation& r);
/// How many steps inputs [T,...] of sum_over_time() have; throws ShapeError unless all have as many.
std::int64_t check_inputs(const Vars& inputs, const Where& where);
/// How many groups come before the one where a schedule keeps its next state: 1 <= result < groups.
std::int64_t first_part(std::int64_t groups, std::int64_t states);

/// Bytes of planned runs of an unroll and its gradients, by its steps and their recomputation.
using BytesOfUnroll = std::function<std::size_t(std::int64_t steps, const Recomputation&)>;
/// Throws TapeError with the least bytes that would do when the budget is too small.
BudgetPlan plan_budget(std::int64_t steps, std::int64_t state_bytes, const Budget& budget,
                       const BytesOfUnroll& bytes_of);

}  // namespace detail

}  // namespace spool
