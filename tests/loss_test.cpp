// What the op table does not say about losses: their size on the tape, data that changes or is refused, and
// batches in which nothing counts.
#include <spool/spool.hpp>

#include "catch.hpp"

#include <cmath>
#include <limits>

using namespace spool;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

std::string first_line(const std::exception& e) {
  const std::string text = e.what();
  return text.substr(0, text.find('\n'));
}

}  // namespace

TEST_CASE("cross-entropy and its gradient are a handful of nodes, whatever the size") {
  Tape tape;
  const Var x = tape.input({50, 50, 65}), y = tape.input({50, 50});
  const std::uint32_t before = tape.size();
  const Var loss = cross_entropy(x, y);
  CHECK(tape.size() - before <= 24);
  grad(loss, x);
  CHECK(tape.size() - before <= 48);
}

namespace {

// Golden values and gradients, both PyTorch 1.13's in double.
void check_golden(const char* name, Var loss, Var x, const std::vector<double>& value,
                  const std::vector<double>& gradient) {
  INFO(name);
  Tape& tape = x.tape();
  const Var g = grad(sum(loss), x);
  tape.run({loss, g});
  REQUIRE(loss.shape().size() == static_cast<std::int64_t>(value.size()));
  for (std::size_t i = 0; i < value.size(); ++i)
    CHECK((tape.read(loss).at(i) == value[i] || tape.read(loss).at(i) == Approx(value[i]).epsilon(1e-13)));
  REQUIRE(x.shape().size() == static_cast<std::int64_t>(gradient.size()));
  for (std::size_t i = 0; i < gradient.size(); ++i)
    CHECK(tape.read(g).at(i) == Approx(gradient[i]).epsilon(1e-13).margin(1e-300));
}

}  // namespace

TEST_CASE("losses and gradients at extreme logits and masked classes are PyTorch's") {
  Tape tape(DType::f64);
  const Var x = tape.input(Tensor({4, 3}, {1e4, -1e4, 0, -1e4, 1e4, 3, 5, 5, 5, -inf, 1, 2}, DType::f64));
  const Var y = tape.tokens({4}, std::vector<int>{0, 0, 1, 2});
  check_golden("none", cross_entropy(x, y, {.reduction = Reduction::none}), x,
               {0, 20000, 1.0986122886681098, 0.31326168751822286},
               {0, 0, 0, -1, 1, 0, 1.0 / 3, -2.0 / 3, 1.0 / 3, 0, 0.2689414213699951, -0.2689414213699951});
  const Var first = slice(x, 0, 0, 3);
  const Var weight = tape.input(Tensor({3}, {0.5, 2, 3}, DType::f64));
  check_golden("weights and smoothing",
               cross_entropy(first, slice(y, 0, 0, 3), {.weight = weight, .label_smoothing = 0.1}), first,
               {4222.848527013064},
               {0.05555555555555555, -0.022222222222222223, -0.03333333333333333, -0.15555555555555556,
                0.18888888888888888, -0.03333333333333333, 0.2148148148148148, -0.4018518518518519,
                0.18703703703703703});
  const Var masked = slice(x, 0, 3, 4);
  CHECK(tape.value(cross_entropy(masked, tape.tokens({1}, std::vector<int>{0}))) == inf);
}

