// grad_check: what it must pass, what it must catch, and how it says so.
#include <spool/spool.hpp>

#include <cmath>

#include "catch.hpp"

using namespace spool;

namespace {

// x^2, whose gradient is off by the factor 1 + 1e-6.
constexpr OpDef almost_square_op{
    .name = "almost_square",
    .arity = 1,
    .kind = Kind::elementwise,
    .shape = shapes::same,
    .eval = map([](auto x) { return x * x; }),
    .vjp = [](const Step& s, Var g) -> Grads { return {g * s.in(0) * (2 * (1 + 1e-6))}; },
};

// x^2 with the right gradient, whose own gradient is dropped.
constexpr OpDef once_square_op{
    .name = "once_square",
    .arity = 1,
    .kind = Kind::elementwise,
    .shape = shapes::same,
    .eval = map([](auto x) { return x * x; }),
    .vjp = [](const Step& s, Var g) -> Grads { return {g * detach(s.in(0)) * 2}; },
};

constexpr OpDef abs_op{
    .name = "abs",
    .arity = 1,
    .kind = Kind::elementwise,
    .shape = shapes::same,
    .eval = map([](auto x) { return x < 0 ? -x : x; }),
    .vjp = [](const Step& s, Var g) -> Grads { return {g * detach(s.in(0) / s.out())}; },
};

Var product(Tape&, const Vars& in) { return matmul(tanh(in[0]), in[1]); }

const std::vector<Tensor> matrices{Tensor({2, 3}, {0.1, -0.2, 0.3, 0.4, 0.5, -0.6}),
                                   Tensor({3, 2}, {1, 2, 3, 4, -5, 6})};

}  // namespace

TEST_CASE("right gradients pass, in double and in 113 bits, to the third order") {
  for (bool quad : {false, true}) {
    const GradReport report = grad_check(product, matrices, {.order = 3, .quad = quad});
    INFO(report.text());
    CHECK(report);
    CHECK(report.inputs.size() == 2 + 3 + 3);
    CHECK(report.inputs[0].checked == 6);
    CHECK(report.inputs[4].name == "incoming gradient");
  }
}

TEST_CASE("a gradient that is off by a millionth is wrong, everywhere") {
  const auto f = [](Tape&, const Vars& in) { return record(almost_square_op, {in[0]}); };
  for (bool quad : {false, true}) {
    const GradReport report = grad_check(f, {Tensor({3}, {0.5, -1, 40})}, {.quad = quad});
    INFO(report.text());
    CHECK_FALSE(report);
    REQUIRE(report.inputs.size() == 1);
    CHECK(report.inputs[0].failed == 3);
    CHECK(report.inputs[0].worst.verdict == GradVerdict::wrong);
    CHECK(report.inputs[0].worst.relative() == Approx(1e-6).epsilon(1e-3));
  }
}

TEST_CASE("a wrong second order shows at order 2 only") {
  const auto f = [](Tape&, const Vars& in) { return record(once_square_op, {in[0]}); };
  CHECK(grad_check(f, {Tensor({2}, {0.5, -1})}));
  const GradReport report = grad_check(f, {Tensor({2}, {0.5, -1})}, {.order = 2});
  REQUIRE(report.inputs.size() == 3);
  CHECK(report.inputs[1].failed == 2);
  CHECK(report.inputs[1].worst.analytic == 0);
  CHECK(report.inputs[2].failed == 0);  // with respect to the incoming gradient it is right
}

TEST_CASE("a kink at the point is reported, one nearby is no trouble") {
  const auto f = [](Tape&, const Vars& in) { return record(abs_op, {in[0]}); };
  const GradReport report = grad_check(f, {Tensor({2}, {0, 1e-4})});
  INFO(report.text());
  CHECK(report.inputs[0].worst.position == "[0]");
  CHECK(report.inputs[0].failed == 1);
  CHECK(grad_check(f, {Tensor({2}, {1e-4, -0.01})}));
}

