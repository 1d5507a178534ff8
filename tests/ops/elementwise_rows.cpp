// Rows of ops/elementwise. What happens at ties, kinks and infinities is in elementwise_test.cpp.
#include <cmath>
#include <functional>
#include <limits>

#include "op_table.hpp"

namespace spool::test {

namespace {

OpRow function(const char* name, Var (*f)(Operand), std::vector<Sample> samples, double (*reference)(double),
               Smooth smooth = Smooth::twice) {
  return {.name = name,
          .f = [f](Tape&, const Vars& in) { return f(in[0]); },
          .samples = std::move(samples),
          .reference = each(reference),
          .smooth = smooth};
}

OpRow of_two(const char* name, Var (*f)(Operand, Operand), double (*reference)(double, double),
             std::vector<Sample> samples = binary(), Smooth smooth = Smooth::twice) {
  const auto shapes_differ = [name = std::string(name), f] {
    return error(
        [f](Tape& t) {
          f(t.input(Tensor({2, 3}), "x"), t.input(Tensor({2})));
        },
        name + ": shapes do not broadcast\n  a  input \"x\"  [2, 3]\n  b  input      [2]");
  };
  return {.name = name,
          .f = [f](Tape&, const Vars& in) { return f(in[0], in[1]); },
          .samples = std::move(samples),
          .reference = each(reference),
          .errors = {shapes_differ()},
          .smooth = smooth};
}

// Small whole numbers, so that some pairs are equal.
OpRow comparison(const char* name, Var (*f)(Operand, Operand), double (*reference)(double, double)) {
  const auto numbers = [](const Shape& s) { return whole(s, 3); };
  return of_two(name, f, reference, binary(numbers, numbers), Smooth::no);
}

// Conditions of 0, 1 and 2, and choices of other shapes.
std::vector<Sample> choices() {
  return {{{whole({5}, 3), real({5}), real({5}, 3, 4)}},
          {{whole({2, 1}, {0, 2}), real({3}), real({})}},
          {{whole({3}, {1, 0, 1}), real({2, 1}), real({2, 3}, 3, 4)}},
          {{whole({}, std::vector<double>{1}), real({}), real({2})}},
          {{whole({0}, 2), real({0}), real({1})}}};
}

}  // namespace

std::vector<OpRow> elementwise_rows() {
  std::vector<OpRow> rows{
      of_two("add", operator+, [](double x, double y) { return x + y; }),
      of_two("sub", operator-, [](double x, double y) { return x - y; }),
      of_two("mul", operator*, [](double x, double y) { return x * y; }),
      of_two(
          "div", operator/, [](double x, double y) { return x / y; }, binary(0.5, 3)),
      of_two("pow", pow, std::pow, binary(0.3, 2)),
      of_two("maximum", maximum, [](double x, double y) { return std::max(x, y); }),
      of_two("minimum", minimum, [](double x, double y) { return std::min(x, y); }),
      comparison("eq", eq, [](double x, double y) { return x == y ? 1.0 : 0.0; }),
      comparison("ne", ne, [](double x, double y) { return x != y ? 1.0 : 0.0; }),
      comparison("lt", lt, [](double x, double y) { return x < y ? 1.0 : 0.0; }),
      comparison("le", le, [](double x, double y) { return x <= y ? 1.0 : 0.0; }),
      comparison("gt", gt, [](double x, double y) { return x > y ? 1.0 : 0.0; }),
      comparison("ge", ge, [](double x, double y) { return x >= y ? 1.0 : 0.0; }),
      comparison("logical_and", logical_and, [](double x, double y) { return x * y != 0 ? 1.0 : 0.0; }),
      comparison("logical_or", logical_or, [](double x, double y) { return x + y != 0 ? 1.0 : 0.0; }),
      function("neg", operator-, unary(), [](double x) { return -x; }),
      function("exp", exp, unary(-5, 3), std::exp),
      function("log", log, unary(0.1, 4), std::log),
      function("log1p", log1p, unary(-0.9, 4), std::log1p),
      function("expm1", expm1, unary(-5, 3), std::expm1),
      function("sqrt", sqrt, unary(0.1, 4), std::sqrt),
      function("rsqrt", rsqrt, unary(0.1, 4), [](double x) { return 1 / std::sqrt(x); }),
      function("square", square, unary(), [](double x) { return x * x; }),
      function("abs", abs, unary(-2, 2, {0}), std::abs),
      function(
          "sign", sign, unary(-2, 2, {0}), [](double x) { return std::copysign(1.0, x); }, Smooth::no),
      function("floor", floor, unary(-2.5, 2.5, {-2, -1, 0, 1, 2}), std::floor, Smooth::no),
      function("sin", sin, unary(-4, 4), std::sin),
      function("cos", cos, unary(-4, 4), std::cos),
      function("tanh", tanh, unary(-4, 4), std::tanh),
      of_two("tanh_grad", tanh_grad, [](double g, double y) { return g * (1 - y * y); }),
      function("erf", erf, unary(-3, 3), std::erf),
      function(
          "logical_not", logical_not, {{{whole({4}, 2)}}, {{whole({0}, 2)}}},
          [](double x) { return x == 0 ? 1.0 : 0.0; }, Smooth::no),
      function(
          "detach", detach, unary(), [](double x) { return x; }, Smooth::no),
  };
  const std::vector<OpRow> others{
      {.name = "add of one operand to itself",
       .f = [](Tape&, const Vars& in) { return in[0] + in[0]; },
       .samples = unary(),
       .reference = each([](double x) { return 2 * x; })},
      {.name = "number / x",
       .f = [](Tape&, const Vars& in) { return 3 / in[0]; },
       .samples = unary(-2, 2, {0}),
       .reference = each([](double x) { return 3 / x; })},
      {.name = "pow by a number",
       .f = [](Tape&, const Vars& in) { return pow(in[0], 3) + pow(in[0], -1.5) + pow(in[0], 2); },
       .samples = unary(0.5, 2),
       .reference = each([](double x) { return x * x * x + std::pow(x, -1.5) + x * x; })},
      {.name = "pow of a negative base by a number",
       .f = [](Tape&, const Vars& in) { return pow(in[0], 3); },
       .samples = unary(-2, -0.5),
       .reference = each([](double x) { return x * x * x; })},
      {.name = "clamp",
       .f = [](Tape&, const Vars& in) { return clamp(in[0], -0.7, 1.1); },
       .samples = unary(-2, 2, {-0.7, 1.1}),
       .reference = each([](double x) { return std::clamp(x, -0.7, 1.1); }),
       .errors = {error([](Tape& t) { clamp(t.input(Tensor({2})), 1, 0.5); },
                        "clamp: bounds 1 and 0.5 are no range"),
                  error([](Tape& t) { clamp(t.input(Tensor({2})), NAN, 1); },
                        "clamp: bounds nan and 1 are no range")}},
      {.name = "clamp from below only",
       .f = [](Tape&, const Vars& in) { return clamp(in[0], 0.5, std::numeric_limits<double>::infinity()); },
       .samples = unary(-2, 2, {0.5}),
       .reference = each([](double x) { return std::max(x, 0.5); })},
      {.name = "where",
       .f = [](Tape&, const Vars& in) { return where(in[0], in[1], in[2]); },
       .samples = choices(),
       .reference = each([](double cond, double a, double b) { return cond != 0 ? a : b; }),
       .errors = {error([](Tape& t) { where(t.input(Tensor({2})), t.input(Tensor({3})), 0); },
                        "where: shapes do not broadcast\n  a  input     [2]\n  b  input     [3]\n"
                        "  c  constant  []"),
                  error([](Tape&) { where(1, 2, 3); }, "where: no operand belongs to a tape")}},
  };
  rows.insert(rows.end(), others.begin(), others.end());
  return rows;
}

}  // namespace spool::test
