// Conventions of our own and promises beyond PyTorch's: infinities, rows of -inf, zero vectors, gradients
// that must not become NaN, digits of float results. What agrees with PyTorch is in golden_test.cpp.
#include <spool/spool.hpp>

#include <cfenv>
#include <cmath>
#include <limits>

#include "catch.hpp"

using namespace spool;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

struct Evaluated {
  std::vector<double> value, gradient;
};

// f(x), and the gradient of the sum of its elements.
template <class F>
Evaluated evaluate(const Tensor& x, F f, DType dtype = DType::f64) {
  Tape tape(dtype);
  const Var in = tape.input(x);
  const Var y = f(in);
  const Var g = grad(sum(y), in);
  return {tape.read(y).doubles(), tape.read(g).doubles()};
}

template <class F>
Evaluated at(double x, F f, DType dtype = DType::f64) {
  return evaluate(Tensor({1}, {x}, DType::f64), f, dtype);
}

using Numbers = std::vector<double>;

}  // namespace

TEST_CASE("sigmoid keeps its digits and raises no overflow") {
  std::feclearexcept(FE_ALL_EXCEPT);
  for (const DType dtype : {DType::f32, DType::f64}) {
    CHECK(at(-1e4, sigmoid, dtype).value[0] == 0);
    CHECK(at(1e4, sigmoid, dtype).value[0] == 1);
    CHECK(at(-infinity, sigmoid, dtype).value[0] == 0);
    CHECK(at(infinity, sigmoid, dtype).value[0] == 1);
    CHECK(at(1e4, sigmoid, dtype).gradient[0] == 0);
  }
  CHECK(std::fetestexcept(FE_OVERFLOW | FE_INVALID | FE_DIVBYZERO) == 0);
  CHECK(at(-80, sigmoid, DType::f32).value[0] == Approx(std::exp(-80.0)).epsilon(1e-6));
  CHECK(at(-700, sigmoid).value[0] == Approx(std::exp(-700.0)).epsilon(1e-14));
  Tape tape(DType::f64);
  const Var y = sigmoid(tape.input(Tensor({2}, {-1e4, 1e4}, DType::f64)));
  const auto quads = run_plain<Quad>(tape, {&y, 1})[0];
  CHECK(log(quads[0]) == Approx(-1e4).epsilon(1e-15));
  CHECK(quads[1] == 1.0);
}

TEST_CASE("activations whose bends are not exact in every precision") {
  const auto hard = [](Var x) { return hard_sigmoid(x); };
  CHECK(at(3, hard).gradient[0] == 0);
  CHECK(at(-3, hard).gradient[0] == 0);
  CHECK(at(3, hard, DType::f32).gradient[0] == 0);
}

TEST_CASE("NaN passes through choices and signs") {
  CHECK(std::isnan(at(not_a_number, sign).value[0]));
  CHECK(std::isnan(at(not_a_number, [](Var x) { return abs(x); }).gradient[0]));
  CHECK(std::isnan(at(not_a_number, relu).value[0]));
  CHECK(std::isnan(evaluate(Tensor({3}, {1, not_a_number, 2}), [](Var x) { return max(x); }).value[0]));
  CHECK(std::isnan(evaluate(Tensor({3}, {1, not_a_number, 2}), [](Var x) { return min(x); }).value[0]));
  CHECK(std::isnan(evaluate(Tensor({3}, {1, not_a_number, 2}), [](Var x) { return logsumexp(x); }).value[0]));
  CHECK(at(not_a_number, [](Var x) { return eq(x, x); }).value[0] == 0);
  CHECK(at(not_a_number, [](Var x) { return ne(x, x); }).value[0] == 1);
}

