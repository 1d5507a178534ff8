// Flipping and padding: values by hand, gradients, and misuse.
#include <spool/spool.hpp>

#include <limits>

#include "catch.hpp"

using namespace spool;

namespace {
std::vector<double> values(Var v) { return v.tape().read(v).doubles(); }
using Numbers = std::vector<double>;
}  // namespace

TEST_CASE("flip reverses one axis or several") {
  Tape tape;
  const Var x = tape.input(Tensor({2, 3}, {1, 2, 3, 4, 5, 6}));
  CHECK(values(flip(x, 0)) == Numbers{4, 5, 6, 1, 2, 3});
  CHECK(values(flip(x, -1)) == Numbers{3, 2, 1, 6, 5, 4});
  CHECK(values(flip(x, {0, 1})) == Numbers{6, 5, 4, 3, 2, 1});
  CHECK(flip(x, {}) == x);
  const Var w = tape.input(Tensor({2, 3}, {1, 10, 100, 1000, 1e4, 1e5}));
  CHECK(values(grad(sum(flip(x, 1) * w), x)) == Numbers{100, 10, 1, 1e5, 1e4, 1000});
}

TEST_CASE("pad puts a value around, and its gradient cuts it off") {
  Tape tape;
  const Var x = tape.input(Tensor({1, 2}, {1, 2}), "x");
  CHECK(values(pad(x, {{1, 0}, {0, 2}})) == Numbers{0, 0, 0, 0, 1, 2, 0, 0});
  CHECK(values(pad(x, {{0, 1}, {1, 0}}, 7)) == Numbers{7, 1, 2, 7, 7, 7});
  constexpr double inf = std::numeric_limits<double>::infinity();
  CHECK(values(pad(x, {{}, {1, 1}}, -inf)) == Numbers{-inf, 1, 2, -inf});
  CHECK(pad(x, {{}, {}}) == x);
  const Var w = tape.input(Tensor({2, 4}, {1, 2, 3, 4, 5, 6, 7, 8}));
  for (const double value : {0.0, 7.0})
    CHECK(values(grad(sum(pad(x, {{1, 0}, {1, 1}}, value) * w), x)) == Numbers{6, 7});
#line 41 "my_model.cpp"
  const auto pad_one_axis = [&] { pad(x, {{1, 0}}); };
  CHECK_THROWS_WITH(pad_one_axis(),
                    "pad: needs {before, after} for each axis, not 1 of them\n  a  input \"x\"  [1, 2]\n"
                    "  recorded at my_model.cpp:41");
#line 51 "my_model.cpp"
  const auto pad_below_zero = [&] { pad(x, {{}, {-1, 0}}); };
  CHECK_THROWS_WITH(pad_below_zero(),
                    "pad: the padding {-1, 0} of axis 1 is negative; use slice\n  a  input \"x\"  [1, 2]\n"
                    "  recorded at my_model.cpp:51");
}
