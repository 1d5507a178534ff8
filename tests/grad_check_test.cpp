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