TEST_CASE("the branch not chosen") {
  // Infinite gradients from above stop at a choice.
  CHECK(at(-1, [](Var x) { return log(relu(x)); }).gradient[0] == 0);
  CHECK(at(-1, [](Var x) { return 1 / where(gt(x, 0), x, 0); }).gradient[0] == 0);
  // What lies below is the caller's to keep harmless.
  CHECK(std::isnan(at(0, [](Var x) { return where(gt(x, 0), log(x), 0); }).gradient[0]));
  const auto safe = [](Var x) {
    const Var positive = gt(x, 0);
    return where(positive, log(where(positive, x, 1)), 0);
  };
  CHECK(at(0, safe).gradient[0] == 0);
  CHECK(at(2, safe).gradient[0] == 0.5);
}

TEST_CASE("second derivatives of pow at exponent 0") {
  Tape tape(DType::f64);
  const Var x = tape.input(Tensor({2}, {0.5, 0}, DType::f64));
  const Var p = tape.input(Tensor({2}, {0, 0}, DType::f64));
  const Vars first = grad(sum(pow(x, p)), {x, p});
  // d2/dxdp x^p = x^(p-1) (1 + p log x): 1/x at p = 0, from either side.
  CHECK(tape.read(grad(sum(first[0]), p)).at(0) == 2);
  CHECK(tape.read(grad(sum(first[1]), x)).at(0) == 2);
  CHECK(tape.read(grad(sum(first[1]), p)).at(0) == Approx(std::log(0.5) * std::log(0.5)));
  for (const Var& g : first)
    for (const Var& second : grad(sum(g), {x, p})) CHECK(std::isfinite(tape.read(second).at(1)));
}

TEST_CASE("a row of -inf has no weight and no gradient, and leaves other rows alone") {
  const Tensor x({2, 2}, {-infinity, -infinity, 1, 1}, DType::f64);
  const auto weights = evaluate(x, [](Var v) { return softmax(v) * v.tape().constant(3, {2, 2}); });
  CHECK(weights.value == Numbers{0, 0, 1.5, 1.5});
  CHECK(weights.gradient == Numbers{0, 0, 0, 0});
  const auto logs = evaluate(x, [](Var v) { return select(log_softmax(v), 1, 0); });
  CHECK(logs.value == Numbers{-infinity, std::log(0.5)});
  CHECK(logs.gradient == Numbers{1, 0, 0.5, -0.5});
  const auto sums = evaluate(x, [](Var v) { return logsumexp(v, 1); });
  CHECK(sums.value == Numbers{-infinity, 1 + std::log(2.0)});
  CHECK(sums.gradient == Numbers{0, 0, 0.5, 0.5});
}

TEST_CASE("the largest of a window of -inf is its first element, never the padding") {
  Tape tape(DType::f64);
  const double inf = std::numeric_limits<double>::infinity();
  const Var x = tape.input(Tensor({1, 2, 4}, {-inf, -inf, -inf, 5, 1, 2, -inf, -inf}));
  const Var y = max_pool1d(x, {.kernel = 3, .stride = 2, .padding = 1});  // -1 0 1 and 1 2 3
  CHECK(tape.read(y).doubles() == std::vector{-inf, 5., 2., 2.});
  CHECK(tape.read(grad(sum(y), x)).doubles() == std::vector<double>{1, 0, 0, 1, 0, 2, 0, 0});
  const Var image = tape.constant(-inf, {1, 1, 3, 3});
  const Var corners = max_pool2d(image, {.kernel = 2, .stride = 2, .padding = 1});
  CHECK(tape.read(grad(sum(corners), image)).doubles() == std::vector<double>{1, 1, 0, 1, 1, 0, 0, 0, 0});
}

TEST_CASE("elements of +inf share the weight") {
  const Tensor x({2, 3}, {infinity, 5, infinity, 2, infinity, -infinity}, DType::f64);
  CHECK(evaluate(x, [](Var v) { return softmax(v); }).value == Numbers{0.5, 0, 0.5, 0, 1, 0});
  CHECK(evaluate(x, [](Var v) { return log_softmax(v); }).value ==
        Numbers{-std::log(2.0), -infinity, -std::log(2.0), -infinity, 0, -infinity});
  const auto sums = evaluate(x, [](Var v) { return logsumexp(v, 1); });
  CHECK(sums.value == Numbers{infinity, infinity});
  CHECK(sums.gradient == Numbers{0.5, 0, 0.5, 0, 1, 0});
}

