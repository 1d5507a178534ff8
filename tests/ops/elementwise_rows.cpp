// Rows of ops/elementwise.
#include <cmath>

#include "op_table.hpp"

namespace spool::test {

std::vector<OpRow> elementwise_rows() {
  const auto shapes_differ = [](const char* name, Var (*f)(Operand, Operand)) {
    return error(
        [f](Tape& t) {
          f(t.input(Tensor({2, 3}), "x"), t.input(Tensor({2})));
        },
        std::string(name) + ": shapes do not broadcast\n  a  input \"x\"  [2, 3]\n  b  input      [2]");
  };
  return {
      {.name = "add",
       .f = [](Tape&, const Vars& in) { return in[0] + in[1]; },
       .samples = binary(),
       .reference = each([](double x, double y) { return x + y; }),
       .errors = {shapes_differ("add", operator+)}},
      {.name = "add of one operand to itself",
       .f = [](Tape&, const Vars& in) { return in[0] + in[0]; },
       .samples = unary(),
       .reference = each([](double x) { return 2 * x; })},
      {.name = "sub",
       .f = [](Tape&, const Vars& in) { return in[0] - in[1]; },
       .samples = binary(),
       .reference = each([](double x, double y) { return x - y; }),
       .errors = {shapes_differ("sub", operator-)}},
      {.name = "mul",
       .f = [](Tape&, const Vars& in) { return in[0] * in[1]; },
       .samples = binary(),
       .reference = each([](double x, double y) { return x * y; }),
       .errors = {shapes_differ("mul", operator*)}},
      {.name = "div",
       .f = [](Tape&, const Vars& in) { return in[0] / in[1]; },
       .samples = binary(0.5, 3),
       .reference = each([](double x, double y) { return x / y; }),
       .errors = {shapes_differ("div", operator/)}},
      {.name = "number / x",
       .f = [](Tape&, const Vars& in) { return 3 / in[0]; },
       .samples = unary(-2, 2, {0}),
       .reference = each([](double x) { return 3 / x; })},
      {.name = "neg",
       .f = [](Tape&, const Vars& in) { return -in[0]; },
       .samples = unary(),
       .reference = each([](double x) { return -x; })},
      {.name = "exp",
       .f = [](Tape&, const Vars& in) { return exp(in[0]); },
       .samples = unary(-5, 3),
       .reference = each([](double x) { return std::exp(x); })},
      {.name = "log",
       .f = [](Tape&, const Vars& in) { return log(in[0]); },
       .samples = unary(0.1, 4),
       .reference = each([](double x) { return std::log(x); })},
      {.name = "tanh",
       .f = [](Tape&, const Vars& in) { return tanh(in[0]); },
       .samples = unary(-4, 4),
       .reference = each([](double x) { return std::tanh(x); })},
      {.name = "sigmoid",
       .f = [](Tape&, const Vars& in) { return sigmoid(in[0]); },
       .samples = unary(-6, 6),
       .reference = each([](double x) { return 1 / (1 + std::exp(-x)); })},
      {.name = "detach",
       .f = [](Tape&, const Vars& in) { return detach(in[0]); },
       .samples = unary(),
       .reference = each([](double x) { return x; }),
       .smooth = Smooth::no},
  };
}

}  // namespace spool::test
