// Hostile use of all ops. Every row of the op table meets operands of odd shapes and odd numbers, empty and
// stale ones and those of another tape: it works or throws a ShapeError or TapeError, and never anything
// else. Then the cases that once went wrong, or easily could.
#include "catch.hpp"
#include "op_table.hpp"
#include "sanitizers.hpp"

#include <functional>
#include <limits>
#include <regex>
#include <string>

using namespace spool;
using namespace spool::test;

namespace {

// What came of a hostile call: "", a user's error, or (failing the test) anything else.
std::string outcome(const std::function<void()>& f) {
  std::string text;
  try {
    f();
    return text;
  } catch (const Error& e) {
    text = e.what();
    CHECK((dynamic_cast<const ShapeError*>(&e) != nullptr || dynamic_cast<const TapeError*>(&e) != nullptr));
  } catch (const std::exception& e) {
    FAIL_CHECK("not an error for users: " << e.what());
  }
  return text;
}

// Its first line.
std::string survive(const std::function<void()>& f) {
  const std::string text = outcome(f);
  return text.substr(0, text.find('\n'));
}

// Records the row on the given operands; then its gradients; then runs all of it, in 113 bits too.
void record_and_run(const OpRow& row, const std::vector<Tensor>& operands, DType dtype) {
  Tape tape(dtype);
  Vars in;
  for (const Tensor& t : operands) in.push_back(tape.input(t));
  const Var out = row.f(tape, in);
  tape.run({out});
  if (out.shape().size() > 10'000) return;
  Vars all = grad(sum(out), in);
  all.push_back(out);
  tape.run(all);
  run_plain<Quad>(tape, all);
}

std::vector<Tensor> operands_of(const Sample& sample) {
  std::vector<Tensor> all;
  for (const In& i : sample.in) all.emplace_back(i.shape, std::span<const double>(i.values), DType::f64);
  return all;
}

// Calls f for every row of the table, sample and operand.
void for_each_operand(const std::function<void(const OpRow&, const Sample&, std::size_t)>& f) {
  for (const OpRow& row : all_rows())
    for (const Sample& sample : row.samples)
      for (std::size_t i = 0; i < sample.in.size(); ++i) {
        INFO(row.name << ", operand " << i << " of shape " << sample.in[i].shape.text());
        f(row, sample, i);
      }
}

}  // namespace

TEST_CASE("every op survives operands of odd shapes") {
  const Shape odd[] = {{},
                       {0},
                       {1},
                       {7},
                       {0, 0},
                       {1, 1},
                       {3, 0, 2},
                       {0, 2, 3},
                       {2, 1, 0, 1},
                       {1, 2, 1, 1, 2, 1, 0, 1},
                       {2, 1, 1, 1, 1, 1, 1, 3}};
  for_each_operand([&](const OpRow& row, const Sample& sample, std::size_t i) {
    for (const Shape& shape : odd) {
      INFO("becomes " << shape.text());
      std::vector<Tensor> operands = operands_of(sample);
      operands[i] = Tensor(shape, DType::f64);
      survive([&] { record_and_run(row, operands, DType::f64); });
    }
  });
}

TEST_CASE("every op survives odd numbers") {
  constexpr double inf = std::numeric_limits<double>::infinity();
  for_each_operand([&](const OpRow& row, const Sample& sample, std::size_t i) {
    for (const double odd : {std::numeric_limits<double>::quiet_NaN(), inf, -inf, 1e300, -1e300, 1e18, -1.0,
                             0.5, -0.0, 5e-324}) {
      INFO("becomes " << odd);
      for (const bool all : {true, false}) {
        std::vector<Tensor> operands = operands_of(sample);
        for (std::size_t k = 0; k < operands[i].size(); k += all ? 1 : 3) operands[i].set(k, odd);
        survive([&] { record_and_run(row, operands, DType::f64); });
        survive([&] { record_and_run(row, operands, DType::f32); });
      }
    }
  });
}

TEST_CASE("every op refuses operands that are empty, stale or of another tape") {
  for_each_operand([&](const OpRow& row, const Sample& sample, std::size_t i) {
    Tape tape(DType::f64), other(DType::f64);
    const std::vector<Tensor> operands = operands_of(sample);
    const Var stale = tape.input(operands[i]);
    tape.clear();
    Vars in;
    for (const Tensor& t : operands) in.push_back(tape.input(t));
    const auto with = [&](Var v) {
      in[i] = v;
      static const std::regex line("used at [a-z_]*_rows.cpp:[0-9]+");  // where the row calls the op
      return std::regex_replace(outcome([&] { row.f(tape, in); }), line, "used here");
    };
    CHECK(with(stale).ends_with("the Var is stale; it was recorded before clear()\n  used here"));
    CHECK(with({}).ends_with("the Var is empty; it refers to no tape\n  used here"));
    if (in.size() > 1)
      CHECK(with(other.input(operands[i])).ends_with("the Var belongs to another tape\n  used here"));
  });
}

TEST_CASE("matrix products over axes of size 0") {
  Tape tape(DType::f64);
  for (const std::int64_t m : {0, 2})
    for (const std::int64_t k : {0, 3})
      for (const std::int64_t n : {0, 4})
        for (const std::int64_t b : {0, 5}) {
          INFO("b " << b << " m " << m << " k " << k << " n " << n);
          const Var x = tape.input(Tensor({b, m, k}, DType::f64));
          for (const Shape& s : {Shape{k, n}, Shape{b, k, n}, Shape{1, k, n}}) {
            const Var w = tape.input(Tensor(s, DType::f64));
            const Var y = matmul(x, w);
            CHECK(tape.read(y) == Tensor({b, m, n}, DType::f64));
            const Vars g = grad(sum(y), {x, w});
            tape.run(g);
            CHECK(tape.read(g[1]) == Tensor(s, DType::f64));
          }
        }
}

TEST_CASE("reshape works out a size, or says that it can't") {
  Tape tape;
  const Var x = tape.input(Tensor({4, 3}));
  CHECK(reshape(x, {2, -1}).shape() == Shape{2, 6});
  CHECK(reshape(x, {-1}).shape() == Shape{12});
  CHECK(reshape(tape.input(Tensor({0, 3})), {-1, 3}).shape() == Shape{0, 3});
  CHECK_THROWS_AS(reshape(x, {5, -1}), ShapeError);
  CHECK_THROWS_AS(reshape(x, {-1, -1}), ShapeError);
  CHECK_THROWS_WITH(reshape(tape.input(Tensor({0, 3})), {0, -1}),
                    Catch::Contains("reshape: the size -1 does not follow from the others"));
}

TEST_CASE("an empty Var is never taken for a number") {
  Tape tape;
  const Var x = tape.input(Tensor({2, 3})), empty;
  CHECK(survive([&] { x + empty; }) == "add: the Var is empty; it refers to no tape");
  CHECK(survive([&] { empty* x; }) == "mul: the Var is empty; it refers to no tape");
  CHECK(survive([&] { tanh(empty); }) == "tanh: the Var is empty; it refers to no tape");
  CHECK(survive([&] { concat({x, empty}, 0); }) == "concat: the Var is empty; it refers to no tape");
  CHECK(survive([&] { matmul(x, empty); }) == "matmul: the Var is empty; it refers to no tape");
  CHECK(survive([&] { reshape(empty, Shape{6}); }) == "reshape: the Var is empty; it refers to no tape");
  CHECK(survive([&] { sum(empty); }) == "sum: the Var is empty; it refers to no tape");
  CHECK(survive([&] { gather(x, empty, 0); }) == "gather: the Var is empty; it refers to no tape");
  CHECK(survive([&] { grad(sum(x), empty); }) == "grad: the Var is empty; it refers to no tape");
}

TEST_CASE("sizes too large to count are refused, whichever op makes them") {
  Tape tape;
  constexpr std::int64_t large = std::int64_t{1} << 40, largest = std::numeric_limits<std::int64_t>::max();
  const Var row = tape.constant(1, {1, large}), column = tape.constant(1, {large, 1});
  const std::string square = "shape [1099511627776, 1099511627776]: too many elements";
  CHECK(survive([&] { row + column; }) == square);
  CHECK(survive([&] { matmul(column, row); }) == square);
  CHECK(survive([&] { place(row, 0, 0, large); }) == square);
  CHECK(survive([&] { one_hot(tape.constant(1, {large}), large); }) == square);
  const Var half = tape.constant(1, {std::int64_t{1} << 61});
  CHECK(survive([&] { concat({half, half, half}, 0); }) == "shape [6917529027641081856]: too many elements");
  CHECK(survive([&] { place(row, 0, largest, largest); }) ==
        "place: size 1 at 9223372036854775807 does not fit an extent of 9223372036854775807");
  CHECK(survive([&] {
          Shape({0, largest, largest});
        }) == "shape [0, 9223372036854775807, 9223372036854775807]: too many elements");
}

#ifndef SPOOL_ADDRESS_SANITIZER  // whose operator new ends the program instead of throwing
TEST_CASE("a value too large for memory is an error of the run with the op's line") {
  Tape tape;
  const Var big = tape.constant(1, {std::int64_t{1} << 60});
  CHECK_THROWS_WITH(
      tape.run({sum(big)}),
      Catch::Contains("constant: no memory for a result of [1152921504606846976]\n  recorded at "
                      "edge_test.cpp:"));
  CHECK(tape.value(sum(tape.constant(1, {3}))) == 3);  // and the tape lives on
}
#endif
