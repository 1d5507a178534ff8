// The adding and the copy problem: that what is to be answered follows from what is shown, and that examples
// repeat only where they should.
#include <spool/spool.hpp>

#include <cmath>
#include <set>

#include "../../examples/shared/study.hpp"
#include "../catch.hpp"

using examples::Learner, examples::Task;
using spool::Philox, spool::Tensor;

namespace {

struct Shown {
  Tensor x, y;
  bool operator==(const Shown& other) const {
    return x.doubles() == other.x.doubles() && y.doubles() == other.y.doubles();
  }
};

Shown shown(const Task& task, std::uint64_t seed, std::uint32_t stream) {
  Shown s{Tensor(task.x), Tensor(task.y)};
  Philox random(seed, stream);
  task.draw(s.x, s.y, random, /*held_out=*/false);
  return s;
}

}  // namespace

TEST_CASE("adding: the sum of the two marked numbers, one of each half") {
  constexpr std::size_t T = 11, B = 300;
  const Task task = examples::adding_problem(T, B);
  const auto [x, y] = shown(task, 1, 0);
  REQUIRE(x.shape() == spool::Shape{T, B, 2});
  REQUIRE(y.shape() == spool::Shape{B, 1});
  std::set<std::size_t> marked;
  double numbers = 0, sum = 0, squares = 0;
  for (std::size_t b = 0; b < B; ++b) {
    double right = 0, marks[] = {0, 0};
    for (std::size_t t = 0; t < T; ++t) {
      const double number = x.at(2 * (t * B + b)), mark = x.at(2 * (t * B + b) + 1);
      CHECK((number >= 0 && number < 1));
      CHECK((mark == 0 || mark == 1));
      numbers += number;
      right += mark * number, marks[t < T / 2 ? 0 : 1] += mark;
      if (mark == 1) marked.insert(t);
    }
    CHECK(marks[0] == 1);
    CHECK(marks[1] == 1);
    CHECK(y.at(b) == Approx(right));
    sum += y.at(b), squares += y.at(b) * y.at(b);
  }
  CHECK(marked.size() == T);  // each step is marked in some sequence
  CHECK(numbers / (T * B) == Approx(0.5).epsilon(0.05));
  CHECK(squares / B - std::pow(sum / B, 2) ==
        Approx(task.naive).epsilon(0.15));  // what always saying 1 costs
}

TEST_CASE("copy: the ten symbols are asked for after the mark that says now") {
  constexpr std::size_t T = 7, B = 50;
  const Task task = examples::copy_problem(T, B);
  const auto [x, y] = shown(task, 1, 0);
  REQUIRE(x.shape() == spool::Shape{T + 20, B});
  REQUIRE(y.shape() == x.shape());
  CHECK(task.first == T + 10);
  std::set<double> symbols;
  for (std::size_t b = 0; b < B; ++b)
    for (std::size_t t = 0; t < T + 20; ++t) {
      INFO("step " << t);
      const double in = x.at(t * B + b), out = y.at(t * B + b);
      if (t < 10) {
        CHECK((in >= 0 && in < 8));
        CHECK(y.at((t + T + 10) * B + b) == in);
        symbols.insert(in);
      } else {
        CHECK(in == (t == T + 9 ? 9 : 8));
      }
      if (t < T + 10) CHECK(out == 8);
    }
  CHECK(symbols.size() == 8);
  CHECK(task.naive == Approx(10 * std::log(8) / (T + 20)));
}

TEST_CASE("examples repeat with their number, and with no other") {
  for (const Task& task : {examples::adding_problem(10, 3), examples::copy_problem(10, 3)}) {
    INFO(task.name);
    const Shown first = shown(task, 1, 7);
    CHECK(first == shown(task, 1, 7));
    CHECK(!(first == shown(task, 1, 8)));
    CHECK(!(first == shown(task, 1, 0xFFFFFFFF)));
    CHECK(!(first == shown(task, 2, 7)));
  }
}

TEST_CASE("a learner counts which of its answers are right") {
  spool::Tape tape;
  const spool::Init init{.seed = 1};
  const Learner copies(tape, init, {.cell = "gru", .hidden = 8}, examples::copy_problem(5, 40));
  const Learner adds(tape, init, {.cell = "lstm", .hidden = 8}, examples::adding_problem(6, 4000));
  CHECK(copies.name == "gru, copy, T = 5");
  const Tensor symbols = copies.show(Philox(1)), sums = adds.show(Philox(1));
  tape.run({copies.answer, copies.right, adds.answer, adds.right, adds.loss});
  double right = 0;
  for (std::size_t i = 15 * 40; i < symbols.size(); ++i)  // the last ten steps alone
    right += tape.read(copies.answer).at(i) == symbols.at(i) ? 1 : 0;
  CHECK(right > 0);
  CHECK(tape.value(copies.right) == Approx(right / 400));
  double close = 0, squares = 0;
  for (std::size_t b = 0; b < 4000; ++b) {
    const double error = std::abs(tape.read(adds.answer).at(b) - sums.at(b));
    close += error < 0.04 ? 1 : 0, squares += error * error;
  }
  CHECK(tape.value(adds.right) == Approx(close / 4000));
  CHECK(tape.value(adds.loss) == Approx(squares / 4000));
}

TEST_CASE("a curve's value: between its points, and level outside of them") {
  const spool::Series curve{.x = {1, 2, 4}, .y = {5, 3, 4}};
  CHECK(examples::value_at(curve, 0) == 5);
  CHECK(examples::value_at(curve, 1) == 5);
  CHECK(examples::value_at(curve, 1.5) == 4);
  CHECK(examples::value_at(curve, 3) == 3.5);
  CHECK(examples::value_at(curve, 4) == 4);
  CHECK(examples::value_at(curve, std::nextafter(4, 5)) == 4);
  const spool::Series point{.x = {100}, .y = {0.25}};
  for (const double x : {99.0, 100.0, 101.0}) CHECK(examples::value_at(point, x) == 0.25);
}
