// The cutting and joining half of movement.hpp.
#include <spool/graph/error.hpp>
#include <spool/ops/movement.hpp>
#include <spool/ops/record.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace spool {

namespace {

// Attributes: axis, begin, end.
constexpr OpDef slice_op{
    .name = "slice",
    .arity = 1,
    .kind = Kind::slice,
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
    .divides = divides::unless_axis_0<1>,
};

// Attributes: axis, begin, extent.
constexpr OpDef place_op{
    .name = "place",
    .arity = 1,
    .kind = Kind::place,
    .shape = [](const Call& c) -> Shape {
      const int axis = static_cast<int>(c.attr(0));
      if (c.attr(1) < 0 || c.attr(1) > c.attr(2) - c.shape(0)[axis])
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
    .divides = divides::unless_axis_0<1>,
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
      Grads grads = s.grads();
      grads.reserve(static_cast<std::size_t>(s.arity()));
      std::int64_t at = 0;
      for (int i = 0; i < s.arity(); ++i) {
        const std::int64_t size = s.shape(i)[axis];
        grads.push_back(s.needs(i) ? slice(g, axis, at, at + size) : Var{});
        at += size;
      }
      return grads;
    },
    .divides = divides::unless_axis_0<~0U>,
};

}  // namespace

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

Var pad(Operand x, std::span<const Padding> padding, double value) {
  Var v = var_of("pad", x);
  const Where& where = x.where();
  if (static_cast<int>(padding.size()) != v.shape().rank())
    fail_shape("pad", fmt::format("needs {{before, after}} for each axis, not {} of them", padding.size()),
               {v}, where);
  const CalledFrom from(v.tape(), where);
  for (int axis = 0; axis < static_cast<int>(padding.size()); ++axis) {
    const auto [before, after] = padding[static_cast<std::size_t>(axis)];
    if (before < 0 || after < 0)
      fail_shape("pad",
                 fmt::format("the padding {{{}, {}}} of axis {} is negative; use slice", before, after, axis),
                 {x.var()}, where);
    const Shape shape = v.shape();
    if (value == 0) {
      v = place(v, axis, before, before + shape[axis] + after);
      continue;
    }
    Vars parts;
    if (before > 0) parts.push_back(v.tape().constant(value, shape.with(axis, before)));
    parts.push_back(v);
    if (after > 0) parts.push_back(v.tape().constant(value, shape.with(axis, after)));
    v = concat(parts, axis);
  }
  return v;
}

Var pad(Operand x, std::initializer_list<Padding> padding, double value) {
  return pad(x, std::span(padding.begin(), padding.size()), value);
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
  Tape& tape = tape_of("stack", {Operand(parts[0], where)});
  const Shape& shape = parts[0].shape();
  const int rank = shape.rank();
  if (axis < -rank - 1 || axis > rank)
    fail_shape("stack", fmt::format("axis {} does not exist in an array of rank {}", axis, rank + 1),
               {parts[0]}, where);
  if (axis < 0) axis += rank + 1;
  for (const Var& p : parts) {
    tape.check(p, "stack", where);
    if (p.shape() != shape) fail_shape("stack", "shapes differ", {parts[0], p}, where);
  }
  const Shape stacked = shape.inserted(axis, static_cast<std::int64_t>(parts.size()));
  if (axis < rank)  // the joined axis is then taken apart: one reshape instead of one for each part
    return reshape({concat(parts, axis, where), where}, stacked);
  std::pmr::vector<Var> columns(&tape.scratch());
  columns.reserve(parts.size());
  for (const Var& p : parts) columns.push_back(reshape({p, where}, shape.inserted(axis, 1)));
  return concat(columns, axis, where);
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
