// Ops that fold axes away. Without axes they fold all; with `keepdims` the folded axes stay with size 1.
// NaN anywhere in what is folded gives NaN. ShapeError for an axis that does not exist or is named twice.
// Cumulative sums and argmax, which look along one axis, are here too.
#pragma once

#include <spool/graph/op.hpp>
#include <spool/graph/tape.hpp>

#include <initializer_list>
#include <span>

namespace spool {

/// The axes of a reduction: one, several, or (by default) all. Negative ones count from the end.
class Axes {
 public:
  Axes() : all_(true) {}
  Axes(int axis) : axes_{axis} {}                         // NOLINT: sum(x, 0)
  Axes(std::initializer_list<int> axes) : axes_(axes) {}  // NOLINT: sum(x, {0, 1})
  explicit Axes(std::span<const int> axes) : axes_(axes.begin(), axes.end()) {}
  explicit Axes(Attrs attrs) : axes_(attrs.begin(), attrs.end()) {}

  bool all() const { return all_; }
  std::span<const int> list() const { return axes_; }

 private:
  bool all_ = false;
  boost::container::small_vector<int, Shape::max_rank> axes_;
};

/// The axes as a reduction's attributes: counted from 0, ascending.
boost::container::small_vector<std::int64_t, Shape::max_rank> axes_of(const char* op, const Operand& x,
                                                                      const Axes& axes);

/// The sum; 0 over no elements.
Var sum(Operand x, Axes axes = {}, bool keepdims = false);
/// The arithmetic mean. ShapeError over no elements.
Var mean(Operand x, Axes axes = {}, bool keepdims = false);
/// The mean squared distance from the mean, with n - correction for n (1: the unbiased estimate). ShapeError
/// when that is not above 0.
Var variance(Operand x, Axes axes = {}, int correction = 1, bool keepdims = false);
/// Its square root; gradient 0 where all elements are equal.
Var stddev(Operand x, Axes axes = {}, int correction = 1, bool keepdims = false);

/// The largest or smallest element; equal ones share the gradient equally. ShapeError over no elements.
Var max(Operand x, Axes axes = {}, bool keepdims = false);
Var min(Operand x, Axes axes = {}, bool keepdims = false);
/// The product; 1 over no elements. Right gradients of any order where factors are 0.
Var prod(Operand x, Axes axes = {}, bool keepdims = false);
/// (sum |x|^p)^(1/p) for p > 0, the largest |x| for infinite p; 0 over no elements. At a zero vector the
/// gradient is 0. For p = 2 a float's square can't overflow: norms up to 1e38 are right. TapeError for other
/// p.
Var norm(Operand x, double p = 2, Axes axes = {}, bool keepdims = false);
/// log(sum(exp(x))) without overflow. Over no elements, or all of them -inf: -inf, with gradient 0.
Var logsumexp(Operand x, Axes axes = {}, bool keepdims = false);

/// Sums of the elements up to and with each one; from the end backwards when reverse.
Var cumsum(Operand x, int axis, bool reverse = false);
/// The index of the first largest element (NaN counts as largest) as a whole number in the tape's dtype. No
/// gradient. ShapeError over no elements, and in float along more than 2^24 of them.
Var argmax(Operand x, int axis = -1, bool keepdims = false);

}  // namespace spool
