#include <spool/graph/error.hpp>
#include <spool/ops/elementwise.hpp>
#include <spool/ops/movement.hpp>
#include <spool/ops/record.hpp>
#include <spool/ops/reduce.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace spool {

namespace {

// A reduction's attributes: the axes, ascending. The result keeps them with size 1, so that it broadcasts
// back over the operand; the op functions reshape them away.
Shape reduced(const Call& c) {
  Shape s = c.shape(0);
  for (std::int64_t axis : c.attrs()) s = s.with(static_cast<int>(axis), 1);
  return s;
}

// Calls f(out index, in index) for every element of the operand, in its order.
template <class F>
void for_each_reduced(const Shape& in, const Shape& out, F&& f) {
  std::array<std::int64_t, Shape::max_rank> at{}, stride{};
  std::int64_t step = 1;
  for (int i = in.rank(); i-- > 0;) {
    stride[static_cast<std::size_t>(i)] = out[i] == 1 ? 0 : step;
    step *= out[i];
  }
  const std::int64_t n = in.size();
  std::int64_t o = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    f(o, i);
    for (int axis = in.rank(); axis-- > 0;) {
      const auto a = static_cast<std::size_t>(axis);
      o += stride[a];
      if (++at[a] < in[axis]) break;
      o -= stride[a] * in[axis];
      at[a] = 0;
    }
  }
}

constexpr OpDef sum_op{
    .name = "sum",
    .arity = 1,
    .kind = Kind::reduce,
    .shape = reduced,
    .eval = eval_of([]<class T>(const Args<T>& a) {
      std::fill_n(a.out, a.size(), T(0));
      const T* x = a.in[0];
      for_each_reduced(*a.in_shapes[0], *a.out_shape,
                       [&](std::int64_t o, std::int64_t i) { a.out[o] += x[i]; });
    }),
    .vjp = [](const Step& s, Var g) -> Grads { return {broadcast_to(g, s.shape(0))}; },
};

std::vector<std::int64_t> axis_list(const char* op, Var x, const Axes& axes, const Where& where) {
  std::vector<std::int64_t> list;
  if (axes.all())
    for (int i = 0; i < x.shape().rank(); ++i) list.push_back(i);
  else
    for (int axis : axes.list()) list.push_back(axis_of(op, x, axis, where));
  std::ranges::sort(list);
  if (std::ranges::adjacent_find(list) != list.end()) fail_shape(op, "an axis is named twice", {x}, where);
  return list;
}

Var reduce(const OpDef& op, const Operand& x, const Axes& axes, bool keepdims) {
  const Var v = var_of(op.name, x);
  const auto list = axis_list(op.name, v, axes, x.where());
  if (list.empty()) return v;
  const Var kept = record(op, std::span(&x, 1), list);
  if (keepdims) return kept;
  Shape s = kept.shape();
  for (auto axis = list.rbegin(); axis != list.rend(); ++axis) s = s.without(static_cast<int>(*axis));
  return reshape({kept, x.where()}, s);
}

}  // namespace

Var sum(Operand x, Axes axes, bool keepdims) { return reduce(sum_op, x, axes, keepdims); }

Var mean(Operand x, Axes axes, bool keepdims) {
  const Var total = sum(x, axes, keepdims);
  const std::int64_t count = total.shape().size() == 0 ? 0 : x.var().shape().size() / total.shape().size();
  if (count == 0) fail_shape("mean", "there is nothing to average", {x.var()}, x.where());
  return Operand(total, x.where()) * Operand(1.0 / static_cast<double>(count), x.where());
}

}  // namespace spool
