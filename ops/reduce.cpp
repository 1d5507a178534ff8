#include <spool/graph/error.hpp>
#include <spool/ops/elementwise.hpp>
#include <spool/ops/kernels/fold.hpp>
#include <spool/ops/kernels/softmax_rows.hpp>
#include <spool/ops/movement.hpp>
#include <spool/ops/record.hpp>
#include <spool/ops/reduce.hpp>
#include <spool/ops/softmax.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace spool {

namespace {

// A reduction's attributes: the axes, ascending. The result keeps them with size 1, so that it broadcasts
// back over the operand; the op functions reshape them away.
Shape reduced(const Call& c) {
  Shape s = c.shape(0);
  for (std::int64_t axis : c.attrs()) s = s.with(static_cast<int>(axis), 1);
  return s;
}

// How many elements each result is made of.
std::int64_t folded_count(const Shape& shape, Attrs axes) {
  std::int64_t count = 1;
  for (std::int64_t axis : axes) count *= shape[static_cast<int>(axis)];
  return count;
}

Shape reduced_choice(const Call& c) {
  if (folded_count(c.shape(0), c.attrs()) == 0) c.fail("there is nothing to choose from");
  return reduced(c);
}

constexpr OpDef reduction(const char* name, Shape (*shape)(const Call&), Eval eval, Eval fast,
                          Grads (*vjp)(const Step&, Var)) {
  return {.name = name,
          .arity = 1,
          .kind = Kind::reduce,
          .shape = shape,
          .eval = eval,
          .vjp = vjp,
          .fast = fast,
          .divides = divides::unless_along_rows};
}

template <template <class> class Fold, kernels::FoldOp quick>
constexpr OpDef fold(const char* name, Shape (*shape)(const Call&), Grads (*vjp)(const Step&, Var)) {
  constexpr auto fast = []<class T>(const Args<T>& a) {
    kernels::fold_quickly<quick, Fold<T>>(a.in_shapes[0]->dims(), a.attrs, a.in[0], a.out);
  };
  OpDef op = reduction(name, shape, eval_of([]<class T>(const Args<T>& a) {
                         kernels::fold<Fold<T>>(a.in_shapes[0]->dims(), a.attrs, a.in[0], a.out);
                       }),
                       {.f32 = fast, .f64 = fast}, vjp);
  op.tile = {.f32 = kernels::fold_tile<quick, Fold<float>, Tile<float>>,
             .f64 = kernels::fold_tile<quick, Fold<double>, Tile<double>>};
  return op;
}

constexpr OpDef sum_op = [] {
  OpDef op = fold<kernels::Sum, kernels::FoldOp::sum>(
      "sum", reduced, [](const Step& s, Var g) -> Grads { return {broadcast_to(g, s.shape(0))}; });
  op.sums = true;
  return op;
}();

// Of max and min: the chosen elements share the gradient.
Grads to_the_chosen(const Step& s, Var g) {
  const Var chosen = eq(s.in(0), s.out());
  return {where(chosen, g / sum(chosen, Axes(s.attrs()), true), 0)};
}
constexpr OpDef max_op = fold<kernels::Max, kernels::FoldOp::max>("max", reduced_choice, to_the_chosen);
constexpr OpDef min_op = fold<kernels::Min, kernels::FoldOp::min>("min", reduced_choice, to_the_chosen);

// x / |x|, and 0 at a zero vector: the inner choice keeps the quotient finite there, the outer one drops it.
constexpr OpDef norm_op =
    fold<kernels::Norm, kernels::FoldOp::norm>("norm", reduced, [](const Step& s, Var g) -> Grads {
      const Var y = s.out();
      return {s.in(0) * where(y, g / where(y, y, 1), 0)};
    });

constexpr OpDef logsumexp_op =
    reduction("logsumexp", reduced, eval_of([]<class T>(const Args<T>& a) {
                const kernels::Folding f(a.in_shapes[0]->dims(), a.attrs);
                kernels::logsumexp(f, a.in[0], a.out);
              }),
              {.f32 =
                   [](const Args<float>& a) {
                     using kernels::SoftmaxKernels;
                     kernels::softmax_quickly<&SoftmaxKernels::logsumexp, kernels::logsumexp<float>>(
                         a.in_shapes[0]->dims(), a.attrs, a.in[0], a.out);
                   }},
              [](const Step& s, Var g) -> Grads { return {g * softmax(s.in(0), Axes(s.attrs()))}; });

// Attributes: axis, whether from the end.
constexpr OpDef cumsum_op{
    .name = "cumsum",
    .arity = 1,
    .kind = Kind::other,
    .shape = shapes::same,
    .eval = eval_of([]<class T>(const Args<T>& a) {
      const auto [outer, along, inner] = a.out_shape->split(static_cast<int>(a.attrs[0]));
      const bool reverse = a.attrs[1] != 0;
      for (std::int64_t o = 0; o < outer; ++o)
        for (std::int64_t j = 0; j < inner; ++j) {
          kernels::Wide<T> total = 0;
          for (std::int64_t i = 0; i < along; ++i) {
            const std::int64_t at = (o * along + (reverse ? along - 1 - i : i)) * inner + j;
            total += static_cast<kernels::Wide<T>>(a.in[0][at]);
            a.out[at] = static_cast<T>(total);
          }
        }
    }),
    .vjp = [](const Step& s, Var g) -> Grads {
      return {cumsum(g, static_cast<int>(s.attr(0)), s.attr(1) == 0)};
    },
    .divides = divides::unless_axis_0<1>,
};

constexpr OpDef argmax_op{
    .name = "argmax",
    .arity = 1,
    .kind = Kind::reduce,
    .shape = reduced_choice,
    .eval = eval_of([]<class T>(const Args<T>& a) {
      const auto [outer, along, inner] = a.in_shapes[0]->split(static_cast<int>(a.attrs[0]));
      for (std::int64_t o = 0; o < outer; ++o)
        for (std::int64_t j = 0; j < inner; ++j) {
          const T* const x = a.in[0] + o * along * inner + j;
          std::int64_t best = 0;
          for (std::int64_t i = 1; i < along; ++i) {
            const T now = x[i * inner], then = x[best * inner];
            if (now > then || (now != now && then == then)) best = i;
          }
          a.out[o * inner + j] = static_cast<T>(best);
        }
    }),
    .divides = divides::unless_axis_0<1>,
};

// Folded axes have size 1 by now.
Var drop_axes(Var x, Attrs axes) {
  Shape s = x.shape();
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) s = s.without(static_cast<int>(*axis));
  return reshape(x, s);
}

