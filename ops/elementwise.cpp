#include <spool/graph/error.hpp>
#include <spool/ops/elementwise.hpp>
#include <spool/ops/kernels/tile.hpp>
#include <spool/ops/record.hpp>

#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <numbers>

namespace spool {

namespace {

using kernels::Fn, kernels::tiled;

// --- arithmetic

constexpr OpDef add_op = [] {
  OpDef op = tiled<Fn::add, 2>(
      elementwise("add", 2, map([](auto x, auto y) { return x + y; }), [](const Step&, Var g) -> Grads {
        return {g, g};
      }));
  op.sums = true;
  return op;
}();

constexpr OpDef sub_op = tiled<Fn::sub, 2>(
    elementwise("sub", 2, map([](auto x, auto y) { return x - y; }), [](const Step& s, Var g) -> Grads {
      return {g, s.needs(1) ? -g : Var{}};
    }));

constexpr OpDef mul_op = tiled<Fn::mul, 2>(
    elementwise("mul", 2, map([](auto x, auto y) { return x * y; }), [](const Step& s, Var g) -> Grads {
      return {s.needs(0) ? g * s.in(1) : Var{}, s.needs(1) ? g * s.in(0) : Var{}};
    }));

constexpr OpDef div_op = tiled<Fn::div, 2>(
    elementwise("div", 2, map([](auto x, auto y) { return x / y; }), [](const Step& s, Var g) -> Grads {
      const Var gx = g / s.in(1);
      return {gx, s.needs(1) ? -(gx * s.out()) : Var{}};
    }));

constexpr OpDef neg_op = tiled<Fn::neg, 1>(
    elementwise("neg", 1, map([](auto x) { return -x; }), [](const Step&, Var g) -> Grads { return {-g}; }));

// With a number for exponent the rule is one line. With a Var, the operands are replaced where the plain
// formulas would multiply 0 by infinity: p x^(p-1) at x = p = 0, and x^p log(x) at x = 0 <= p.
Grads pow_vjp(const Step& s, Var g) {
  const Var x = s.in(0), p = s.in(1);
  if (is_constant(p.tape().op(p.id()))) {
    const double number = constant_value(p.tape(), p.id());
    return {number == 0 ? Var{} : g * (number * pow(x, number - 1)), {}};
  }
  Var gx, gp;
  if (s.needs(0)) gx = g * p * pow(x, where(logical_and(eq(x, 0), eq(p, 0)), 1, p) - 1);
  if (s.needs(1)) gp = g * s.out() * log(where(logical_and(eq(x, 0), ge(p, 0)), 1, x));
  return {gx, gp};
}

constexpr OpDef pow_op = elementwise("pow", 2, map([](auto x, auto p) {
                                       using std::pow;
                                       return pow(x, p);
                                     }),
                                     pow_vjp);

// --- functions of one number

constexpr OpDef exp_op =
    tiled<Fn::exp, 1>(elementwise("exp", 1, map([](auto x) {
                                    using std::exp;
                                    return exp(x);
                                  }),
                                  [](const Step& s, Var g) -> Grads { return {g * s.out()}; }));

constexpr OpDef log_op =
    tiled<Fn::log, 1>(elementwise("log", 1, map([](auto x) {
                                    using std::log;
                                    return log(x);
                                  }),
                                  [](const Step& s, Var g) -> Grads { return {g / s.in(0)}; }));

constexpr OpDef log1p_op =
    tiled<Fn::log1p, 1>(elementwise("log1p", 1, map([](auto x) {
                                      using std::log1p;
                                      return log1p(x);
                                    }),
                                    [](const Step& s, Var g) -> Grads { return {g / (1 + s.in(0))}; }));

// exp(x) rather than the result plus 1, which is all rounding error for a very negative x.
constexpr OpDef expm1_op =
    tiled<Fn::expm1, 1>(elementwise("expm1", 1, map([](auto x) {
                                      using std::expm1;
                                      return expm1(x);
                                    }),
                                    [](const Step& s, Var g) -> Grads { return {g * exp(s.in(0))}; }));

constexpr OpDef sqrt_op =
    tiled<Fn::sqrt, 1>(elementwise("sqrt", 1, map([](auto x) {
                                     using std::sqrt;
                                     return sqrt(x);
                                   }),
                                   [](const Step& s, Var g) -> Grads { return {g / (2 * s.out())}; }));

constexpr OpDef rsqrt_op = tiled<Fn::rsqrt, 1>(
    elementwise("rsqrt", 1, map([](auto x) {
                  using std::sqrt;
                  return 1 / sqrt(x);
                }),
                [](const Step& s, Var g) -> Grads { return {-0.5 * g * (s.out() * square(s.out()))}; }));

constexpr OpDef square_op =
    tiled<Fn::square, 1>(elementwise("square", 1, map([](auto x) { return x * x; }),
                                     [](const Step& s, Var g) -> Grads { return {g * (2 * s.in(0))}; }));

constexpr OpDef abs_op =
    tiled<Fn::abs, 1>(elementwise("abs", 1, map([](auto x) {
                                    using std::abs;
                                    return abs(x);
                                  }),
                                  [](const Step& s, Var g) -> Grads { return {g * sign(s.in(0))}; }));

constexpr OpDef sign_op =
    tiled<Fn::sign, 1>(elementwise("sign", 1, map([](auto x) {
                                     using T = decltype(x);
                                     return x > 0 ? T(1) : x < 0 ? T(-1) : x == 0 ? T(0) : x;
                                   })));

constexpr OpDef floor_op = tiled<Fn::floor, 1>(elementwise("floor", 1, map([](auto x) {
                                                             using std::floor;
                                                             return floor(x);
                                                           })));

constexpr OpDef sin_op =
    tiled<Fn::sin, 1>(elementwise("sin", 1, map([](auto x) {
                                    using std::sin;
                                    return sin(x);
                                  }),
                                  [](const Step& s, Var g) -> Grads { return {g * cos(s.in(0))}; }));

constexpr OpDef cos_op =
    tiled<Fn::cos, 1>(elementwise("cos", 1, map([](auto x) {
                                    using std::cos;
                                    return cos(x);
                                  }),
                                  [](const Step& s, Var g) -> Grads { return {-(g * sin(s.in(0)))}; }));

constexpr OpDef tanh_grad_op = tiled<Fn::tanh_grad, 2>(elementwise(
    "tanh_grad", 2, map([](auto g, auto y) { return g * (1 - y * y); }), [](const Step& s, Var g) -> Grads {
      return {s.needs(0) ? tanh_grad(g, s.in(1)) : Var{}, s.needs(1) ? -2 * (g * s.in(0) * s.in(1)) : Var{}};
    }));

constexpr OpDef tanh_op =
    tiled<Fn::tanh, 1>(elementwise("tanh", 1, map([](auto x) {
                                     using std::tanh;
                                     return tanh(x);
                                   }),
                                   [](const Step& s, Var g) -> Grads { return {tanh_grad(g, s.out())}; }));

constexpr OpDef erf_op =
    tiled<Fn::erf, 1>(elementwise("erf", 1, map([](auto x) {
                                    using std::erf;
                                    return erf(x);
                                  }),
                                  [](const Step& s, Var g) -> Grads {
                                    return {g * (2 * std::numbers::inv_sqrtpi * exp(-square(s.in(0))))};
                                  }));

// --- choices

// What maximum and minimum give back: all to the operand that won, half to each of two equal ones.
Grads to_the_winner(const Step& s, Var g, bool larger_wins) {
  const Var share = where(eq(s.in(0), s.in(1)), 0.5 * g, g);
  const auto grad_of = [&](int i) {
    if (!s.needs(i)) return Var{};
    const Var mine = s.in(i), other = s.in(1 - i);
    return where(larger_wins ? lt(mine, other) : lt(other, mine), 0, share);
  };
  return {grad_of(0), grad_of(1)};
}

constexpr OpDef maximum_op = tiled<Fn::maximum, 2>(
    elementwise("maximum", 2, map([](auto x, auto y) { return x > y || x != x ? x : y; }),
                [](const Step& s, Var g) { return to_the_winner(s, g, true); }));

constexpr OpDef minimum_op = tiled<Fn::minimum, 2>(
    elementwise("minimum", 2, map([](auto x, auto y) { return x < y || x != x ? x : y; }),
                [](const Step& s, Var g) { return to_the_winner(s, g, false); }));

// Attributes: low, high. The result equals the operand exactly where that lies within the bounds.
constexpr OpDef clamp_op = tiled<Fn::clamp, 1>(elementwise(
    "clamp", 1, map_with<2>([](auto x, auto low, auto high) { return x < low    ? low
                                                                     : x > high ? high
                                                                                : x; }),
    [](const Step& s, Var g) -> Grads { return {where(eq(s.in(0), s.out()), g, 0)}; }, describe_numbers));

constexpr OpDef where_op = tiled<Fn::where, 3>(elementwise(
    "where", 3, map([](auto cond, auto a, auto b) { return cond != 0 ? a : b; }),
    [](const Step& s, Var g) -> Grads {
      return {{}, s.needs(1) ? where(s.in(0), g, 0) : Var{}, s.needs(2) ? where(s.in(0), 0, g) : Var{}};
    }));

template <Fn fn, class F>
constexpr OpDef comparison(const char* name, F) {
  return tiled<fn, 2>(
      elementwise(name, 2, map([](auto x, auto y) { return decltype(x)(F{}(x, y) ? 1 : 0); })));
}
constexpr OpDef eq_op = comparison<Fn::eq>("eq", std::equal_to<>{});
constexpr OpDef ne_op = comparison<Fn::ne>("ne", std::not_equal_to<>{});
constexpr OpDef lt_op = comparison<Fn::lt>("lt", std::less<>{});
constexpr OpDef le_op = comparison<Fn::le>("le", std::less_equal<>{});
constexpr OpDef gt_op = comparison<Fn::gt>("gt", std::greater<>{});
constexpr OpDef ge_op = comparison<Fn::ge>("ge", std::greater_equal<>{});
constexpr OpDef logical_and_op = comparison<Fn::logical_and>("logical_and", std::logical_and<>{});
constexpr OpDef logical_or_op = comparison<Fn::logical_or>("logical_or", std::logical_or<>{});

constexpr OpDef detach_op = tiled<Fn::copy, 1>(elementwise("detach", 1, map([](auto x) { return x; })));

}  // namespace

Var operator+(Operand a, Operand b) { return record_broadcast(add_op, {a, b}); }
Var operator-(Operand a, Operand b) { return record_broadcast(sub_op, {a, b}); }
Var operator*(Operand a, Operand b) { return record_broadcast(mul_op, {a, b}); }
Var operator/(Operand a, Operand b) { return record_broadcast(div_op, {a, b}); }
Var operator-(Operand x) { return record(neg_op, x); }

Var pow(Operand x, Operand p) {
  if (p.is_number() && p.number() == 1) return var_of("pow", x);
  if (p.is_number() && p.number() == 2) return square(x);
  return record_broadcast(pow_op, {x, p});
}

Var exp(Operand x) { return record(exp_op, x); }
Var log(Operand x) { return record(log_op, x); }
Var log1p(Operand x) { return record(log1p_op, x); }
Var expm1(Operand x) { return record(expm1_op, x); }
Var sqrt(Operand x) { return record(sqrt_op, x); }
Var rsqrt(Operand x) { return record(rsqrt_op, x); }
Var square(Operand x) { return record(square_op, x); }
Var abs(Operand x) { return record(abs_op, x); }
Var sign(Operand x) { return record(sign_op, x); }
Var floor(Operand x) { return record(floor_op, x); }
Var sin(Operand x) { return record(sin_op, x); }
Var cos(Operand x) { return record(cos_op, x); }
Var tanh(Operand x) { return record(tanh_op, x); }
Var tanh_grad(Operand g, Operand y) { return record_broadcast(tanh_grad_op, {g, y}); }
Var erf(Operand x) { return record(erf_op, x); }

Var minimum(Operand a, Operand b) { return record_broadcast(minimum_op, {a, b}); }
Var maximum(Operand a, Operand b) { return record_broadcast(maximum_op, {a, b}); }

Var clamp(Operand x, double low, double high) {
  if (!(low <= high)) throw TapeError(fmt::format("clamp: bounds {} and {} are no range", low, high));
  return record(clamp_op, {x}, {pack(low), pack(high)});
}

Var eq(Operand a, Operand b) { return record_broadcast(eq_op, {a, b}); }
Var ne(Operand a, Operand b) { return record_broadcast(ne_op, {a, b}); }
Var lt(Operand a, Operand b) { return record_broadcast(lt_op, {a, b}); }
Var le(Operand a, Operand b) { return record_broadcast(le_op, {a, b}); }
Var gt(Operand a, Operand b) { return record_broadcast(gt_op, {a, b}); }
Var ge(Operand a, Operand b) { return record_broadcast(ge_op, {a, b}); }
Var logical_and(Operand a, Operand b) { return record_broadcast(logical_and_op, {a, b}); }
Var logical_or(Operand a, Operand b) { return record_broadcast(logical_or_op, {a, b}); }
Var logical_not(Operand x) { return eq(x, {0, x.where()}); }

Var where(Operand cond, Operand a, Operand b) { return record_broadcast(where_op, {cond, a, b}); }

Var detach(Operand x) { return record(detach_op, x); }

}  // namespace spool
