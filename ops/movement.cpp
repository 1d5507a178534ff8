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

// Visits the elements of `shape` in order, with their offset in an array that is read with these strides.
template <class F>
void for_each_strided(const Shape& shape, std::span<const std::int64_t> strides, F&& f) {
  const int rank = shape.rank();
  if (shape.size() == 0) return;
  std::array<std::int64_t, Shape::max_rank> at{};
  std::int64_t offset = 0, out = 0;
  const std::int64_t run = rank == 0 ? 1 : shape.back();
  const std::int64_t step = rank == 0 ? 0 : strides[static_cast<std::size_t>(rank - 1)];
  for (;;) {
    for (std::int64_t i = 0; i < run; ++i) f(out++, offset + i * step);
    int axis = rank - 2;
    for (; axis >= 0; --axis) {
      const auto a = static_cast<std::size_t>(axis);
      offset += strides[a];
      if (++at[a] < shape[axis]) break;
      offset -= strides[a] * shape[axis];
      at[a] = 0;
    }
    if (axis < 0) return;
  }
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
      const T* x = a.in[0];
      for_each_strided(*a.out_shape, {strides.data(), strides.size()},
                       [&](std::int64_t out, std::int64_t in) { a.out[out] = x[in]; });
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
      const T* x = a.in[0];
      for_each_strided(*a.out_shape, {strides.data(), strides.size()},
                       [&](std::int64_t out, std::int64_t in) { a.out[out] = x[in]; });
    }),
    .vjp = [](const Step& s, Var g) -> Grads {
      std::vector<int> inverse(s.attrs().size());
      for (std::size_t i = 0; i < inverse.size(); ++i)
        inverse[static_cast<std::size_t>(s.attrs()[i])] = static_cast<int>(i);
      return {permute(g, inverse)};
    },
};

// Attributes: axis, begin, end.
constexpr OpDef slice_op{
    .name = "slice",
    .arity = 1,
    .kind = Kind::movement,
    .shape = [](const Call& c) -> Shape {
      const int axis = static_cast<int>(c.attr(0));
      const std::int64_t size = c.shape(0)[axis];
      if (c.attr(1) < 0 || c.attr(2) > size || c.attr(1) > c.attr(2))
        c.fail(fmt::format("range {}..{} does not fit axis {} of size {}", c.attr(1), c.attr(2), axis, size));
      return c.shape(0).with(axis, c.attr(2) - c.attr(1));
    },
    .eval = eval_of([]<class T>(const Args<T>& a) {
      const auto from = a.in_shapes[0]->split(static_cast<int>(a.attrs[0]));
      const std::int64_t run = (a.attrs[2] - a.attrs[1]) * from.inner;
      for (std::int64_t o = 0; o < from.outer; ++o)
        std::copy_n(a.in[0] + (o * from.along + a.attrs[1]) * from.inner, run, a.out + o * run);
    }),
    .vjp = [](const Step& s, Var g) -> Grads {
      const int axis = static_cast<int>(s.attr(0));
      return {place(g, axis, s.attr(1), s.shape(0)[axis])};
    },
};

// Attributes: axis, begin, extent.
constexpr OpDef place_op{
    .name = "place",
    .arity = 1,
    .kind = Kind::place,
    .shape = [](const Call& c) -> Shape {
      const int axis = static_cast<int>(c.attr(0));
      if (c.attr(1) < 0 || c.attr(1) + c.shape(0)[axis] > c.attr(2))
        c.fail(fmt::format("size {} at {} does not fit an extent of {}", c.shape(0)[axis], c.attr(1),
                           c.attr(2)));
      return c.shape(0).with(axis, c.attr(2));
    },
    .eval = eval_of([]<class T>(const Args<T>& a) {
      const auto to = a.out_shape->split(static_cast<int>(a.attrs[0]));
      const std::int64_t run = a.in_shapes[0]->split(static_cast<int>(a.attrs[0])).along * to.inner;
      std::fill_n(a.out, a.size(), T(0));
      for (std::int64_t o = 0; o < to.outer; ++o)
        std::copy_n(a.in[0] + o * run, run, a.out + (o * to.along + a.attrs[1]) * to.inner);
    }),
    .vjp = [](const Step& s, Var g) -> Grads {
      const int axis = static_cast<int>(s.attr(0));
      return {slice(g, axis, s.attr(1), s.attr(1) + s.shape(0)[axis])};
    },
};

// Attribute: axis.
constexpr OpDef concat_op{
    .name = "concat",
    .arity = OpDef::variadic,
    .kind = Kind::concat,
    .shape = [](const Call& c) -> Shape {
      const int axis = static_cast<int>(c.attr(0));
      std::int64_t along = 0;
      for (int i = 0; i < c.arity(); ++i) {
        if (c.shape(i).rank() != c.shape(0).rank() || c.shape(i).with(axis, 0) != c.shape(0).with(axis, 0))
          c.fail(fmt::format("shapes differ outside axis {}", axis));
        along += c.shape(i)[axis];
      }
      return c.shape(0).with(axis, along);
    },
    .eval = eval_of([]<class T>(const Args<T>& a) {
      const int axis = static_cast<int>(a.attrs[0]);
      const auto to = a.out_shape->split(axis);
      std::int64_t at = 0;
      for (std::size_t i = 0; i < a.in.size(); ++i) {
        const std::int64_t run = (*a.in_shapes[i])[axis] * to.inner;
        for (std::int64_t o = 0; o < to.outer; ++o)
          std::copy_n(a.in[i] + o * run, run, a.out + o * to.along * to.inner + at);
        at += run;
      }
    }),
    .vjp = [](const Step& s, Var g) -> Grads {
      const int axis = static_cast<int>(s.attr(0));
      Grads grads;
      std::int64_t at = 0;
      for (int i = 0; i < s.arity(); ++i) {
        const std::int64_t size = s.shape(i)[axis];
        grads.push_back(s.needs(i) ? slice(g, axis, at, at + size) : Var{});
        at += size;
      }
      return grads;
    },
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
  if (!x.is_number() && x.var().shape() == shape) return x.var();
  return record(broadcast_op, std::span(&x, 1), shape.dims());
}

