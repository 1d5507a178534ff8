#include <spool/graph/error.hpp>
#include <spool/ops/activation.hpp>
#include <spool/ops/elementwise.hpp>
#include <spool/ops/kernels/tile.hpp>
#include <spool/ops/record.hpp>

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <numbers>

namespace spool {

namespace {

using kernels::Fn, kernels::tiled;

constexpr double infinity = std::numeric_limits<double>::infinity();

constexpr OpDef sigmoid_grad_op = tiled<Fn::sigmoid_grad, 2>(
    elementwise("sigmoid_grad", 2, map([](auto g, auto y) { return g * y * (1 - y); }),
                [](const Step& s, Var g) -> Grads {
                  return {s.needs(0) ? sigmoid_grad(g, s.in(1)) : Var{},
                          s.needs(1) ? g * s.in(0) * (1 - 2 * s.in(1)) : Var{}};
                }));

// Only exp of numbers <= 0 is taken: it can't overflow, and e / (1 + e) keeps all digits of a tiny result.
constexpr OpDef sigmoid_op = tiled<Fn::sigmoid, 1>(
    elementwise("sigmoid", 1, map([](auto x) {
                  using std::exp;
                  const auto e = exp(x < 0 ? x : -x);
                  return (x < 0 ? e : decltype(x)(1)) / (1 + e);
                }),
                [](const Step& s, Var g) -> Grads { return {sigmoid_grad(g, s.out())}; }));

// The result is non-zero exactly where the gradient passes.
constexpr OpDef relu_op =
    tiled<Fn::relu, 1>(elementwise("relu", 1, map([](auto x) { return x < 0 ? decltype(x)(0) : x; }),
                                   [](const Step& s, Var g) -> Grads { return {where(s.out(), g, 0)}; }));

// Attribute: slope.
constexpr OpDef leaky_relu_op = tiled<Fn::leaky_relu, 1>(elementwise(
    "leaky_relu", 1, map_with<1>([](auto x, auto slope) { return x > 0 ? x : slope * x; }),
    [](const Step& s, Var g) -> Grads { return {where(gt(s.in(0), 0), g, unpack(s.attr(0)) * g)}; },
    describe_numbers));

// Attribute: alpha. Below 0 the derivative is alpha exp(x) = y + alpha, which has no exp to overflow above 0.
constexpr OpDef elu_op = tiled<Fn::elu, 1>(elementwise(
    "elu", 1, map_with<1>([](auto x, auto alpha) {
      using std::expm1;
      return x > 0 ? x : alpha * expm1(x);
    }),
    [](const Step& s, Var g) -> Grads {
      return {where(gt(s.in(0), 0), g, g * (s.out() + unpack(s.attr(0))))};
    },
    describe_numbers));

// Attributes: beta, threshold. log(1 + exp(z)) = max(z, 0) + log(1 + exp(-|z|)).
constexpr OpDef softplus_op = tiled<Fn::softplus, 1>(elementwise(
    "softplus", 1, map_with<2>([](auto x, auto beta, auto threshold) {
      using std::exp, std::log1p;
      const auto z = beta * x;
      if (z > threshold) return x;
      return ((z > 0 ? z : decltype(x)(0)) + log1p(exp(z > 0 ? -z : z))) / beta;
    }),
    [](const Step& s, Var g) -> Grads {
      const Var z = s.in(0) * unpack(s.attr(0));
      const double threshold = unpack(s.attr(1));
      const Var smooth = g * sigmoid(z);
      return {threshold == infinity ? smooth : where(gt(z, threshold), g, smooth)};
    },
    describe_numbers));

// Attributes: low, high.
constexpr OpDef hard_tanh_op = tiled<Fn::clamp, 1>(elementwise(
    "hard_tanh", 1, map_with<2>([](auto x, auto low, auto high) {
      return x < low ? low : x > high ? high : x;
    }),
    [](const Step& s, Var g) -> Grads {
      const Var x = s.in(0);
      const Var inside = logical_and(gt(x, unpack(s.attr(0))), lt(x, unpack(s.attr(1))));
      return {where(inside, g, 0)};
    },
    describe_numbers));

// Opens a function of several ops: the operand as a Var, and the line of the program for errors.
struct Composed {
  Composed(const char* name, const Operand& operand)
      : x(var_of(name, operand)), from(x.tape(), operand.where()) {}
  Var x;
  CalledFrom from;
};

}  // namespace

Var sigmoid(Operand x) { return record(sigmoid_op, x); }
Var sigmoid_grad(Operand g, Operand y) { return record_broadcast(sigmoid_grad_op, {g, y}); }
Var relu(Operand x) { return record(relu_op, x); }
Var leaky_relu(Operand x, double slope) { return record(leaky_relu_op, {x}, {pack(slope)}); }
Var elu(Operand x, double alpha) { return record(elu_op, {x}, {pack(alpha)}); }

Var softplus(Operand x, double beta, double threshold) {
  if (beta == 0) throw TapeError("softplus: beta must not be 0");
  return record(softplus_op, {x}, {pack(beta), pack(threshold)});
}

Var log_sigmoid(Operand x) {
  const Composed c("log_sigmoid", x);
  return -softplus(-c.x, 1, infinity);
}

Var hard_sigmoid(Operand x, double slope, double offset) {
  const Composed c("hard_sigmoid", x);
  return hard_tanh(affine(c.x, slope, offset), 0, 1);
}

Var thresholded_relu(Operand x, double alpha) {
  const Composed c("thresholded_relu", x);
  return where(gt(c.x, alpha), c.x, 0);
}

Var selu(Operand x, double alpha, double gamma) {
  const Composed c("selu", x);
  return gamma * elu(c.x, alpha);
}

Var gelu(Operand x, Gelu form) {
  const Composed c("gelu", x);
  constexpr double inv_sqrt2 = std::numbers::sqrt2 / 2;
  if (form == Gelu::erf) return 0.5 * c.x * (1 + erf(inv_sqrt2 * c.x));
  // 0.5 (1 + tanh(u)) is sigmoid(2u), which keeps the digits of a tiny result.
  constexpr double scale = 2 * std::numbers::inv_sqrtpi * std::numbers::sqrt2;  // 2 sqrt(2 / pi)
  return c.x * sigmoid(scale * (c.x + 0.044715 * c.x * square(c.x)));
}

Var silu(Operand x) {
  const Composed c("silu", x);
  return c.x * sigmoid(c.x);
}

Var hard_tanh(Operand x, double low, double high) {
  if (!(low <= high)) throw TapeError(fmt::format("hard_tanh: bounds {} and {} are no range", low, high));
  return record(hard_tanh_op, {x}, {pack(low), pack(high)});
}

Var softsign(Operand x) {
  const Composed c("softsign", x);
  return c.x / (1 + abs(c.x));
}

Var affine(Operand x, double alpha, double beta) {
  const Composed c("affine", x);
  return alpha * c.x + beta;
}

Var scaled_tanh(Operand x, double alpha, double beta) {
  const Composed c("scaled_tanh", x);
  return alpha * tanh(beta * c.x);
}

}  // namespace spool