TEST_CASE("values that are not finite are reported") {
  const auto f = [](Tape&, const Vars& in) { return log(in[0]); };
  const GradReport report = grad_check(f, {Tensor({1}, {-1})});
  CHECK(report.inputs[0].worst.verdict == GradVerdict::not_finite);
  CHECK(grad_check(f, {Tensor({2}, {0.01, 1e-3})}));  // the first steps leave the domain, later ones do not
}

TEST_CASE("the report says where, how much, and how sure it is") {
  const auto f = [](Tape&, const Vars& in) {
    return record(almost_square_op, {in[0]}) + in[1] + detach(in[2]) * 0;
  };
  const GradReport report =
      grad_check(f, {Tensor({2, 1}, {0.5, 1.5}), Tensor({}, {1}), Tensor({2, 1}), Tensor({0})},
                 {.names = {"scores", "bias"}});
  const std::string text = report.text();
  const auto has = [&](const char* part) { return text.find(part) != std::string::npos; };
  INFO(text);
  CHECK(has("grad_check FAILED (in double, rtol 1e-07, atol 1e-10)\n"));
  CHECK(has("  scores [2, 1], order 1: 2 of 2 failed\n    WRONG at [1, 0]: analytic "));
  CHECK(has("(relative 1.0e-06)"));
  CHECK(has("  bias [], order 1: ok, 1 checked\n    worst at []: analytic "));
  CHECK(has("  x2 [2, 1], order 1: ok, the output does not depend on it\n"));
  CHECK(has("  x3 [0], order 1: ok, it has no elements\n"));
}

TEST_CASE("large inputs are checked along directions") {
  const Shape large{40, 50};
  const auto right = [](Tape&, const Vars& in) { return tanh(in[0]); };
  const auto wrong = [](Tape&, const Vars& in) { return record(almost_square_op, {in[0]}); };
  Tensor x(large, DType::f64);
  for (std::size_t i = 0; i < x.size(); ++i) x.set(i, std::sin(static_cast<double>(i)));
  const GradReport report = grad_check(right, {x}, {.order = 2});
  INFO(report.text());
  CHECK(report);
  CHECK(report.inputs[0].checked == 8);
  CHECK(report.inputs[0].worst.position.starts_with("direction "));
  CHECK(grad_check(wrong, {x}, {.directions = 3}).inputs[0].failed == 3);
  CHECK(grad_check(right, {x}, {.entries = 2000}).inputs[0].checked == 2000);
}

TEST_CASE("indices are left out by wrt, and random ops keep their draw") {
  const auto f = [](Tape&, const Vars& in) { return dropout(take_rows(in[0], in[1]), 0.5); };
  const std::vector<Tensor> inputs{Tensor({4, 2}, {1, 2, 3, 4, 5, 6, 7, 8}), Tensor({3}, {3, 0, 3})};
  const GradReport report = grad_check(f, inputs, {.order = 2, .wrt = {0}});
  INFO(report.text());
  CHECK(report);
  CHECK(report.inputs.size() == 3);
  CHECK_THROWS_WITH(grad_check(f, inputs), Catch::Contains("take_rows: index ") &&
                                               Catch::Contains("at position 0 is no whole number"));
}

namespace {
struct TwoStates {
  Var h, c;
};
struct StepInputs {
  Var x;
  std::vector<TwoStates> layers;
};
TwoStates step(Var x, const TwoStates& s) {
  const Var c = sigmoid(x) * s.c + tanh(x + s.h);
  return {sigmoid(s.h) * tanh(c), c};
}
}  // namespace