TEST_CASE("the log of a near certain probability keeps its digits") {
  // log(1 / (1 + e^-30)) = -log1p(e^-30)
  const Tensor x({2}, {30, 0}, DType::f64);
  const auto f = [](Var v) { return log_softmax(v); };
  CHECK(evaluate(x, f).value[0] == Approx(-std::exp(-30.0)).epsilon(1e-12));
  CHECK(evaluate(x, f, DType::f32).value[0] == Approx(-std::exp(-30.0)).epsilon(1e-6));
}

TEST_CASE("norms of zero vectors and of huge ones") {
  for (const double p : {1.0, 1.5, 2.0, 3.0, infinity}) {
    INFO("p = " << p);
    Tape tape(DType::f64);
    const Var x = tape.input(Tensor({2, 2}, {0, 0, 3, 4}, DType::f64));
    const Var first = grad(sum(norm(x, p, 1)), x);
    const Tensor second = tape.read(grad(sum(square(first)), x));
    for (std::size_t i : {0U, 1U}) {
      CHECK(tape.read(first).at(i) == 0);
      CHECK(second.at(i) == 0);
    }
  }
  const auto huge = evaluate(
      Tensor({2}, {3e37, 4e37}), [](Var x) { return norm(x); }, DType::f32);
  CHECK(huge.value[0] == Approx(5e37).epsilon(1e-6));
  CHECK(huge.gradient[1] == Approx(0.8).epsilon(1e-6));
  CHECK(evaluate(
            Tensor({2}, {3e-30, 4e-30}), [](Var x) { return norm(x); }, DType::f32)
            .value[0] == Approx(5e-30).epsilon(1e-6));
}

TEST_CASE("long sums in float keep float's digits") {
  constexpr std::int64_t n = 300'000;
  Tape tape;
  const Var x = tape.input(Tensor({n, 2}, std::vector<float>(2 * n, 0.1F)));
  const double total = static_cast<double>(0.1F) * n;
  CHECK(tape.value(sum(x)) == Approx(2 * total).epsilon(1e-7));
  CHECK(tape.read(sum(x, 0)).at(1) == Approx(total).epsilon(1e-7));
  CHECK(tape.value(mean(x)) == Approx(0.1F).epsilon(1e-7));
  CHECK(tape.read(cumsum(x, 0)).at(2 * n - 1) == Approx(total).epsilon(1e-7));
}

TEST_CASE("a product of many factors is a tree on the tape") {
  Tape tape(DType::f64);
  std::vector<double> factors(1001, 1);
  factors[500] = 0;
  factors[700] = 3;
  const Var x = tape.input(Tensor({1001}, factors));
  const Var y = prod(x);
  CHECK(tape.size() < 60);
  const Var g = grad(y, x);
  CHECK(tape.value(y) == 0);
  CHECK(tape.read(g).at(500) == 3);
  CHECK(tape.value(sum(g)) == 3);
}

TEST_CASE("errors of functions of several ops show the program's line") {
  Tape tape;
  const Var x = tape.input(Tensor({2, 2}), "x");
  const auto text = [](auto&& act) {
    try {
      act();
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  const int line = __LINE__ + 1;
  const std::string refusal = text([&] { stddev(x, 5); });
  CHECK(refusal ==
        "stddev: axis 5 does not exist in an array of rank 2\n  a  input \"x\"  [2, 2]\n"
        "  recorded at special_values_test.cpp:" +
            std::to_string(line));
  const int next = __LINE__ + 1;
  silu(x);
  CHECK(tape.where(tape.size() - 1) == "special_values_test.cpp:" + std::to_string(next));
}
