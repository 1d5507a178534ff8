#include <spool/graph/error.hpp>
#include <spool/ops/elementwise.hpp>
#include <spool/ops/movement.hpp>
#include <spool/ops/record.hpp>
#include <spool/ops/reduce.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace spool {

namespace {

using Dims = boost::container::small_vector<std::int64_t, Shape::max_rank>;

Shape shape_from_attrs(Attrs attrs) {
  return Shape(std::span<const std::int64_t>(attrs.data(), attrs.size()));
}

std::string describe_dims(Attrs a) { return fmt::format("[{}]", fmt::join(a, ", ")); }

// Copies elements that are read with these strides; the result has them one after the other.
template <class T>
void copy_strided(const Shape& shape, std::span<const std::int64_t> strides, const T* x, T* out) {
  if (shape.size() == 0) return;
  const int rank = shape.rank();
  const std::int64_t run = rank == 0 ? 1 : shape.back();
  const std::int64_t step = rank == 0 ? 0 : strides.back();
  std::array<std::int64_t, Shape::max_rank> at{};
  for (;;) {
    if (step == 1 && run >= 8)  // less is not worth a call
      std::copy_n(x, run, out);
    else if (step == 0)
      std::fill_n(out, run, *x);
    else
      for (std::int64_t i = 0; i < run; ++i) out[i] = x[i * step];
    out += run;
    int axis = rank - 2;
    for (; axis >= 0; --axis) {
      const auto a = static_cast<std::size_t>(axis);
      x += strides[a];
      if (++at[a] < shape[axis]) break;
      x -= strides[a] * shape[axis];
      at[a] = 0;
    }
    if (axis < 0) return;
  }
}

// out [rows, columns] = x [columns, rows] transposed, square by square, so that both stay in the cache.
template <class T>
void copy_transposed(std::int64_t rows, std::int64_t columns, const T* x, T* out) {
  constexpr std::int64_t side = 16;
  for (std::int64_t c = 0; c < columns; c += side)
    for (std::int64_t r = 0; r < rows; r += side)
      for (std::int64_t i = r; i < std::min(r + side, rows); ++i)
        for (std::int64_t j = c; j < std::min(c + side, columns); ++j) out[i * columns + j] = x[j * rows + i];
}

Dims strides_of(const Shape& s) {
  Dims strides(static_cast<std::size_t>(s.rank()));
  std::int64_t step = 1;
  for (int i = s.rank(); i-- > 0;) {
    strides[static_cast<std::size_t>(i)] = step;
    step *= s[i];
  }
  return strides;
}

constexpr OpDef broadcast_op{
    .name = "broadcast",
    .arity = 1,
    .kind = Kind::broadcast,
    .shape = [](const Call& c) -> Shape {
      const Shape target = shape_from_attrs(c.attrs());
      const auto joint = broadcast_shapes(c.shape(0), target);
      if (!joint || *joint != target) c.fail(fmt::format("shape does not broadcast to {}", target.text()));
      return target;
    },
    .eval = eval_of([]<class T>(const Args<T>& a) {
      const Shape& from = *a.in_shapes[0];
      const int lead = a.out_shape->rank() - from.rank();
      Dims strides(static_cast<std::size_t>(a.out_shape->rank()), 0);
      const Dims own = strides_of(from);
      for (int i = 0; i < from.rank(); ++i)
        if (from[i] != 1) strides[static_cast<std::size_t>(i + lead)] = own[static_cast<std::size_t>(i)];
      copy_strided(*a.out_shape, {strides.data(), strides.size()}, a.in[0], a.out);
    }),
    .vjp = [](const Step& s, Var g) -> Grads { return {sum_to(g, s.shape(0))}; },
    .describe = describe_dims,
};

constexpr OpDef reshape_op{
    .name = "reshape",
    .arity = 1,
    .kind = Kind::view,
    .shape = [](const Call& c) -> Shape {
      const Shape target = shape_from_attrs(c.attrs());
      if (target.size() != c.shape(0).size())
        c.fail(fmt::format("{} elements do not fit shape {}", c.shape(0).size(), target.text()));
      return target;
    },
    .eval = eval_of([]<class T>(const Args<T>& a) { std::copy_n(a.in[0], a.size(), a.out); }),
    .vjp = [](const Step& s, Var g) -> Grads { return {reshape(g, s.shape(0))}; },
    .describe = describe_dims,
};

constexpr OpDef permute_op{
    .name = "permute",
    .arity = 1,
    .kind = Kind::movement,
    .shape = [](const Call& c) -> Shape {
      const auto rank = static_cast<std::size_t>(c.shape(0).rank());
      std::array<bool, Shape::max_rank> seen{};
      Dims dims;
      for (std::int64_t axis : c.attrs()) {
        if (axis < 0 || axis >= c.shape(0).rank() ||
            std::exchange(seen[static_cast<std::size_t>(axis)], true))
          break;
        dims.push_back(c.shape(0)[static_cast<int>(axis)]);
      }
      if (dims.size() != rank || c.attrs().size() != rank)
        c.fail(fmt::format("order [{}] is no permutation of the axes", fmt::join(c.attrs(), ", ")));
      return Shape(std::span<const std::int64_t>(dims.data(), dims.size()));
    },
    .eval = eval_of([]<class T>(const Args<T>& a) {
      const Dims own = strides_of(*a.in_shapes[0]);
      Dims strides;
      for (std::int64_t axis : a.attrs) strides.push_back(own[static_cast<std::size_t>(axis)]);
      const int rank = a.out_shape->rank();
      bool transposes = rank >= 2;  // the last two axes, and no others
      for (int i = 0; i < rank; ++i)
        transposes =
            transposes && a.attrs[static_cast<std::size_t>(i)] == (i < rank - 2 ? i : 2 * rank - 3 - i);
      if (transposes) {
        const std::int64_t rows = (*a.out_shape)[rank - 2], columns = a.out_shape->back(),
                           each = rows * columns;
        for (std::int64_t at = 0; at < a.size(); at += each)
          copy_transposed(rows, columns, a.in[0] + at, a.out + at);
        return;
      }
      copy_strided(*a.out_shape, {strides.data(), strides.size()}, a.in[0], a.out);
    }),
    .vjp = [](const Step& s, Var g) -> Grads {
      boost::container::small_vector<int, Shape::max_rank> inverse(s.attrs().size());
      for (std::size_t i = 0; i < inverse.size(); ++i)
        inverse[static_cast<std::size_t>(s.attrs()[i])] = static_cast<int>(i);
      return {permute(g, inverse)};
    },
    .divides = [](Attrs a) -> std::uint32_t { return !a.empty() && a[0] == 0 ? 1 : 0; },
};

// Attribute: axis.
constexpr OpDef flip_op{
    .name = "flip",
    .arity = 1,
    .kind = Kind::movement,
    .shape = shapes::same,
    .eval = eval_of([]<class T>(const Args<T>& a) {
      const auto s = a.out_shape->split(static_cast<int>(a.attrs[0]));
      for (std::int64_t o = 0; o < s.outer; ++o)
        for (std::int64_t i = 0; i < s.along; ++i)
          std::copy_n(a.in[0] + (o * s.along + s.along - 1 - i) * s.inner, s.inner,
                      a.out + (o * s.along + i) * s.inner);
    }),
    .vjp = [](const Step& s, Var g) -> Grads { return {flip(g, static_cast<int>(s.attr(0)))}; },
    .divides = divides::unless_axis_0<1>,
};

}  // namespace

