// Steps of time recorded in groups, of which a schedule puts some in checkpoints; see budget.hpp.
#pragma once

#include <spool/layers/budget.hpp>
#include <spool/ops/movement.hpp>

#include <utility>

namespace spool::detail {

/// What is the same for all groups of a sequence.
struct TimeGroups {
  std::int64_t steps;
  Recomputation how;
  bool backwards = false;  ///< from the last step to the first
  Where where;

  /// Of steps begin..end-1 in the order they run, the earliest in time.
  std::int64_t first(std::int64_t begin, std::int64_t end) const { return backwards ? steps - end : begin; }
};

/// Records steps begin..end-1 in the order they run, of which `xs` [end-begin,...] hold the inputs in order
/// of time: record(xs, begin, end, state) gives the state after a group. `states` may be kept at a time.
template <class S, class F>
S record_groups(const TimeGroups& g, Vars xs, std::int64_t begin, std::int64_t end, S state,
                std::int64_t states, F&& record) {
  const auto part = [&](std::int64_t from, std::int64_t to) {
    const std::int64_t at = g.first(from, to) - g.first(begin, end);
    Vars parts;
    for (const Var& x : xs) parts.push_back(slice(Operand(x, g.where), 0, at, at + to - from));
    return parts;
  };
  std::int64_t done = begin;
  while (g.how.group > 0 && end - done > g.how.group) {
    const std::int64_t groups = (end - done + g.how.group - 1) / g.how.group;
    const std::int64_t next = done + g.how.group * first_part(groups, states);
    state = checkpoint(
        [&](const Vars& some, const S& s) { return record_groups(g, some, done, next, s, states, record); },
        part(done, next), state);
    done = next;
    --states;
  }
  return record(done == begin ? xs : part(done, end), done, end, std::move(state));
}

}  // namespace spool::detail
