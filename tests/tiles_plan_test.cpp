// Which ops run together in tiles, as the plan's text shows.
#include <spool/spool.hpp>

#include "catch.hpp"

using namespace spool;

TEST_CASE("a layer norm runs tile by tile, folds of rows included") {
  Tape tape;
  const Var x = tanh(tape.input({4, 8}, "x"));
  CHECK(tape.plan_text(Vars{layer_norm(x)}) ==
        "   1  tiles     [32] tanh sum div sub square sum div add rsqrt mul -> 1\n");
  // One row of all elements, and folds along another axis, run by their own kernels.
  CHECK(tape.plan_text(Vars{sum(x)}) ==
        "   1  tiles     [32] tanh -> 1\n"
        "   2  eval      sum [1, 1]\n");
  // Rows may be of several lengths; where there are two numbers of them, folds keep out of it.
  const Var y = tape.input({4, 2}, "y"), row = sum(x, {1}, true);
  CHECK(tape.plan_text(Vars{y * row, x * row, x * sum(y * row, {1}, true)}) ==
        "   1  tiles     [32] tanh sum mul mul sum mul -> 3\n");
  CHECK(tape.plan_text(Vars{x * row, sum(reshape(x, {2, 16}), {1}, true)}) ==
        "   1  tiles     [32] tanh -> 1\n"
        "   2  eval      sum [4, 1]\n"
        "   3  tiles     [32] mul -> 1\n"
        "   4  eval      sum [2, 1]\n");
}

TEST_CASE("a cheap result that is read again much later is computed again") {
  const auto text = [](const char* passes) {
    Tape tape({.plan = passes});
    const Var a = tanh(tape.input({4, 8}, "x")), cheap = 1 - a;
    Var y = cheap * sigmoid(a);
    for (int i = 0; i < 20; ++i) y = matmul(y, tape.input({8, 8}));
    return tape.plan_text(Vars{y * cheap + a});
  };
  CHECK(text("").starts_with("   1  tiles     [32] tanh sub sigmoid mul -> 2\n"));
  CHECK(text("").ends_with("  22  tiles     [32] sub mul add -> 1\n"));
  CHECK(text("-sink").starts_with("   1  tiles     [32] tanh sub sigmoid mul -> 3\n"));
  CHECK(text("-sink").ends_with("  22  tiles     [32] mul add -> 1\n"));
}

TEST_CASE("an op on elements that each serve a row runs once a row") {
  Tape tape;
  const Var x = tape.input({4, 8}, "x"), row = tape.input({4, 1}, "row");
  const Var wide = broadcast_to(row, {4, 8}), one = broadcast_to(tape.input({1, 1}, "one"), {4, 8});
  CHECK(tape.plan_text(Vars{exp(2 * wide - one)}) == "   1  tiles     [4] mul sub exp -> 1\n");
  CHECK(tape.plan_text(Vars{x * exp(wide)}) == "   1  tiles     [32] exp mul -> 1\n");
}

TEST_CASE("slices of rows and what is joined of them stay in tiles") {
  Tape tape;
  const Var x = tanh(tape.input({4, 8}, "x"));
  const auto half = [&](int i) { return slice(x, 1, 4 * i, 4 * i + 4); };
  CHECK(tape.plan_text(Vars{concat({sigmoid(half(1)), half(0) * half(1)}, 1)}) ==
        "   1  tiles     [32] tanh sigmoid mul concat -> 1\n");
  // Parts that others read lie where they are joined; an input among the parts is copied there.
  const Var a = sigmoid(half(0)), b = tape.input({4, 3}, "b"), w = tape.input({4, 2}, "w");
  CHECK(tape.plan_text(Vars{concat({a, exp(half(1))}, 1), matmul(a, w)}) ==
        "   1  tiles     [32] tanh sigmoid exp concat -> 2\n"
        "   2  product   [4, 4] x input \"w\" [4, 2]\n");
  CHECK(tape.plan_text(Vars{concat({a, b}, 1)}) ==
        "   1  tiles     [32] tanh sigmoid -> 1\n"
        "   2  copy      1 of 2 parts of [4, 7]\n");
}
