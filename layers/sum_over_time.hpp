// A loss over many steps of time, recorded group by group: of the model's values, those of one group are kept
// at a time. unroll() does that for one layer; here a group may hold all of a model, from the inputs to the
// loss, so that nothing is kept that grows with the number of steps but inputs and states.
#pragma once

#include <spool/graph/error.hpp>
#include <spool/layers/time_groups.hpp>
#include <spool/ops/elementwise.hpp>

#include <utility>

namespace spool {

/// The sum of what all groups give, and the state after the last one. record(parts, state) gets the group's
/// steps of each of `inputs` [T,...] and the state before it, and gives its part of the sum, a scalar, and
/// the state after it:
///
///   auto [loss, last] = sum_over_time({x, y}, state, uniform_recomputation(T, 10), [&](Vars part, auto
///   state) {
///     auto [ys, next] = lstm.unroll(table(part[0]), state);
///     return std::pair(cross_entropy(head(ys), part[1], {.reduction = Reduction::sum}), next);
///   });
///
/// Without recomputation there is one group, of all steps. ShapeError unless there are inputs, all of as many
/// steps, and at least one.
template <class S, class F>
std::pair<Var, S> sum_over_time(const Vars& inputs, S state, const Recomputation& how, F&& record,
                                Where where = Where::current()) {
  const std::int64_t T = detail::check_inputs(inputs, where);
  detail::check_recomputation(how);
  const CalledFrom from(inputs[0].tape(where), where);
  Vars sums;
  const detail::TimeGroups groups{T, how, false, where};
  state = detail::record_groups(groups, inputs, 0, T, std::move(state), how.states,
                                [&](const Vars& parts, std::int64_t, std::int64_t, S before) {
                                  auto [sum, after] = record(parts, std::move(before));
                                  sums.push_back(sum);
                                  return S(std::move(after));
                                });
  Var total = sums[0];
  for (std::size_t i = 1; i < sums.size(); ++i) total = total + sums[i];
  return {total, std::move(state)};
}

}  // namespace spool
