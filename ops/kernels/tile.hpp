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

template <class T>
struct Run {
  std::array<const T*, 3> in;
  T* out;  // may be one of the operands
  std::int64_t size;
  std::array<T, 2> numbers;  // the op's attributes
};

template <class T>
using RunKernel = void (*)(const Run<T>&);

/// For the instructions that this processor has. Null for a function that has no double.
template <class T>
RunKernel<T> run_kernel(Fn fn);

/// Applies a function to the rows of a planned run's tile (graph/op.hpp).
template <Fn fn, int arity, class Tile>
void run_tile(const Tile& t) {
  using T = std::remove_reference_t<decltype(*t.out)>;
  static const RunKernel<T> kernel = run_kernel<T>(fn);
  Run<T> run{{}, t.out, t.cols, {}};
  for (std::size_t i = 0; i < run.numbers.size() && i < t.attrs.size(); ++i)
    run.numbers[i] = static_cast<T>(std::bit_cast<double>(t.attrs[i]));
  bool dense = t.out_stride == t.cols;
  for (int i = 0; i < arity; ++i) {
    run.in[static_cast<std::size_t>(i)] = t.in[i].data;
    dense = dense && t.in[i].stride == t.cols;
  }
  if (dense) {
    run.size *= t.rows;
    return kernel(run);
  }
  for (std::int64_t row = 0; row < t.rows; ++row) {
    kernel(run);
    for (int i = 0; i < arity; ++i) run.in[static_cast<std::size_t>(i)] += t.in[i].stride;
    run.out += t.out_stride;
  }
}

/// An element-wise op of graph/op.hpp with these kernels for planned runs.
template <Fn fn, int arity, class OpDef>
constexpr OpDef tiled(OpDef op) {
  op.tile.f32 = run_tile<fn, arity>;
  if constexpr (has_double(fn)) op.tile.f64 = run_tile<fn, arity>;
  return op;
}

}  // namespace spool::kernels
