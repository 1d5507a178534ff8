// The tape itself: recording, handles, errors, depth.
#include <spool/spool.hpp>

#include "catch.hpp"

using namespace spool;

TEST_CASE("equal ops are one node") {
  Tape tape;
  const Var x = tape.input(Tensor({2, 3}));
  CHECK(tanh(x) == tanh(x));
  CHECK(transpose(x) == transpose(x));
  CHECK(tanh(x) != sigmoid(x));
}

TEST_CASE("a chain of a million steps records, differentiates and runs") {
  Tape tape;
  const Var first = tape.input(Tensor({1}, {0.5}));
  Var x = first;
  for (int i = 0; i < 1'000'000; ++i) x = tanh(x);
  const Var g = grad(sum(x), first);
  tape.run({x, g});
  CHECK(tape.read(x).at(0) == Approx(0.0012247).epsilon(1e-3));  // ~ sqrt(3 / 2n)
  CHECK(tape.read(g).at(0) > 0);
}

namespace {
struct Pair {
  Var h, c;
};
struct Deep {
  std::vector<Pair> layers;
  std::array<Var, 2> extra;
};
}  // namespace

TEST_CASE("states of any structure flatten, rebuild and carry over") {
  Tape tape;
  const auto number = [&](double v) { return tape.constant(v, {2}); };
  const Deep deep{{{number(1), number(2)}, {number(3), number(4)}}, {number(5), number(6)}};
  CHECK(flatten(deep).size() == 6);
  CHECK(flatten(std::tuple{number(1), Pair{number(2), number(3)}})[2] == number(3));
  const Deep back = rebuild(deep, flatten(deep));
  CHECK(back.layers[1].c == deep.layers[1].c);
  const Carried carried(deep);
  Tape next;
  CHECK(next.read(carried.on(next).extra[1]).at(1) == 6);
}
