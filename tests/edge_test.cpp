// Hostile use of all ops: axes of size 0 and 1 in every place, eight axes, NaN and infinity, handles that are
// empty, stale or of another tape. Nothing crashes; a mistake is a ShapeError or TapeError.
#include <spool/spool.hpp>

#include "catch.hpp"

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
