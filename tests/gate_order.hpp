// Weights of other programs, whose gates come in another order than ours. Gates are equal parts of an axis.
#pragma once

#include <spool/ops/movement.hpp>

#include <vector>

/// The given ones of `gates` gates along an axis, in this order.
inline spool::Var take_gates(spool::Var weights, int gates, const std::vector<std::size_t>& order, int axis) {
  const spool::Vars parts = spool::split(weights, gates, axis);
  spool::Vars taken;
  for (std::size_t gate : order) taken.push_back(parts.at(gate));
  return spool::concat(taken, axis);
}
