#include <spool/ops/kernels/gemm.hpp>
#include <spool/ops/kernels/packed.hpp>
#include <spool/ops/matmul.hpp>
#include <spool/ops/movement.hpp>
#include <spool/ops/record.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

namespace spool {

namespace {

std::int64_t last(const Shape& s, int from_end) { return s[s.rank() - from_end]; }

// c = op(a) op(b) with op(x) = x or its transpose, as the flags say.
kernels::Gemm sizes(const Shape& a, const Shape& b, Attrs flags) {
  const bool ta = flags[0] != 0, tb = flags[1] != 0;
  return {ta, tb, last(a, ta ? 1 : 2), last(b, tb ? 2 : 1), last(a, ta ? 2 : 1)};
}

template <class T>
constexpr ProductKernels<T> packed_kernels() {
  return {
      .panels = kernels::panels<T>,
      .packed_size = kernels::packed_size<T>,
      .pack = kernels::pack<T>,
      .rows = kernels::rows_product<T>,
      .rows_as_is = kernels::rows_product_as_is<T>,
      .packing_pays = kernels::packing_pays<T>,
      .sum =
          [](const LongRows<T>& s, std::int64_t first, std::int64_t last, T* scratch) {
            std::array<kernels::LongRight<T>, LongRows<T>::most_rights> rights;
            std::ranges::transform(s.rights, rights.begin(), [](const LongRight<T>& r) {
              return kernels::LongRight<T>{r.b, r.n, r.c, r.ldc};
            });
            kernels::long_product<T>(
                {s.a, s.rows, s.m, {rights.data(), s.rights.size()}, s.sums, s.accumulate}, first, last,
                scratch);
          },
      .sum_parts = kernels::long_parts<T>,
      .sum_scratch = kernels::long_scratch<T>,
  };
}
constexpr Product packed_product{packed_kernels<float>(), packed_kernels<double>()};

Var product(Var x, bool tx, Var y, bool ty);

// Attributes: a is transposed, b is transposed. Leading axes are equal.
constexpr OpDef matmul_op{
    .name = "matmul",
    .arity = 2,
    .kind = Kind::product,
    .shape = [](const Call& c) -> Shape {
      const Shape &a = c.shape(0), &b = c.shape(1);
      const kernels::Gemm g = sizes(a, b, c.attrs());
      if (g.k != last(b, g.tb ? 1 : 2)) c.fail("inner dimensions differ");
      return a.with(a.rank() - 2, g.m).with(a.rank() - 1, g.n);
    },
    .eval = eval_of([]<class T>(const Args<T>& args) {
      const kernels::Gemm g = sizes(*args.in_shapes[0], *args.in_shapes[1], args.attrs);
      const std::int64_t each = g.m * g.n;
      const std::int64_t batch = each == 0 ? 0 : args.size() / each;
      for (std::int64_t i = 0; i < batch; ++i) {
        const T *a = args.in[0] + i * g.m * g.k, *b = args.in[1] + i * g.k * g.n;
        if constexpr (std::is_same_v<T, Quad>)
          kernels::gemm_plain(g, a, b, args.out + i * each);
        else
          kernels::gemm(g, a, b, args.out + i * each);
      }
    }),
    .vjp = [](const Step& s, Var g) -> Grads {
      const bool ta = s.attr(0) != 0, tb = s.attr(1) != 0;
      const Var a = s.in(0), b = s.in(1);
      // With A = op(a), B = op(b), C = A B:  dA = dC Bt, dB = At dC; the flags say whether to transpose back.
      Grads grads(2);
      if (s.needs(0)) grads[0] = ta ? product(b, tb, g, true) : product(g, false, b, !tb);
      if (s.needs(1)) grads[1] = tb ? product(g, true, a, ta) : product(a, !ta, g, false);
      return grads;
    },
    .describe = [](Attrs a) { return fmt::format("{}{}", a[0] != 0 ? "T" : "N", a[1] != 0 ? "T" : "N"); },
    .product = &packed_product,
};

// The operand under a transpose of its last two axes, where there is one.
std::optional<Var> under_transpose(Var v) {
  Tape& tape = v.tape();
  const std::uint32_t id = v.id();
  if (tape.op(id).kind != Kind::movement || tape.operands(id).size() != 1) return std::nullopt;
  const Var inner = tape.at(tape.operands(id)[0]);
  if (inner.shape().rank() < 2 || transpose(inner) != v) return std::nullopt;
  return inner;
}

// Of matrices, or as many of each: either as it is, or transposed.
Var product(Var x, bool tx, Var y, bool ty) {
  if (const auto inner = under_transpose(x)) x = *inner, tx = !tx;
  if (const auto inner = under_transpose(y)) y = *inner, ty = !ty;
  return record(matmul_op, {x, y}, {tx, ty});
}

}  // namespace

Var matmul(Operand a, Operand b) {
  Var x = var_of("matmul", a), y = var_of("matmul", b);
  if (x.shape().rank() < 2 || y.shape().rank() < 2)
    fail_shape("matmul", "each operand needs at least two axes", {x, y}, a.where());
  bool ta = false, tb = false;
  if (const auto inner = under_transpose(x)) x = *inner, ta = true;
  if (const auto inner = under_transpose(y)) y = *inner, tb = true;

  if (x.shape().rank() == 2 && y.shape().rank() == 2)
    return record(matmul_op, {{x, a.where()}, {y, b.where()}}, {ta, tb});

  const auto lead = [](const Shape& s) {
    return Shape(s.dims().first(static_cast<std::size_t>(s.rank() - 2)));
  };
  const Shape lx = lead(x.shape()), ly = lead(y.shape());
  if (ly.rank() == 0 && lx.rank() > 0 && !ta) {  // one matrix for all: a single product over all rows
    const Shape xs = x.shape();
    const std::int64_t count = xs.without(xs.rank() - 1).size();  // also right where the last axis is empty
    const Var rows = reshape({x, a.where()}, {count, xs.back()});
    const Var product = record(matmul_op, {{rows, a.where()}, {y, b.where()}}, {0, tb});
    return reshape({product, a.where()}, xs.with(xs.rank() - 1, product.shape()[1]));
  }
  if (lx != ly) {
    const auto joint = broadcast_shapes(lx, ly);
    if (!joint) fail_shape("matmul", "leading axes do not broadcast", {x, y}, a.where());
    const auto spread = [&](Var v, const Where& where) {
      Shape s = *joint;
      s = s.inserted(s.rank(), last(v.shape(), 2));
      return broadcast_to({v, where}, s.inserted(s.rank(), v.shape().back()));
    };
    x = spread(x, a.where());
    y = spread(y, b.where());
  }
  return record(matmul_op, {{x, a.where()}, {y, b.where()}}, {ta, tb});
}

}  // namespace spool
