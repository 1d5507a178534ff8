// Pictures in another size.
#include <spool/spool.hpp>

#include "catch.hpp"
#include "error_text.hpp"

using namespace spool;

namespace {

std::vector<double> fitted(const Tensor& pixels, std::int64_t size) {
  return fit_square(pixels, size).doubles();
}

}  // namespace

TEST_CASE("a picture fits a square by the means of areas, on white") {
  using Catch::Matchers::Approx;
  const Tensor four({2, 2, 1}, {0, 0.5, 0.25, 0.75});
  CHECK(fitted(four, 2) == four.doubles());
  CHECK_THAT(fitted(four, 1), Approx(std::vector<double>{0.375}));
  CHECK_THAT(fitted(four, 4),
             Approx(std::vector<double>{0, 0, .5, .5, 0, 0, .5, .5, .25, .25, .75, .75, .25, .25, .75, .75}));
  // A new pixel covers one and a half old ones.
  CHECK_THAT(fitted(Tensor({3, 3, 1}, {0, 0, 0, 0, 0.9, 0, 0, 0, 0}), 2),
             Approx(std::vector<double>(4, 0.1)));
  // Channels apart; black in the middle row, half white above and below.
  CHECK_THAT(fitted(Tensor({1, 2, 2}, {0, 1, 0, 0.5}), 2),
             Approx(std::vector<double>{.5, 1, .5, .75, .5, 1, .5, .75}));
  CHECK_THAT(fitted(Tensor({3, 1, 1}, {0, 0, 0}), 3), Approx(std::vector<double>{1, 0, 1, 1, 0, 1, 1, 0, 1}));
}

TEST_CASE("what can't fit a square is refused") {
  CHECK(
      shape_error([] {
        fit_square(Tensor({2, 2}), 2);
      }) ==
      "fit_square: pixels [2, 2] do not become a square of 2; they must be [H,W,C], and the size 1 or more");
  CHECK(shape_error([] { fit_square(Tensor({0, 2, 3}), 2); }).starts_with("fit_square: pixels [0, 2, 3] "));
  CHECK(shape_error([] {
          fit_square(Tensor({2, 2, 3}), 0);
        }).starts_with("fit_square: pixels [2, 2, 3] do not become a square of 0"));
}