TEST_CASE("losses and gradients at kinks and joints are PyTorch's") {
  Tape tape(DType::f64);
  const Var x = tape.input(Tensor({6}, {0, 2, -2, 0.5, -3, 1}, DType::f64));
  const Var y = tape.input(Tensor({6}, {0, 1, -1, 0, 1, 1}, DType::f64));
  constexpr Reduction none = Reduction::none;
  check_golden("huber", huber_loss(x, y, {.reduction = none}), x, {0, 0.5, 0.5, 0.125, 3.5, 0},
               {0, 1, -1, 0.5, -1, 0});
  check_golden("smooth l1", smooth_l1_loss(x, y, {.beta = 0.5, .reduction = none}), x,
               {0, 0.75, 0.75, 0.25, 3.75, 0}, {0, 1, -1, 1, -1, 0});
  check_golden("l1", l1_loss(x, y, none), x, {0, 1, 1, 0.5, 4, 0}, {0, 1, -1, 1, -1, 0});
  const Var curvature = grad(sum(grad(sum(huber_loss(x, y, {.reduction = none})), x)), x);
  CHECK(tape.read(curvature).at(0) == 1);

  // PyTorch's limit of 1e-12 is a float; these gradients have the exact one.
  const Var p = tape.input(Tensor({7}, {0, 0, 1, 1, 0.3, 1e-14, 0.3}, DType::f64));
  const Var q = tape.input(Tensor({7}, {0, 1, 0, 1, 0.25, 0.5, 1}, DType::f64));
  check_golden("bce", binary_cross_entropy(p, q, {.reduction = none}), p,
               {0, 100, 100, 0, 0.5684994090355333, 16.118095650958324, 1.2039728043259361},
               {0, -1e12, 1e12, 0, 0.23809523809523805, -499999999999.99, -3.333333333333333});
}

TEST_CASE("kl_div is 0 where the target is, even against a class of probability 0") {
  Tape tape(DType::f64);
  const Var x = tape.input(Tensor({4}, {-1, -2, -0.5, -inf}, DType::f64));
  const Var p = tape.input(Tensor({4}, {0.2, 0, 0.8, 0}, DType::f64));
  const Var log_p = tape.input(Tensor({4}, {std::log(0.2), -1e4, std::log(0.8), -inf}, DType::f64));
  const std::vector<double> value{0.2 * (std::log(0.2) + 1), 0, 0.8 * (std::log(0.8) + 0.5), 0};
  for (const bool log_target : {false, true}) {
    const Var target = log_target ? log_p : p;
    const Var loss = kl_div(x, target, {.log_target = log_target, .reduction = Reduction::none});
    check_golden("x", loss, x, value, {-0.2, 0, -0.8, 0});
    check_golden("target", loss, target, value,
                 log_target
                     ? std::vector<double>{0.2 * (std::log(0.2) + 2), 0, 0.8 * (std::log(0.8) + 1.5), 0}
                     : std::vector<double>{std::log(0.2) + 2, 0, std::log(0.8) + 1.5, 0});
  }
}

TEST_CASE("a mean over nothing is 0, with gradient 0") {
  Tape tape(DType::f64);
  const Var x = tape.input(Tensor({2, 3}, {1, 2, 3, inf, 2, -inf}, DType::f64));
  const Var nothing = tape.tokens({2}, std::vector<int>{-100, -100});
  const Var empty = tape.input(Tensor({0, 3}, DType::f64));
  for (const double smoothing : {0.0, 0.1}) {
    const Var rows = slice(x, 0, 0, 1);
    const Var loss = cross_entropy(rows, slice(nothing, 0, 0, 1), {.label_smoothing = smoothing});
    CHECK(tape.value(loss) == 0);
    CHECK(tape.read(grad(loss, rows)) == Tensor({1, 3}, DType::f64));
    CHECK(tape.value(cross_entropy(empty, tape.tokens({0}, {}), {.label_smoothing = smoothing})) == 0);
  }
  const Var no_weight = tape.input(Tensor({3}, {0, 1, 1}, DType::f64));
  CHECK(tape.value(cross_entropy(slice(x, 0, 0, 1), tape.tokens({1}, std::vector<int>{0}),
                                 {.weight = no_weight})) == 0);
  const Var none = tape.input(Tensor({0, 3}, DType::f64));
  CHECK(tape.value(mse_loss(empty, none)) == 0);
  CHECK(tape.value(kl_div(empty, none, {.reduction = Reduction::batch_mean})) == 0);
}

TEST_CASE("a row that is ignored may be all -inf") {
  Tape tape(DType::f64);
  const Var x = tape.input(Tensor({2, 2}, {1, 2, -inf, -inf}, DType::f64));
  const Var loss = cross_entropy(x, tape.tokens({2}, std::vector<int>{0, -100}));
  const Var g = grad(loss, x);
  CHECK(tape.value(loss) == Approx(std::log1p(std::exp(1.0))));
  for (std::size_t i = 0; i < 2; ++i) CHECK(tape.read(g).at(2 + i) == 0);
}

