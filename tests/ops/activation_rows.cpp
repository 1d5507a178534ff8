// Rows of ops/activation. Kinks, +-1e4 and NaN are in elementwise_test.cpp.
#include <cmath>
#include <limits>

#include "op_table.hpp"

namespace spool::test {

namespace {

// An activation with its default parameters; `kinks` are places without a derivative.
OpRow activation(const char* name, Var (*f)(Operand), double (*reference)(double),
                 std::vector<double> kinks = {}, double range = 4) {
  return {.name = name,
          .f = [f](Tape&, const Vars& in) { return f(in[0]); },
          .samples = unary(-range, range, std::move(kinks)),
          .reference = each(reference)};
}

double logistic(double x) { return 1 / (1 + std::exp(-x)); }
double elu_of(double x, double alpha) { return x > 0 ? x : alpha * (std::exp(x) - 1); }

}  // namespace

std::vector<OpRow> activation_rows() {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  std::vector<OpRow> rows{
      activation("sigmoid", sigmoid, logistic, {}, 6),
      {.name = "sigmoid_grad",
       .f = [](Tape&, const Vars& in) { return sigmoid_grad(in[0], in[1]); },
       .samples = binary(),
       .reference = each([](double g, double y) { return g * y * (1 - y); })},
      activation("log_sigmoid", log_sigmoid, [](double x) { return std::log(logistic(x)); }),
      activation(
          "hard_sigmoid", [](Operand x) { return hard_sigmoid(x); },
          [](double x) { return std::clamp(x / 6 + 0.5, 0.0, 1.0); }, {-3, 3}),
      activation(
          "hard_sigmoid as in Keras", [](Operand x) { return hard_sigmoid(x, 0.2); },
          [](double x) { return std::clamp(0.2 * x + 0.5, 0.0, 1.0); }, {-2.5, 2.5}),
      activation("relu", relu, [](double x) { return std::max(x, 0.0); }, {0}),
      activation(
          "leaky_relu", [](Operand x) { return leaky_relu(x); },
          [](double x) { return x > 0 ? x : 0.01 * x; }, {0}),
      activation(
          "thresholded_relu", [](Operand x) { return thresholded_relu(x, 0.5); },
          [](double x) { return x > 0.5 ? x : 0.0; }, {0.5}),
      activation(
          "elu", [](Operand x) { return elu(x, 1.5); }, [](double x) { return elu_of(x, 1.5); }, {0}),
      activation(
          "selu", [](Operand x) { return selu(x); },
          [](double x) { return 1.0507009873554805 * elu_of(x, 1.6732632423543772); }, {0}),
      activation(
          "gelu", [](Operand x) { return gelu(x); },
          [](double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); }),
      activation(
          "gelu by tanh", [](Operand x) { return gelu(x, Gelu::tanh); },
          [](double x) {
            return x * logistic(2 * std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x));
          }),
      activation("silu", silu, [](double x) { return x * logistic(x); }),
      activation(
          "softplus", [](Operand x) { return softplus(x); },
          [](double x) { return std::log1p(std::exp(x)); }),
      activation(
          "softplus above its threshold", [](Operand x) { return softplus(x, 3, 2); },
          [](double x) { return 3 * x > 2 ? x : std::log1p(std::exp(3 * x)) / 3; }, {2.0 / 3}),
      activation(
          "softplus without a threshold", [](Operand x) { return softplus(x, -1, infinity); },
          [](double x) { return -std::log1p(std::exp(-x)); }),
      activation(
          "hard_tanh", [](Operand x) { return hard_tanh(x, -0.5, 2); },
          [](double x) { return std::clamp(x, -0.5, 2.0); }, {-0.5, 2}),
      activation("softsign", softsign, [](double x) { return x / (1 + std::abs(x)); }, {0}),
      activation(
          "affine", [](Operand x) { return affine(x, -2, 0.25); }, [](double x) { return 0.25 - 2 * x; }),
      activation(
          "scaled_tanh", [](Operand x) { return scaled_tanh(x, 1.7, 0.6); },
          [](double x) { return 1.7 * std::tanh(0.6 * x); }),
  };
  rows[0].errors = {error([](Tape&) { sigmoid(0.5); }, "sigmoid: no operand belongs to a tape")};
  for (OpRow& row : rows) {
    if (row.name == "softplus")
      row.errors = {
          error([](Tape& t) { softplus(t.input(Tensor({2})), 0); }, "softplus: beta must not be 0")};
    if (row.name == "gelu") row.ulps = 64;  // 1 + erf(x) has few digits where erf is near -1
    if (row.name == "hard_tanh")
      row.errors = {error([](Tape& t) { hard_tanh(t.input(Tensor({2})), 2, 1); },
                          "hard_tanh: bounds 2 and 1 are no range")};
  }
  return rows;
}

}  // namespace spool::test
