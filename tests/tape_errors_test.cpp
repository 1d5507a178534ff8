// What the tape refuses, word for word.
#include <spool/spool.hpp>

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "error_text.hpp"

using namespace spool;

namespace {
template <class F>
std::string used(F&& f) {
  return here(tape_error(f));
}
}  // namespace

TEST_CASE("an empty handle is refused by the tape, as by the ops") {
  Tape tape;
  const Var x = tape.input(Tensor({2})), none;
  CHECK(used([&] { none.shape(); }) == "the Var is empty; it refers to no tape\n  used here");
  CHECK(tape_error([&] { tape.read(none); }) == "read: the Var is empty; it refers to no tape");
  CHECK(tape_error([&] { tape.run({none}); }) == "run: the Var is empty; it refers to no tape");
  CHECK(tape_error([&] { tape.set(none, Tensor({2})); }) == "set: the Var is empty; it refers to no tape");
  CHECK(used([&] { grad(none, x); }) == "grad: the Var is empty; it refers to no tape\n  used here");
  CHECK(used([&] { grad(sum(x), none); }) == "grad: the Var is empty; it refers to no tape\n  used here");
}

TEST_CASE("a handle from before clear() is stale") {
  Tape tape;
  const Var x = tape.input(Tensor({2}));
  tape.clear();
  const Var y = tape.input(Tensor({2}));
  CHECK(used([&] { x.shape(); }) == "the Var is stale; it was recorded before clear()\n  used here");
  CHECK(used([&] { tanh(x); }) == "tanh: the Var is stale; it was recorded before clear()\n  used here");
  CHECK(used([&] { y* x; }) == "mul: the Var is stale; it was recorded before clear()\n  used here");
  CHECK(tape_error([&] { tape.read(x); }) == "read: the Var is stale; it was recorded before clear()");
  CHECK(used([&] { grad(sum(y), x); }) ==
        "grad: the Var is stale; it was recorded before clear()\n  used here");
}

TEST_CASE("what is wrong with a handle is said with the line that uses it") {
  Tape tape, other;
  const Var x = tape.input(Tensor({2})), y = other.input(Tensor({2}));
#line 41 "my_model.cpp"
  const auto foreign = [&] { x + y; };
  const auto library = [&] { softplus(Var()); };
  const auto several = [&] { stack({x, y}); };
  const auto size = [&] { Var().shape(); };
  const auto gradient = [&] { grad(sum(x), y); };
#line 50 "tape_errors_test.cpp"
  CHECK(tape_error(foreign) == "add: the Var belongs to another tape\n  used at my_model.cpp:41");
  CHECK(tape_error(library) == "softplus: the Var is empty; it refers to no tape\n  used at my_model.cpp:42");
  CHECK(tape_error(several) == "stack: the Var belongs to another tape\n  used at my_model.cpp:43");
  CHECK(tape_error(size) == "the Var is empty; it refers to no tape\n  used at my_model.cpp:44");
  CHECK(tape_error(gradient) == "grad: the Var belongs to another tape\n  used at my_model.cpp:45");
}

TEST_CASE("two tapes do not mix, whatever the shapes") {
  Tape one, other;
  const Var x = one.input(Tensor({2, 3}));
  other.input(Tensor({9}));
  const Var y = other.input(Tensor({4, 5})), z = other.input(Tensor({2, 3}));
  CHECK(used([&] { x + z; }) == "add: the Var belongs to another tape\n  used here");
  CHECK(used([&] { x + y; }) == "add: the Var belongs to another tape\n  used here");
  CHECK(used([&] { matmul(x, y); }) == "matmul: the Var belongs to another tape\n  used here");
  CHECK(used([&] { matmul(x, other.input(Tensor({7}))); }) ==
        "matmul: the Var belongs to another tape\n  used here");
  CHECK(used([&] { stack({x, y}); }) == "stack: the Var belongs to another tape\n  used here");
  CHECK(used([&] { concat({x, z}, 0); }) == "concat: the Var belongs to another tape\n  used here");
  CHECK(tape_error([&] { one.read(y); }) == "read: the Var belongs to another tape");
  CHECK(used([&] { grad(sum(x), y); }) == "grad: the Var belongs to another tape\n  used here");
}

TEST_CASE("slots: what has no data, and what can't take it") {
  Tape tape;
#line 10 "my_model.cpp"
  const Var x = tape.input(Shape{2, 3}, "x");
  const Var y = tanh(x);
#line 100 "tape_errors_test.cpp"
  CHECK(tape_error([&] { tape.run({y}); }) ==
        "input \"x\" [2, 3] has no data; call set() before running\n  recorded at my_model.cpp:10");
  CHECK(shape_error([&] {
          tape.set(x, Tensor({3, 2}));
        }) == "set: input \"x\" is [2, 3]; it can't take data of shape [3, 2]");
  CHECK(shape_error([&] {
          tape.set(x, std::vector{1, 2});
        }) == "set: input \"x\" is [2, 3]; it can't take 2 numbers");
  CHECK(tape_error([&] { tape.set(y, Tensor({2, 3})); }) == "set: tanh is not an input");
  CHECK(tape_error([&] { tape.tokens({1}, std::vector{(1 << 24) + 1}); }) ==
        "set: 16777217 is too large for a float to hold exactly; use a tape of f64");
  CHECK(shape_error([&] { tape.tokens({3}, std::vector{1}); }) == "tokens: shape [3] holds 3 numbers, not 1");
  tape.set(x, Tensor({2, 3}));
  CHECK(tape.read(y) == Tensor({2, 3}));
}

