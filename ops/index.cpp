#include <spool/ops/elementwise.hpp>
#include <spool/ops/index.hpp>
#include <spool/ops/movement.hpp>
#include <spool/ops/record.hpp>
#include <spool/ops/whole.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace spool {

namespace {

// Attribute: axis. Operands x and index agree outside the axis.
constexpr OpDef gather_op{
    .name = "gather",
    .arity = 2,
    .kind = Kind::other,
    .shape = [](const Call& c) -> Shape {
      const int axis = static_cast<int>(c.attr(0));
      if (c.shape(0).with(axis, 0) != c.shape(1).with(axis, 0))
        c.fail(fmt::format("shapes differ outside axis {}", axis));
      return c.shape(1);
    },
    .eval = eval_of([]<class T>(const Args<T>& a) {
      const int axis = static_cast<int>(a.attrs[0]);
      const std::int64_t from = (*a.in_shapes[0])[axis];
      const auto to = a.out_shape->split(axis);
      const T *x = a.in[0], *index = a.in[1];
      std::int64_t n = 0;
      for (std::int64_t o = 0; o < to.outer; ++o, x += from * to.inner)
        for (std::int64_t i = 0; i < to.along; ++i)
          for (std::int64_t j = 0; j < to.inner; ++j, ++n)
            a.out[n] = x[detail::index(index[n], n, from) * to.inner + j];
    }),
    .vjp = [](const Step& s, Var g) -> Grads {
      const int axis = static_cast<int>(s.attr(0));
      return {scatter_add(g, s.in(1), axis, s.shape(0)[axis]), Var{}};
    },
    .divides = divides::unless_axis_0<3>,
};

// Attributes: axis, extent.
constexpr OpDef scatter_add_op{
    .name = "scatter_add",
    .arity = 2,
    .kind = Kind::other,
    .shape = [](const Call& c) -> Shape {
      if (c.shape(0) != c.shape(1)) c.fail("operand and index differ in shape");
      if (c.attr(1) < 0) c.fail(fmt::format("the extent {} is negative", c.attr(1)));
      return c.shape(0).with(static_cast<int>(c.attr(0)), c.attr(1));
    },
    .eval = eval_of([]<class T>(const Args<T>& a) {
      const auto from = a.in_shapes[0]->split(static_cast<int>(a.attrs[0]));
      const std::int64_t extent = a.attrs[1];
      std::fill_n(a.out, a.size(), T(0));
      const T *x = a.in[0], *index = a.in[1];
      T* out = a.out;
      std::int64_t n = 0;
      for (std::int64_t o = 0; o < from.outer; ++o, out += extent * from.inner)
        for (std::int64_t i = 0; i < from.along; ++i)
          for (std::int64_t j = 0; j < from.inner; ++j, ++n)
            out[detail::index(index[n], n, extent) * from.inner + j] += x[n];
    }),
    .vjp = [](const Step& s, Var g) -> Grads {
      return {gather(g, s.in(1), static_cast<int>(s.attr(0))), Var{}};
    },
    .divides = divides::unless_axis_0<3>,
};

Shape joined(const Shape& a, std::span<const std::int64_t> b) {
  boost::container::small_vector<std::int64_t, Shape::max_rank> dims(a.dims().begin(), a.dims().end());
  dims.insert(dims.end(), b.begin(), b.end());
  return Shape(std::span<const std::int64_t>(dims.data(), dims.size()));
}

constexpr OpDef take_rows_op{
    .name = "take_rows",
    .arity = 2,
    .kind = Kind::other,
    .shape = [](const Call& c) -> Shape {
      if (c.shape(0).rank() == 0) c.fail("a table needs at least one axis");
      return joined(c.shape(1), c.shape(0).dims().subspan(1));
    },
    .eval = eval_of([]<class T>(const Args<T>& a) {
      const auto table = a.in_shapes[0]->split(0);
      for (std::int64_t i = 0; i < a.in_size(1); ++i)
        std::copy_n(a.in[0] + detail::index(a.in[1][i], i, table.along) * table.inner, table.inner,
                    a.out + i * table.inner);
    }),
    .vjp = [](const Step& s, Var g) -> Grads {
      return {scatter_rows_add(g, s.in(1), s.shape(0)[0]), Var{}};
    },
    .divides = divides::always<2>,
    .row_map = RowMap::selects,
};

// Attribute: rows.
constexpr OpDef scatter_rows_add_op{
    .name = "scatter_rows_add",
    .arity = 2,
    .kind = Kind::other,
    .shape = [](const Call& c) -> Shape {
      const auto x = c.shape(0).dims(), index = c.shape(1).dims();
      if (x.size() < index.size() || !std::ranges::equal(x.first(index.size()), index))
        c.fail("the operand's shape does not start with the index's");
      if (c.attr(0) < 0) c.fail(fmt::format("the number of rows {} is negative", c.attr(0)));
      return joined({c.attr(0)}, x.subspan(index.size()));
    },
    .eval = eval_of([]<class T>(const Args<T>& a) {
      const auto table = a.out_shape->split(0);
      std::fill_n(a.out, a.size(), T(0));
      for (std::int64_t i = 0; i < a.in_size(1); ++i) {
        const T* row = a.in[0] + i * table.inner;
        T* to = a.out + detail::index(a.in[1][i], i, table.along) * table.inner;
        for (std::int64_t j = 0; j < table.inner; ++j) to[j] += row[j];
      }
    }),
    .vjp = [](const Step& s, Var g) -> Grads {
      return {take_rows(g, s.in(1)), Var{}};
    },
    .row_map = RowMap::adds,
};

// Attributes: depth, on, off.
constexpr OpDef one_hot_op{
    .name = "one_hot",
    .arity = 1,
    .kind = Kind::other,
    .shape = [](const Call& c) -> Shape {
      if (c.attr(0) < 0) c.fail(fmt::format("the depth {} is negative", c.attr(0)));
      return c.shape(0).inserted(c.shape(0).rank(), c.attr(0));
    },
    .eval = eval_of([]<class T>(const Args<T>& a) {
      const std::int64_t depth = a.attrs[0];
      std::fill_n(a.out, a.size(), static_cast<T>(unpack(a.attrs[2])));
      for (std::int64_t i = 0; i < a.in_size(0); ++i)
        a.out[i * depth + detail::index(a.in[0][i], i, depth)] = static_cast<T>(unpack(a.attrs[1]));
    }),
    .describe = [](Attrs a) { return fmt::format("{}, {} or {}", a[0], unpack(a[1]), unpack(a[2])); },
    .divides = divides::always<1>,
};

// Attribute: T. lengths [B] -> [T,B]: for each step and sequence the row of [T*B, ...] that reversing puts
// there.
constexpr OpDef reversed_rows_op{
    .name = "reversed_rows",
    .arity = 1,
    .kind = Kind::other,
    .shape = [](const Call& c) -> Shape {
      return {c.attr(0), c.shape(0)[0]};
    },
    .eval = eval_of([]<class T>(const Args<T>& a) {
      const std::int64_t steps = a.attrs[0], batch = a.in_size(0);
      for (std::int64_t b = 0; b < batch; ++b) {
        const std::int64_t length = detail::whole("length", a.in[0][b], b, 0, steps);
        for (std::int64_t t = 0; t < steps; ++t)
          a.out[t * batch + b] = static_cast<T>((t < length ? length - 1 - t : t) * batch + b);
      }
    }),
};

}  // namespace

