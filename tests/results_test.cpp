// What runs hand out: results in memory of their own, which nothing but another run of the same tape writes
// to.
#include <spool/graph/error.hpp>
#include <spool/graph/plan/plan.hpp>
#include <spool/graph/run/predict.hpp>
#include <spool/spool.hpp>

#include <algorithm>
#include <cmath>

#include "catch.hpp"

using namespace spool;

namespace {

Tensor ramp(const Shape& shape, double step) {
  Tensor t(shape, DType::f32);
  for (std::size_t i = 0; i < t.size(); ++i) t.set(i, step * static_cast<double>(i));
  return t;
}

}  // namespace

TEST_CASE("a result that was copied stays what it was when the tape runs again") {
  const Param w("w", ramp({6, 6}, 0.1));
  Tape tape;
  const Var x = tape.input(ramp({4, 6}, 1), "x");
  const Var y = matmul(x, tape.param(w));
  const Var g = grad(sum(y), {tape.param(w)})[0];
  tape.run({y, g});
  const Tensor y_then = tape.read(y), g_then = tape.read(g), y_copy = y_then, g_copy = g_then;
  tape.set(x, ramp({4, 6}, 2));
  tape.run({y, g});
  CHECK(y_then == y_copy);
  CHECK(g_then == g_copy);
  CHECK_FALSE(tape.read(y) == y_then);
  CHECK_FALSE(tape.read(g) == g_then);
}

TEST_CASE("results that share elements, and one that is asked for twice") {
  for (const char* passes : {"", "-place", "plain"}) {
    INFO(passes);
    Tape tape({.plan = passes});
    const Var x = tape.input(ramp({4, 6}, 1), "x");
    const Var y = matmul(x, tape.input(ramp({6, 8}, 0.5), "w"));
    const Var part = slice(y, 1, 2, 5), other = reshape(y, {8, 4}), sum_of_both = concat({y, x}, 1);
    tape.run({part, y, other, y, sum_of_both, part});
    const auto whole = tape.read(y).doubles(), joined = tape.read(sum_of_both).doubles();
    CHECK(tape.read(other).doubles() == whole);
    for (std::size_t r = 0; r < 4; ++r)
      for (std::size_t c = 0; c < 14; ++c) {
        CHECK(joined[r * 14 + c] == (c < 8 ? whole[r * 8 + c] : static_cast<double>(r * 6 + c - 8)));
        if (c < 3) CHECK(tape.read(part).doubles()[r * 3 + c] == whole[r * 8 + c + 2]);
      }
    CHECK(whole[1] != 0);
  }
}

TEST_CASE("results are computed where they are handed out, and count as memory for values") {
  const Param w("w", ramp({64, 64}, 0.001));
  Tape tape;
  const Var y = matmul(tape.input(ramp({4, 64}, 1), "x"), tape.param(w));
  const Var g = grad(sum(y), {tape.param(w)})[0];
  const std::vector<Var> wanted{g, sum(g), y};
  const plan::Plan handed = plan::make_plan(tape, wanted, {.hand_out = true}),
                   kept = plan::make_plan(tape, wanted, {}),
                   unplaced = plan::make_plan(tape, wanted, {.place = false, .hand_out = true});
  CHECK(handed.handed == std::vector<std::uint32_t>{0, 1, 2});
  CHECK(handed.handed_size == 64 * 64 + 1 + 4 * 64);
  CHECK(handed.arena < 64 * 64);
  for (const plan::Plan& p : {kept, unplaced}) {
    CHECK(p.handed.empty());
    CHECK(p.arena >= 64 * 64 + 1 + 4 * 64);
  }
  const std::size_t predicted = predicted_bytes(tape, wanted);
  CHECK(predicted == static_cast<std::size_t>(handed.arena + handed.handed_size) * sizeof(float));
  tape.run(wanted);
  CHECK(tape.run_stats().arena_bytes == predicted);
}

TEST_CASE("a value that fails is not there when it is read again, and what was computed before is") {
  Tape tape;
  const Var table = tape.input(ramp({3, 2}, 1), "table");
  const Var rows = take_rows(table, tape.tokens({2}, {0, 3}, "index"));
  const Var fine = table + 1, late = rows * 2;
  tape.run({fine});
  for (int i = 0; i < 2; ++i) CHECK_THROWS_AS(tape.read(late), TapeError);
  CHECK(tape.read(fine).at(0) == 1);
}