Var sum_to(Operand x, const Shape& shape) {
  const Shape from = var_of("sum_to", x).shape();
  if (from == shape) return x.var();
  const auto joint = broadcast_shapes(from, shape);
  if (!joint || *joint != from)
    fail_shape("sum_to", fmt::format("shape {} does not broadcast to the operand's", shape.text()), {x.var()},
               x.where());
  std::vector<int> axes;
  const int lead = from.rank() - shape.rank();
  for (int i = 0; i < from.rank(); ++i)
    if (i < lead || (shape[i - lead] == 1 && from[i] != 1)) axes.push_back(i);
  return reshape(sum(x, Axes(axes)), shape);
}

Var reshape(Operand x, const Shape& shape) {
  if (!x.is_number() && x.var().shape() == shape) return x.var();
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
    *open = rest > 0 ? v.shape().size() / rest : 0;
  }
  return reshape(x, Shape(std::span<const std::int64_t>(dims.data(), dims.size())));
}

Var transpose(Operand x) {
  const int rank = var_of("transpose", x).shape().rank();
  if (rank < 2) fail_shape("transpose", "needs at least two axes", {x.var()}, x.where());
  std::vector<int> order(static_cast<std::size_t>(rank));
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

Var slice(Operand x, int axis, std::int64_t begin, std::int64_t end) {
  const Var v = var_of("slice", x);
  axis = axis_of("slice", v, axis, x.where());
  const std::int64_t size = v.shape()[axis];
  if (begin < 0) begin += size;
  if (end < 0) end += size;
  if (begin == 0 && end == size) return v;
  return record(slice_op, {x}, {axis, begin, end});
}

Var select(Operand x, int axis, std::int64_t i) {
  const Var v = var_of("select", x);
  axis = axis_of("select", v, axis, x.where());
  const std::int64_t size = v.shape()[axis];
  if (i < -size || i >= size)
    fail_shape("select", fmt::format("index {} does not exist in axis {} of size {}", i, axis, size), {v},
               x.where());
  if (i < 0) i += size;
  return reshape({slice(x, axis, i, i + 1), x.where()}, v.shape().without(axis));
}

Var place(Operand x, int axis, std::int64_t begin, std::int64_t extent) {
  const Var v = var_of("place", x);
  axis = axis_of("place", v, axis, x.where());
  if (begin == 0 && extent == v.shape()[axis]) return v;
  return record(place_op, {x}, {axis, begin, extent});
}

Var concat(std::span<const Var> parts, int axis, Where where) {
  if (parts.empty()) throw ShapeError("concat: needs at least one operand");
  axis = axis_of("concat", parts[0], axis, where);
  if (parts.size() == 1) return parts[0];
  const std::int64_t attr = axis;
  return parts[0].tape().add(concat_op, parts, Attrs(&attr, 1), where);
}

Var concat(std::initializer_list<Var> parts, int axis, Where where) {
  return concat(std::span(parts.begin(), parts.size()), axis, where);
}

Var stack(std::span<const Var> parts, int axis, Where where) {
  if (parts.empty()) throw ShapeError("stack: needs at least one operand");
  const int rank = parts[0].shape().rank();
  if (axis < -rank - 1 || axis > rank)
    fail_shape("stack", fmt::format("axis {} does not exist in an array of rank {}", axis, rank + 1),
               {parts[0]}, where);
  if (axis < 0) axis += rank + 1;
  Vars rows;
  for (const Var& p : parts) {
    if (p.shape() != parts[0].shape()) fail_shape("stack", "shapes differ", {parts[0], p}, where);
    rows.push_back(reshape({p, where}, p.shape().inserted(axis, 1)));
  }
  return concat(rows, axis, where);
}

Var stack(std::initializer_list<Var> parts, int axis, Where where) {
  return stack(std::span(parts.begin(), parts.size()), axis, where);
}

Vars split(Operand x, int n, int axis) {
  const Var v = var_of("split", x);
  axis = axis_of("split", v, axis, x.where());
  const std::int64_t size = v.shape()[axis];
  if (n < 1 || size % n != 0)
    fail_shape("split", fmt::format("axis {} of size {} does not split into {} equal parts", axis, size, n),
               {v}, x.where());
  Vars parts;
  for (std::int64_t i = 0; i < n; ++i) parts.push_back(slice(x, axis, i * (size / n), (i + 1) * (size / n)));
  return parts;
}

}  // namespace spool