TEST_CASE("a value that was not asked for can't be read once parameters have changed") {
  Param w("w", Tensor({2}, {1, 2}));
  Tape tape;
  const Var y = tape.param(w) * 2, z = tape.param(w) * 3;
  tape.run({y});
  w.assign(Tensor({2}, {5, 5}));
  CHECK(tape.read(y) == Tensor({2}, {2, 4}));  // as the run left it
  CHECK(tape_error([&] { tape.read(z); }) ==
        "read: mul [2] was not asked for in the last run, and parameters have changed since; name it in that "
        "run");
  tape.run({y, z});
  CHECK(tape.read(z) == Tensor({2}, {15, 15}));

  Param late("late", Tensor({2}, {1, 1}));  // a parameter that joins after the run counts from its first read
  const Var a = tape.param(late) + 0, b = tape.param(late) + 1;
  CHECK(tape.read(a) == Tensor({2}, {1, 1}));
  late.edit().set(0, 9);
  CHECK(tape_error([&] { tape.read(b); }).starts_with("read: add [2] was not asked for"));
}

TEST_CASE("a parameter that changed its shape under a tape is refused") {
  Param w("w", Tensor({2}));
  Tape tape;
  const Var y = tape.param(w) * 2;
  w.edit() = Tensor({3});
  CHECK(shape_error([&] { tape.run({y}); }) ==
        "param \"w\" was recorded as [2] and now holds [3]; record the tape again");
  tape.clear();
  CHECK(tape.read(tape.param(w) * 2).shape() == Shape{3});
}

TEST_CASE("check_finite names the first op that goes wrong") {
  Tape tape(TapeOptions{.check_finite = true});
  const Var x = tape.input(Tensor({2}, {1, -1}), "x");
  Var y;
  {
    const Scope scope(tape, "encoder"), step(tape, "t", 3);
#line 41 "my_model.cpp"
    y = sum(log(x) * 0);
#line 200 "tape_errors_test.cpp"
  }
  const std::string nan = fmt::format("{}", std::log(-1.0));  // the sign of NaN is the machine's own
  CHECK(tape_error([&] { tape.run({y}); }) ==
        "log: element 1 is " + nan +
            ", not a finite number\n  a  input \"x\"  [2]\n  recorded at my_model.cpp:41");
  tape.set(x, Tensor({2}, {1, std::numeric_limits<double>::infinity()}));
  CHECK(tape_error([&] {
          tape.run({y});
        }).starts_with("input \"x\": element 1 is inf, not a finite number\n  recorded at "));
  tape.set(x, Tensor({2}, {1, 2}));
  CHECK(tape.value(y) == 0);
}

TEST_CASE("a shape error shows operands, scopes and the user's line") {
  Tape tape;
  const Param wh("wh", Tensor({256, 512}));
  Var h;
  {
    const Scope encoder(tape, "encoder"), layer(tape, "lstm0"), step(tape, "t", 17);
    h = tanh(tape.input(Tensor({32, 128})));
  }
  const Var w = tape.param(wh);
#line 41 "my_model.cpp"
  const auto product = [&] { matmul(h, w); };
#line 300 "tape_errors_test.cpp"
  CHECK(shape_error(product) ==
        "matmul: inner dimensions differ\n"
        "  a  tanh        [32, 128]   in encoder/lstm0/t=17\n"
        "  b  param \"wh\"  [256, 512]\n"
        "  recorded at my_model.cpp:41");
}

TEST_CASE("shapes that can't be") {
  CHECK(shape_error([] { Shape({2, -1}); }) == "shape [2, -1]: a size is negative");
  CHECK(shape_error([] { Shape({1, 1, 1, 1, 1, 1, 1, 1, 1}); }) == "a shape has at most 8 axes, not 9");
}

TEST_CASE("tensors refuse what does not fit") {
  CHECK(shape_error([] { Tensor({2, 2}, {1, 2, 3}); }) == "a tensor of shape [2, 2] holds 4 values, not 3");
  CHECK(shape_error([] { static_cast<void>(Tensor({2}).item()); }) ==
        "item() needs one element; this tensor is [2]");
  CHECK(shape_error([] { static_cast<void>(Tensor({2}).at(2)); }) ==
        "element 2 of a tensor of shape [2], which has 2");
  CHECK(tape_error([] { Tensor({2}).as<double>(); }) ==
        "this tensor holds f32; convert it first with to(DType)");
  Param w("w", Tensor({2}));
  CHECK(shape_error([&] { w.assign(Tensor({3})); }) ==
        "parameter \"w\" is [2]; it can't take values of shape [3]");
}