TEST_CASE("ignore_index may be a class of its own") {
  Tape tape(DType::f64);
  const Var x = tape.input(Tensor({3, 2}, {1, 2, 3, 4, 5, 7}, DType::f64));
  const Var y = tape.tokens({3}, std::vector<int>{0, 1, 0});
  CHECK(tape.value(cross_entropy(x, y, {.ignore_index = 0})) == Approx(std::log1p(std::exp(-1.0))));
}

TEST_CASE("targets are data of the run") {
  Tape tape(DType::f64);
  const Var x = tape.input(Tensor({2, 3}, {1, 2, 3, 1, 1, 1}, DType::f64)), y = tape.input({2});
  const Var loss = cross_entropy(x, y, {.reduction = Reduction::sum});
  const auto with = [&](int a, int b) {
    tape.set(y, std::vector<int>{a, b});
    return tape.value(loss);
  };
  const double lse = std::log(std::exp(1.0) + std::exp(2.0) + std::exp(3.0));
  CHECK(with(0, 0) == Approx(lse - 1 + std::log(3.0)));
  CHECK(with(2, 1) == Approx(lse - 3 + std::log(3.0)));
  CHECK(with(-100, 1) == Approx(std::log(3.0)));
  const auto refused = [&](double a) {
    tape.set(y, Tensor({2}, {1, a}, DType::f64));
    try {
      tape.run({loss});
    } catch (const TapeError& e) {
      return first_line(e);
    }
    return std::string("no error");
  };
  CHECK(refused(3) == "class_index: target 3 at position 1 is outside 0..2");
  CHECK(refused(-1) == "class_index: target -1 at position 1 is outside 0..2");
  CHECK(refused(0.5) == "class_index: target 0.5 at position 1 is no whole number");
  CHECK(refused(std::nan("")) == "class_index: target nan at position 1 is outside 0..2");
  CHECK(with(1, 2) == Approx(lse - 2 + std::log(3.0)));
}

TEST_CASE("binary cross-entropy refuses what is no probability") {
  Tape tape(DType::f64);
  const Var x = tape.input(Tensor({2}, {0.5, 1.5}, DType::f64));
  try {
    tape.run({binary_cross_entropy(x, 1)});
    FAIL("no error");
  } catch (const TapeError& e) {
    CHECK(first_line(e) ==
          "binary_cross_entropy: probability 1.5 is outside 0..1; logits go to bce_with_logits");
  }
}

TEST_CASE("no loss hides a NaN") {
  Tape tape(DType::f64);
  const Var x = tape.input(Tensor({2, 2}, {0.5, std::nan(""), 0.25, 0.5}, DType::f64));
  const Var y = tape.input(Tensor({2, 2}, {0.5, 0.25, 0.5, 0.25}, DType::f64));
  const Var classes = tape.tokens({2}, std::vector<int>{0, 1});
  const Var one = tape.tokens({1}, std::vector<int>{1}), two = tape.tokens({1}, std::vector<int>{2});
  const Var label = tape.tokens({1, 1}, std::vector<int>{1});
  for (const Var loss :
       {cross_entropy(x, classes), cross_entropy(x, classes, {.label_smoothing = 0.1}), mse_loss(x, y),
        l1_loss(x, y), huber_loss(x, y), smooth_l1_loss(x, y), binary_cross_entropy(x, y),
        binary_cross_entropy(y, x), bce_with_logits(x, y), bce_with_logits(y, x), kl_div(x, y), kl_div(y, x),
        kl_div(x, y, {.log_target = true}), kl_div(y, x, {.log_target = true}),
        ctc_loss(reshape(x, {2, 1, 2}), label, two, one, {.zero_infinity = true})})
    CHECK(std::isnan(tape.value(loss)));
}
