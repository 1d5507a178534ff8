// Element-wise functions of runs of elements, in the widest vectors that the processor has. An element gives
// the same bits wherever it lies in a run. Functions of one number are made of polynomials and hold the
// bounds that vector_math.hpp states; all others round as plain loops do.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace spool::kernels {

enum class Fn : std::uint8_t {
  add,
  sub,
  mul,
  div,
  neg,
  square,
  sqrt,
  rsqrt,
  abs,
  sign,
  floor,
  copy,
  relu,
  leaky_relu,
  clamp,
  where,
  maximum,
  minimum,
  eq,
  ne,
  lt,
  le,
  gt,
  ge,
  logical_and,
  logical_or,
  sigmoid_grad,
  tanh_grad,
  // only in float
  exp,
  expm1,
  log,
  log1p,
  tanh,
  sigmoid,
  elu,
  softplus,
  sin,
  cos,
  erf,
};
constexpr bool has_double(Fn fn) { return fn < Fn::exp; }

/// Rows of elements: the next row begins `stride` elements on, and the next element is `step` on: 1, or 0
/// where one element serves the whole row.
template <class T>
struct Block {
  struct Operand {
    const T* data;
    std::int64_t stride;
    std::int32_t step;
  };
  std::array<Operand, 3> in;
  T* out;  // may be one of the operands, with the same stride
  std::int64_t out_stride;
  std::array<T, 2> numbers;  // the op's attributes
};

template <class T>
using BlockKernel = void (*)(const Block<T>&, std::int64_t rows, std::int64_t cols);

/// For the instructions that this processor has. Null for a function that has no double.
template <class T>
BlockKernel<T> block_kernel(Fn fn);

/// Applies a function to a planned run's tile (graph/op.hpp).
template <Fn fn, int arity, class Tile>
void run_tile(const Tile& t) {
  using T = std::remove_reference_t<decltype(*t.out)>;
  static const BlockKernel<T> kernel = block_kernel<T>(fn);
  Block<T> b;
  b.out = t.out, b.out_stride = t.out_stride;
  for (std::size_t i = 0; i < b.numbers.size() && i < t.attrs.size(); ++i)
    b.numbers[i] = static_cast<T>(std::bit_cast<double>(t.attrs[i]));
  bool dense = t.out_stride == t.cols;
  for (std::size_t i = 0; i < static_cast<std::size_t>(arity); ++i) {
    const auto& in = *t.in[i];
    b.in[i] = {in.data, in.stride, in.step};
    dense = dense && in.stride == t.cols * in.step;
  }
  dense ? kernel(b, 1, t.rows * t.cols) : kernel(b, t.rows, t.cols);
}

/// An element-wise op of graph/op.hpp with these kernels for planned runs.
template <Fn fn, int arity, class OpDef>
constexpr OpDef tiled(OpDef op) {
  op.tile.f32 = run_tile<fn, arity>;
  op.cheap = has_double(fn);
  if constexpr (has_double(fn)) op.tile.f64 = run_tile<fn, arity>;
  return op;
}

}  // namespace spool::kernels
