// Confusion: accuracies by hand and as scikit-learn defines them, classes without examples, none at all, and
// classes that are not there.
#include <spool/verify/confusion.hpp>

#include "catch.hpp"
#include "error_text.hpp"

using namespace spool;

TEST_CASE("accuracies of a few predictions") {
  Confusion c(4);
  for (const auto& [actual, predicted] :
       {std::pair{0, 0}, {0, 0}, {0, 1}, {0, 3}, {1, 1}, {3, 0}, {3, 3}, {3, 3}})
    c.add(actual, predicted);
  CHECK(c.count() == 8);
  CHECK(c.accuracy() == 5.0 / 8);
  CHECK(c.balanced_accuracy() == Approx((0.5 + 1 + 2.0 / 3) / 3).epsilon(1e-15));  // class 2 has none
  CHECK(c.most_frequent() == 0.5);
  CHECK(c.shares().doubles() ==
        std::vector<double>{0.5, 0.25, 0, 0.25, 0, 1, 0, 0, 0, 0, 0, 0, 1.0 / 3, 0, 0, 2.0 / 3});
}

TEST_CASE("of no examples all is 0") {
  const Confusion c(2);
  CHECK(c.accuracy() == 0);
  CHECK(c.balanced_accuracy() == 0);
  CHECK(c.most_frequent() == 0);
  CHECK(c.shares().doubles() == std::vector<double>(4, 0));
}

TEST_CASE("classes that are not there are refused, and change nothing") {
  Confusion c(3);
  CHECK(shape_error([&] { c.add(3, 0); }) == "Confusion: class 3 is outside 0..2");
  CHECK(shape_error([&] { c.add(0, -1); }) == "Confusion: class -1 is outside 0..2");
  CHECK(c.count() == 0);
  CHECK(shape_error([] { const Confusion none(0); }) == "Confusion: needs at least 1 class, not 0");
}
