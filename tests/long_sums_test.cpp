// Gradients of weights and biases that are sums over the same rows: one pass over these rows makes all.
#include <spool/graph/plan/plan.hpp>
#include <spool/spool.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "catch.hpp"
#include "plan_difference.hpp"

using namespace spool;

namespace {

// The gradients of so many weights and two biases of a sum over `steps` steps, of 37 rows each.
Vars gradients(Tape& tape, int weights, int steps) {
  Vars params, out;
  for (int i = 0; i < weights; ++i)
    params.push_back(tape.param(Param(fmt::format("w{}", i), numbers({20, 3 + i}, i))));
  for (int i = 0; i < 2; ++i) params.push_back(tape.param(Param(fmt::format("b{}", i), numbers({20}, -i))));
  for (int t = 0; t < steps; ++t) {
    Var y = params[params.size() - 1] + params[params.size() - 2];
    for (int i = 0; i < weights; ++i) {
      const Var x = tape.input(numbers({37, 3 + i}, 10 * t + i), fmt::format("x{}_{}", t, i));
      y = y + matmul(x, transpose(params[static_cast<std::size_t>(i)]));
    }
    out.push_back(sum(tanh(y)));
  }
  Var loss = out[0];
  for (std::size_t t = 1; t < out.size(); ++t) loss = loss + out[t];
  return grad(loss, params);
}

std::size_t long_products(Tape& tape, const Vars& wanted, const plan::Options& options = {}) {
  const plan::Plan p = plan::make_plan(tape, wanted, options);
  return static_cast<std::size_t>(std::ranges::count_if(
      p.steps, [](const plan::Step& s) { return std::holds_alternative<plan::LongProduct>(s); }));
}

}  // namespace

TEST_CASE("weights and biases whose gradients are sums over the same rows get them in one step") {
  Tape tape({.dtype = DType::f64});
  const Vars wanted = gradients(tape, 3, 4);
  CHECK(long_products(tape, wanted) == 1);
  CHECK(long_products(tape, wanted, {.group = false}) == 4);  // the biases' gradients are one value
  CHECK(tape.explain_plan(wanted).find("joined 4 sums of 4 products that read the same rows on the left") !=
        std::string::npos);
}

TEST_CASE("sums over rows that begin at one address, in two orders") {
  const auto record = [](Tape& tape) {
    const Var x = tape.input(numbers({4, 16}, 0));
    const auto sums = [&](Var a, Var b) {  // of the rows of a and b, in either order
      const auto product = [&](Var rows, double phase) {
        return matmul(transpose(rows), tape.input(numbers({rows.shape()[0], 5}, phase)));
      };
      const Var first = product(a, 1), second = product(b, 2);
      return first + second;
    };
    const Var fewer = slice(x, 0, 0, 2);
    const Var apart = slice(x, 1, 0, 8), dense = reshape(fewer, {4, 8});
    return Vars{sums(fewer, x), sums(x, fewer), sums(apart, dense), sums(dense, apart)};
  };
  Tape plain({.dtype = DType::f64, .plan = "plain"}), tape({.dtype = DType::f64});
  const Vars expected = record(plain), wanted = record(tape);
  CHECK(long_products(tape, wanted) == 2);
  tape.run(wanted);
  plain.run(expected);
  CHECK(tape.run_stats().fallbacks == 0);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    INFO(i);
    const auto a = tape.read(wanted[i]).doubles(), b = plain.read(expected[i]).doubles();
    for (std::size_t k = 0; k < a.size(); ++k) CHECK(a[k] == Approx(b[k]).epsilon(1e-12).margin(1e-12));
  }
}

TEST_CASE("gradients that are made in one step, more than a step takes, by one thread and by two") {
  for (const int weights : {1, 2, 4, 5, 9}) {
    INFO(weights);
    Tape plain({.dtype = DType::f64, .plan = "plain"});
    const Values expected = values(plain, gradients(plain, weights, 3));
    Values first;
    for (const int threads : {1, 2}) {
      set_threads(threads);
      Tape tape({.dtype = DType::f64});
      const Vars wanted = gradients(tape, weights, 3);
      CHECK(long_products(tape, wanted) == static_cast<std::size_t>(weights + 3) / 4);
      const Values got = values(tape, wanted);
      CHECK(tape.run_stats().fallbacks == 0);
      check_close(got, expected);
      if (threads == 1) first = got;
      CHECK(got == first);
    }
    set_threads(0);
  }
}
