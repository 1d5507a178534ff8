// Hostile use of all ops: axes of size 0 and 1 in every place, eight axes, NaN and infinity, handles that are
// empty, stale or of another tape. Nothing crashes; a mistake is a ShapeError or TapeError.
#include <spool/spool.hpp>

#include "catch.hpp"

#include <functional>
#include <limits>
#include <string>

using namespace spool;

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

namespace {

template <class E>
std::string first_line_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const E& e) {
    const std::string text = e.what();
    return text.substr(0, text.find('\n'));
  }
  return "no error";
}

}  // namespace

TEST_CASE("an empty Var is never taken for a number") {
  Tape tape;
  const Var x = tape.input(Tensor({2, 3})), empty;
  const auto text = [](const std::function<void()>& f) { return first_line_of<TapeError>(f); };
  CHECK(text([&] { x + empty; }) == "add: the Var is empty; it refers to no tape");
  CHECK(text([&] { empty* x; }) == "mul: the Var is empty; it refers to no tape");
  CHECK(text([&] { tanh(empty); }) == "tanh: the Var is empty; it refers to no tape");
  CHECK(text([&] { concat({x, empty}, 0); }) == "concat: the Var is empty; it refers to no tape");
  CHECK(text([&] { matmul(x, empty); }) == "matmul: the Var is empty; it refers to no tape");
  CHECK(text([&] { reshape(empty, Shape{6}); }) == "the Var is empty; it refers to no tape");
  CHECK(text([&] { sum(empty); }) == "sum: the Var is empty; it refers to no tape");
  CHECK(text([&] { gather(x, empty, 0); }) == "gather: the Var is empty; it refers to no tape");
  CHECK(text([&] { grad(sum(x), empty); }) == "grad: the Var is empty; it refers to no tape");
}

TEST_CASE("sizes too large to count are refused, whichever op makes them") {
  Tape tape;
  constexpr std::int64_t large = std::int64_t{1} << 40, largest = std::numeric_limits<std::int64_t>::max();
  const Var row = tape.constant(1, {1, large}), column = tape.constant(1, {large, 1});
  const auto text = [](const std::function<void()>& f) { return first_line_of<ShapeError>(f); };
  const std::string square = "shape [1099511627776, 1099511627776]: too many elements";
  CHECK(text([&] { row + column; }) == square);
  CHECK(text([&] { matmul(column, row); }) == square);
  CHECK(text([&] { place(row, 0, 0, large); }) == square);
  CHECK(text([&] { one_hot(tape.constant(1, {large}), large); }) == square);
  const Var half = tape.constant(1, {std::int64_t{1} << 61});
  CHECK(text([&] { concat({half, half, half}, 0); }) == "shape [6917529027641081856]: too many elements");
  CHECK(text([&] { place(row, 0, largest, largest); }) ==
        "place: size 1 at 9223372036854775807 does not fit an extent of 9223372036854775807");
  CHECK(text([&] {
          Shape({0, largest, largest});
        }) == "shape [0, 9223372036854775807, 9223372036854775807]: too many elements");
}

#ifndef __SANITIZE_ADDRESS__  // whose operator new ends the program instead of throwing
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