TEST_CASE("states enter by field and leave as states") {
  Tape tape;
  const auto leaf = [&](std::initializer_list<double> v) { return tape.input(Tensor({1, 2}, v)); };
  const StepInputs at{leaf({0.1, -0.7}), {{leaf({1, 2}), leaf({0.3, 4})}, {leaf({-1, 0}), leaf({2, 0.5})}}};
  const auto two_layers = [](Tape&, const StepInputs& in) {
    std::vector<TwoStates> out;
    Var x = in.x;
    for (const TwoStates& s : in.layers) x = out.emplace_back(step(x, s)).h;
    return out;
  };
  const GradReport report = grad_check_state(two_layers, at, {.order = 2, .names = {"x", "h0", "c0"}});
  INFO(report.text());
  CHECK(report);
  REQUIRE(report.inputs.size() == 5 + 6);
  CHECK(report.inputs[2].name == "c0");
  CHECK(report.inputs[10].shape == Shape{8});  // four Vars of two elements each
}

TEST_CASE("a model is checked by parameter name, and left as it was") {
  const Param w("cell.weight", Tensor({2, 2}, {0.1, 0.2, -0.3, 0.4})), b("cell.bias", Tensor({2})),
      idle("idle", Tensor({3}));
  const auto loss = [&](Tape& tape) {
    Var h = tape.constant(0.5, {1, 2});
    for (int t = 0; t < 3; ++t) h = tanh(matmul(h, tape.param(w)) + tape.param(b));
    return mean(h * h);
  };
  const GradReport report = grad_check(loss, {w, b, idle}, {.order = 2, .quad = true});
  INFO(report.text());
  CHECK(report);
  CHECK(report.inputs[0].name == "cell.weight");
  CHECK(report.inputs[0].reached);
  CHECK_FALSE(report.inputs[2].reached);
  CHECK(w.version() == 0);
}

TEST_CASE("what can't be checked is refused") {
  using namespace std::string_literals;
  const auto f = [](Tape&, const Vars& in) { return tanh(in[0]); };
  CHECK_THROWS_WITH(grad_check(f, std::vector<Tensor>{}),
                    "grad_check: there are no inputs to differentiate"s);
  CHECK_THROWS_WITH(grad_check([](Tape& t) { return t.constant(1); }, Params{}),
                    "grad_check: there are no parameters to differentiate"s);
  CHECK_THROWS_WITH(grad_check(f, {Tensor()}, {.order = 0}), "grad_check: order counts from 1"s);
  CHECK_THROWS_WITH(grad_check(f, {Tensor()}, {.wrt = {1}}), "grad_check: wrt names input 1 of 1"s);
  CHECK_THROWS_WITH(grad_check([](Tape&, const Vars&) { return Var(); }, {Tensor()}),
                    "grad_check: the Var is empty; it refers to no tape"s);
  Tape other;
  CHECK_THROWS_WITH(grad_check([&](Tape&, const Vars&) { return other.constant(1); }, {Tensor()}),
                    "grad_check: the Var belongs to another tape"s);
  CHECK_THROWS_AS(grad_check(f, {Tensor()}, {.order = 0}), TapeError);
}

namespace {
// Its value depends on how often it ran.
constexpr OpDef drifting_op{
    .name = "drifting",
    .arity = 1,
    .kind = Kind::elementwise,
    .shape = shapes::same,
    .eval = map([](auto x) {
      static double runs = 0;
      return x + static_cast<decltype(x)>(++runs);
    }),
};
}  // namespace

TEST_CASE("an op whose value changes from run to run is refused") {
  const auto f = [](Tape&, const Vars& in) { return record(drifting_op, {in[0]}); };
  CHECK_THROWS_WITH(grad_check(f, {Tensor()}),
                    "grad_check: two runs of the same recording differ; what an op computes may depend on "
                    "its operands, its attributes and the random state only");
}

TEST_CASE("a jump in the value is not taken for a slope") {
  constexpr static OpDef step_op{
      .name = "step",
      .arity = 1,
      .kind = Kind::elementwise,
      .shape = shapes::same,
      .eval = map([](auto x) { return x < 0 ? x * 0 : x * 0 + 1; }),
  };
  const auto f = [](Tape&, const Vars& in) { return record(step_op, {in[0]}); };
  CHECK_FALSE(grad_check(f, {Tensor()}));
  CHECK(grad_check(f, {Tensor({2}, {-0.5, 1})}));
}