Var gather(Operand x, Operand index, int axis) {
  const Var v = var_of("gather", x), i = var_of("gather", index);
  axis = axis_of("gather", v, axis, x.where());
  const Shape xs = v.shape(), is = i.shape();
  const auto joint =
      xs.rank() == is.rank() ? broadcast_shapes(xs.with(axis, 1), is.with(axis, 1)) : std::nullopt;
  if (!joint)
    fail_shape("gather", fmt::format("shapes do not broadcast outside axis {}", axis), {v, i}, x.where());
  return record(gather_op,
                {{broadcast_to(x, joint->with(axis, xs[axis])), x.where()},
                 {broadcast_to(index, joint->with(axis, is[axis])), x.where()}},
                {axis});
}

Var scatter_add(Operand x, Operand index, int axis, std::int64_t extent) {
  axis = axis_of("scatter_add", var_of("scatter_add", x), axis, x.where());
  return record(scatter_add_op, {x, index}, {axis, extent});
}

Var take_rows(Operand table, Operand index) { return record(take_rows_op, {table, index}); }

Var scatter_rows_add(Operand x, Operand index, std::int64_t rows) {
  return record(scatter_rows_add_op, {x, index}, {rows});
}

Var embedding(Operand weight, Operand index, std::optional<std::int64_t> padding) {
  const Var w = var_of("embedding", weight), i = var_of("embedding", index);
  if (w.shape().rank() != 2) fail_shape("embedding", "the weight must be [V,D]", {w, i}, weight.where());
  const CalledFrom from(w.tape(), weight.where());
  const Var rows = take_rows(w, i);
  if (!padding) return rows;
  const std::int64_t count = w.shape()[0], row = *padding < 0 ? *padding + count : *padding;
  if (row < 0 || row >= count)
    fail_shape("embedding", fmt::format("there is no row {} to pad with", *padding), {w, i}, weight.where());
  const Var is_word = ne(i, static_cast<double>(row));
  return spool::where(reshape(is_word, i.shape().inserted(i.shape().rank(), 1)), rows, detach(rows));
}

Var one_hot(Operand index, std::int64_t depth, double on, double off) {
  return record(one_hot_op, {index}, {depth, pack(on), pack(off)});
}

Var reverse_sequence(Operand xs, Operand lengths) {
  const Var x = var_of("reverse_sequence", xs), n = var_of("reverse_sequence", lengths);
  const Shape shape = x.shape();
  if (shape.rank() < 2 || n.shape() != Shape{shape[1]})
    fail_shape("reverse_sequence", "needs sequences [T,B,...] and lengths [B]", {x, n}, xs.where());
  if (x.tape().dtype() == DType::f32 && shape[0] * shape[1] > 1 << 24)
    fail_shape("reverse_sequence", "too many rows to be counted in a float; use a tape of f64", {x, n},
               xs.where());
  const CalledFrom from(x.tape(), xs.where());
  const Shape rows = shape.without(0).with(0, shape[0] * shape[1]);
  const Var order = record(reversed_rows_op, {n}, {shape[0]});
  return take_rows(reshape(x, rows), order);
}

}  // namespace spool