Var reduce(const OpDef& op, const Operand& x, const Axes& axes, bool keepdims) {
  const auto list = axes_of(op.name, x, axes);
  const CalledFrom from(x.var().tape(), x.where());
  const Var kept = record(op, std::span(&x, 1), list);
  return keepdims ? kept : drop_axes(kept, list);
}

// The product along an axis, which stays with size 1: halves are multiplied until one element is left. A tree
// of products has exact gradients of any order where factors are 0; dividing by a factor would not.
Var prod_along(Var x, int axis) {
  Var odd_ones;
  for (std::int64_t size = x.shape()[axis]; size > 1; size /= 2) {
    const std::int64_t half = size / 2;
    if (size % 2 != 0) {
      const Var last = slice(x, axis, size - 1, size);
      odd_ones = odd_ones.valid() ? odd_ones * last : last;
    }
    x = slice(x, axis, 0, half) * slice(x, axis, half, 2 * half);
  }
  if (x.shape()[axis] == 0) return x.tape().constant(1, x.shape().with(axis, 1));
  return odd_ones.valid() ? x * odd_ones : x;
}

}  // namespace

boost::container::small_vector<std::int64_t, Shape::max_rank> axes_of(const char* op, const Operand& x,
                                                                      const Axes& axes) {
  const Var v = var_of(op, x);
  boost::container::small_vector<std::int64_t, Shape::max_rank> list;
  if (axes.all())
    for (int i = 0; i < v.shape().rank(); ++i) list.push_back(i);
  else
    for (int axis : axes.list()) list.push_back(axis_of(op, v, axis, x.where()));
  std::ranges::sort(list);
  if (std::ranges::adjacent_find(list) != list.end())
    fail_shape(op, "an axis is named twice", {v}, x.where());
  return list;
}

