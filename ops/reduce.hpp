// Ops that fold axes away. Without axes they fold all; with `keepdims` the folded axes stay with size 1.
#pragma once

#include <spool/graph/op.hpp>
#include <spool/graph/tape.hpp>

#include <initializer_list>
#include <vector>

namespace spool {

/// The axes of a reduction: one, several, or (by default) all. Negative ones count from the end.
class Axes {
 public:
  Axes() : all_(true) {}
  Axes(int axis) : axes_{axis} {}                         // NOLINT: sum(x, 0)
  Axes(std::initializer_list<int> axes) : axes_(axes) {}  // NOLINT: sum(x, {0, 1})
  explicit Axes(std::vector<int> axes) : axes_(std::move(axes)) {}

  bool all() const { return all_; }
  const std::vector<int>& list() const { return axes_; }

 private:
  bool all_ = false;
  std::vector<int> axes_;
};

/// The sum; 0 over no elements.
Var sum(Operand x, Axes axes = {}, bool keepdims = false);
/// The arithmetic mean. ShapeError over no elements.
Var mean(Operand x, Axes axes = {}, bool keepdims = false);

}  // namespace spool