TEST_CASE("concats within concats, and concats whose rows products add to, have plain runs' gradients") {
  const auto nested = [](Tape& tape) {  // parts of a part
    const Var x = tape.input(ramp({4, 3}, 0.1)), w = tape.input(ramp({11, 4}, 0.02));
    Var h = tanh(tape.input(ramp({4, 4}, 0.05))), c = sigmoid(h);
    for (int t = 0; t < 3; ++t) {
      const Var gate = matmul(concat({x, concat({h, c}, 1)}, 1), w);
      c = sigmoid(gate) * c;
      h = tanh(c);
    }
    return Vars{grad(mean(square(h)), w)};
  };
  const auto added = [](Tape& tape) {
    const Var p = tape.input(ramp({8, 4}, 0.05)), q = tape.input(ramp({8, 4}, -0.02));
    const Var w = tape.input(ramp({6, 8}, 0.03)), x = tape.input(ramp({4, 6}, 0.1));
    const Var a = tanh(p), b = sigmoid(q), both = concat({a, b}, 1);
    const Var y = matmul(x, w) + slice(both, 0, 0, 4), z = matmul(x * 2, w) + slice(both, 0, 4, 8);
    return grad((sum(square(y)) + sum(square(z))) * sum(a * b), {p, q});
  };
  for (Vars (*record)(Tape&) : {+nested, +added}) {
    Tape planned(DType::f64), plain({.dtype = DType::f64, .plan = "plain"});
    const Vars got = record(planned), expected = record(plain);
    planned.run(got);
    plain.run(expected);
    for (std::size_t i = 0; i < got.size(); ++i)
      for (std::size_t k = 0; k < planned.read(got[i]).size(); ++k)
        CHECK(planned.read(got[i]).at(k) == Approx(plain.read(expected[i]).at(k)).epsilon(1e-9));
  }
}

TEST_CASE("a result that is also the right operand of a product is packed anew in each run") {
  const auto run = [](Tape& tape) {
    Vars many;  // leaves of another run, more than the runs after it have
    for (int i = 0; i < 8; ++i) many.push_back(tape.param(Param("p", ramp({4}, i))));
    tape.run({concat(many, 0)});
    const Var x = tape.input(ramp({64, 64}, 0), "x");
    const Var w = tanh(x), y = matmul(tape.input(ramp({256, 64}, 1e-5), "z"), transpose(w));
    std::vector<double> all;
    for (const double step : {1e-4, 2e-4, 3e-4}) {
      tape.set(x, ramp({64, 64}, step));
      tape.run({w, y});
      all.push_back(tape.read(y).at(1));
    }
    return all;
  };
  Tape planned, plain({.plan = "plain"});
  const auto got = run(planned), expected = run(plain);
  for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == Approx(expected[i]).epsilon(1e-4));
  CHECK(planned.run_stats().fallbacks == 0);
}

TEST_CASE(
    "matrices that few rows are multiplied by are read as they lie, others and transposed ones packed") {
  const auto packs = [](std::int64_t rows, bool transposed, const plan::Options& options) {
    Tape tape;
    const Var w = tape.param(Param("w", ramp({24, 24}, 0.1)));
    const Var y = matmul(tape.input(Shape{rows, 24}, "x"), transposed ? transpose(w) : w);
    const plan::Plan p = plan::make_plan(tape, std::vector{y}, options);
    return std::ranges::count_if(p.steps,
                                 [](const plan::Step& s) { return std::holds_alternative<plan::Pack>(s); });
  };
  CHECK(packs(3, false, {}) == 0);
  CHECK(packs(600, false, {}) == 1);
  CHECK(packs(3, true, {}) == 1);
  CHECK(packs(3, false, {.standing = true}) == 1);
}

TEST_CASE("large weights that are packed in both ways share memory, run after run") {
  constexpr std::int64_t n = 1100;  // twice two of these are more than stays packed
  const Param a("a", ramp({n, n}, 1e-7)), b("b", ramp({n, n}, -2e-7));
  const auto run = [&](Tape& tape) {
    std::vector<double> all;
    const Var x = tape.input(ramp({20, n}, 1e-4), "x");
    const Var y = matmul(tanh(matmul(x, transpose(tape.param(a)))), transpose(tape.param(b)));
    const Vars wanted{grad(sum(y * y), {x})[0], y};
    for (int i = 0; i < 2; ++i) {  // with the parameters as they were
      if (i == 1) tape.set(x, ramp({20, n}, 2e-4));
      tape.run(wanted);
      for (const Var v : wanted) {
        const auto now = tape.read(v).doubles();
        all.insert(all.end(), now.begin(), now.end());
      }
    }
    return all;
  };
  Tape planned, apart({.plan = "-reuse"}), plain({.plan = "plain"});
  const auto got = run(planned), same = run(apart), expected = run(plain);
  double worst = 0, scale = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    worst = std::max(worst, std::abs(got[i] - expected[i]));
    scale = std::max(scale, std::abs(expected[i]));
  }
  CHECK(worst < 1e-4 * scale);
  CHECK(got == same);
  const std::size_t each = apart.run_stats().packed_bytes / 4;
  CHECK(each >= n * n * sizeof(float));
  CHECK(planned.run_stats().packed_bytes <= 2 * each);
}