std::optional<Shape> broadcast_shapes(const Shape& a, const Shape& b) {
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape joint = longer;
  const int lead = longer.rank() - shorter.rank();
  for (int i = 0; i < shorter.rank(); ++i) {
    const std::int64_t m = longer[i + lead], n = shorter[i];
    if (m != n && m != 1 && n != 1) return std::nullopt;
    joint = joint.with(i + lead, m == 1 ? n : m);
  }
  return joint;
}

Var broadcast_to(Operand x, const Shape& shape) {
  if (!x.is_number() && var_of("broadcast_to", x).shape() == shape) return x.var();
  return record(broadcast_op, std::span(&x, 1), shape.dims());
}

Var sum_to(Operand x, const Shape& shape) {
  const Shape from = var_of("sum_to", x).shape();
  if (from == shape) return x.var();
  const auto joint = broadcast_shapes(from, shape);
  if (!joint || *joint != from)
    fail_shape("sum_to", fmt::format("shape {} does not broadcast to the operand's", shape.text()), {x.var()},
               x.where());
  boost::container::small_vector<int, Shape::max_rank> axes;
  const int lead = from.rank() - shape.rank();
  for (int i = 0; i < from.rank(); ++i)
    if (i < lead || (shape[i - lead] == 1 && from[i] != 1)) axes.push_back(i);
  return reshape(sum(x, Axes(axes)), shape);
}

Var reshape(Operand x, const Shape& shape) {
  if (!x.is_number() && var_of("reshape", x).shape() == shape) return x.var();
  return record(reshape_op, std::span(&x, 1), shape.dims());
}

Var reshape(Operand x, std::initializer_list<std::int64_t> sizes) {
  const Var v = var_of("reshape", x);
  Dims dims(sizes.begin(), sizes.end());
  const auto open = std::ranges::find(dims, -1);
  if (open != dims.end()) {
    std::int64_t rest = 1;
    for (std::int64_t d : dims)
      if (d != -1) rest *= d;
    if (rest <= 0) fail_shape("reshape", "the size -1 does not follow from the others", {v}, x.where());
    *open = v.shape().size() / rest;
  }
  return reshape(x, Shape(std::span<const std::int64_t>(dims.data(), dims.size())));
}

Var transpose(Operand x) {
  const int rank = var_of("transpose", x).shape().rank();
  if (rank < 2) fail_shape("transpose", "needs at least two axes", {x.var()}, x.where());
  boost::container::small_vector<int, Shape::max_rank> order(static_cast<std::size_t>(rank));
  for (int i = 0; i < rank; ++i) order[static_cast<std::size_t>(i)] = i;
  std::swap(order[order.size() - 1], order[order.size() - 2]);
  return permute(x, order);
}

Var permute(Operand x, std::span<const int> order) {
  const int rank = var_of("permute", x).shape().rank();
  Dims axes;
  for (int axis : order) axes.push_back(axis < 0 ? axis + rank : axis);
  return record(permute_op, std::span(&x, 1), Attrs(axes.data(), axes.size()));
}

Var permute(Operand x, std::initializer_list<int> order) {
  return permute(x, std::span(order.begin(), order.size()));
}

Var flip(Operand x, int axis) {
  axis = axis_of("flip", var_of("flip", x), axis, x.where());
  return record(flip_op, {x}, {axis});
}

Var flip(Operand x, std::initializer_list<int> axes) {
  for (int axis : axes) x = Operand(flip(x, axis), x.where());
  return var_of("flip", x);
}

}  // namespace spool
