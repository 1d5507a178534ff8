// Ops that move elements and compute nothing: broadcasting, reshaping, reordering axes, cutting and joining.
// Axes count from the end when negative, as everywhere in Spool.
#pragma once

#include <spool/graph/op.hpp>
#include <spool/graph/tape.hpp>

#include <array>
#include <optional>

namespace spool {

/// The shape that both broadcast to (numpy's rules: align at the last axis, sizes equal or 1).
std::optional<Shape> broadcast_shapes(const Shape& a, const Shape& b);

/// Repeats x along new or size-1 axes. ShapeError when x's shape does not broadcast to it.
Var broadcast_to(Operand x, const Shape& shape);
/// The adjoint of broadcast_to: sums x down to a shape that broadcasts to x's.
Var sum_to(Operand x, const Shape& shape);

/// The same elements in the same order. One size may be -1 and is worked out.
Var reshape(Operand x, std::initializer_list<std::int64_t> sizes);
Var reshape(Operand x, const Shape& shape);
/// Swaps the last two axes.
Var transpose(Operand x);
/// Axis i of the result is axis order[i] of x.
Var permute(Operand x, std::span<const int> order);
Var permute(Operand x, std::initializer_list<int> order);

/// Reverses the order along one axis, or several.
Var flip(Operand x, int axis);
Var flip(Operand x, std::initializer_list<int> axes);

/// Elements begin..end-1 along an axis. Negative begin and end count from the end.
Var slice(Operand x, int axis, std::int64_t begin, std::int64_t end);
/// Element i along an axis, which disappears: [T,B,D] -> [B,D] for axis 0.
Var select(Operand x, int axis, std::int64_t i);
/// The adjoint of slice: x at `begin` of an axis of size `extent`, zeros around it.
Var place(Operand x, int axis, std::int64_t begin, std::int64_t extent);

struct Padding {
  std::int64_t before = 0, after = 0;
};
/// `value` before and after the elements of each axis. ShapeError unless there is one Padding for each axis.
Var pad(Operand x, std::span<const Padding> padding, double value = 0);
Var pad(Operand x, std::initializer_list<Padding> padding, double value = 0);

/// Joins along an existing axis. ShapeError for an empty list or sizes that differ elsewhere.
Var concat(std::span<const Var> parts, int axis, Where where = Where::current());
Var concat(std::initializer_list<Var> parts, int axis, Where where = Where::current());
/// Joins along a new axis: T of [B,D] -> [T,B,D] for axis 0.
Var stack(std::span<const Var> parts, int axis = 0, Where where = Where::current());
Var stack(std::initializer_list<Var> parts, int axis = 0, Where where = Where::current());
/// Equal parts along an axis. ShapeError when its size is no multiple of n.
Vars split(Operand x, int n, int axis = -1);
template <std::size_t N>
std::array<Var, N> split(Operand x, int axis = -1) {
  const Vars parts = split(x, static_cast<int>(N), axis);
  std::array<Var, N> out;
  for (std::size_t i = 0; i < N; ++i) out[i] = parts[i];
  return out;
}

}  // namespace spool