Var sum(Operand x, Axes axes, bool keepdims) { return reduce(sum_op, x, axes, keepdims); }
Var max(Operand x, Axes axes, bool keepdims) { return reduce(max_op, x, axes, keepdims); }
Var min(Operand x, Axes axes, bool keepdims) { return reduce(min_op, x, axes, keepdims); }
Var logsumexp(Operand x, Axes axes, bool keepdims) { return reduce(logsumexp_op, x, axes, keepdims); }

Var mean(Operand x, Axes axes, bool keepdims) {
  const std::int64_t count = folded_count(var_of("mean", x).shape(), axes_of("mean", x, axes));
  if (count == 0) fail_shape("mean", "there is nothing to average", {x.var()}, x.where());
  const CalledFrom from(x.var().tape(), x.where());
  return sum(x, axes, keepdims) / static_cast<double>(count);
}

namespace {

// The deviations from the mean, and the n - correction that their squares are divided by.
std::pair<Var, double> deviations(const char* op, const Operand& x, const Axes& axes, int correction) {
  const std::int64_t n = folded_count(var_of(op, x).shape(), axes_of(op, x, axes)) - correction;
  if (n <= 0) fail_shape(op, fmt::format("needs more than {} elements", correction), {x.var()}, x.where());
  return {x.var() - mean(x, axes, true), static_cast<double>(n)};
}

}  // namespace

Var variance(Operand x, Axes axes, int correction, bool keepdims) {
  const CalledFrom from(var_of("variance", x).tape(), x.where());
  const auto [d, n] = deviations("variance", x, axes, correction);
  return sum(square(d), axes, keepdims) / n;
}

Var stddev(Operand x, Axes axes, int correction, bool keepdims) {
  const CalledFrom from(var_of("stddev", x).tape(), x.where());
  const auto [d, n] = deviations("stddev", x, axes, correction);
  return norm(d, 2, axes, keepdims) / std::sqrt(n);
}

Var prod(Operand x, Axes axes, bool keepdims) {
  const auto list = axes_of("prod", x, axes);
  const CalledFrom from(x.var().tape(), x.where());
  Var y = x.var();
  for (const std::int64_t axis : list) y = prod_along(y, static_cast<int>(axis));
  return keepdims ? y : drop_axes(y, list);
}

Var norm(Operand x, double p, Axes axes, bool keepdims) {
  if (!(p > 0)) throw TapeError(fmt::format("norm: p must be above 0, not {}", p));
  const Var v = var_of("norm", x);
  if (p == 2) return reduce(norm_op, x, axes, keepdims);
  const CalledFrom from(v.tape(), x.where());
  const auto list = axes_of("norm", x, axes);
  if (p == 1 || folded_count(v.shape(), list) == 0) return sum(abs(v), axes, keepdims);
  if (std::isinf(p)) return max(abs(v), axes, keepdims);
  // Powers of 0 have infinite derivatives: they are kept out, and their place is taken by the number 0.
  const auto pow_but_at_0 = [](Var y, double power) {
    const Var zero = eq(y, 0);
    return where(zero, 0, pow(where(zero, 1, y), power));
  };
  return pow_but_at_0(sum(pow_but_at_0(abs(v), p), axes, keepdims), 1 / p);
}

Var cumsum(Operand x, int axis, bool reverse) {
  return record(cumsum_op, {x}, {axis_of("cumsum", var_of("cumsum", x), axis, x.where()), reverse});
}

Var argmax(Operand x, int axis, bool keepdims) {
  const Var v = var_of("argmax", x);
  axis = axis_of("argmax", v, axis, x.where());
  if (v.tape().dtype() == DType::f32 && v.shape()[axis] > 1 << 24)
    fail_shape("argmax", "a float can't hold indices above 2^24; use a tape of f64", {v}, x.where());
  return reduce(argmax_op, x, axis, keepdims);
}

}  // namespace spool
