// Windows of a series: what is in them, and that no part knows of a later one.
#include <spool/spool.hpp>

#include <fmt/format.h>

#include <limits>

#include "catch.hpp"
#include "error_text.hpp"
#include "reference.hpp"

using namespace spool;

namespace {

constexpr SeriesWindowOptions eight_and_three{.seen = 8, .ahead = 3};

std::vector<double> any_series(std::size_t count) {
  Philox random(1);
  std::vector<double> series;
  for (std::size_t i = 0; i < count; ++i) series.push_back(random.uniform(1, 2));
  return series;
}

std::string windows_error(const std::vector<double>& series, const SeriesWindowOptions& options) {
  return text_of<FileError>([&] { SeriesWindows("x.csv", series, options); });
}

}  // namespace

TEST_CASE("what lies ahead of a window is all in its part") {
  const SeriesWindows windows("x.csv", any_series(100), eight_and_three);
  const auto covers = [](const SeriesWindows::Starts& starts, std::size_t begin, std::size_t end) {
    // Each step of a part that has eight before it is the first ahead of one window, but for the last two.
    REQUIRE(starts.size() == end - begin - 2);
    for (std::size_t i = 0; i < starts.size(); ++i) CHECK(starts[i] + 8 == begin + i);
  };
  covers(windows.train, 8, 60);
  covers(windows.validation, 60, 80);
  covers(windows.test, 80, 100);
}

TEST_CASE("what comes later changes no earlier window") {
  const std::vector<double> series = any_series(100);
  const SeriesWindows before("x.csv", series, eight_and_three);
  const auto same = [&](const SeriesWindows& after, SeriesWindows::Starts SeriesWindows::*part) {
    return after.unit == before.unit &&
           after.past(after.*part).doubles() == before.past(before.*part).doubles() &&
           after.future(after.*part).doubles() == before.future(before.*part).doubles();
  };
  const auto with_another = [&](std::size_t step) {
    std::vector<double> other = series;
    other[step] += 1000;
    return SeriesWindows("x.csv", other, eight_and_three);
  };
  for (const std::size_t step : {std::size_t{60}, std::size_t{79}, std::size_t{80}, std::size_t{99}}) {
    const SeriesWindows after = with_another(step);
    INFO(step);
    CHECK(same(after, &SeriesWindows::train));
    CHECK(same(after, &SeriesWindows::validation) == (step >= 80));
    CHECK(same(after, &SeriesWindows::test) == (step < 72));  // of which eight steps are seen
  }
  CHECK(!same(with_another(59), &SeriesWindows::train));
}

TEST_CASE("a window is told as differences to the last step seen") {
  std::vector<double> straight;  // whose differences over three steps are 6
  for (int i = 0; i < 40; ++i) straight.push_back(5 + 2 * i);
  const SeriesWindows windows("x.csv", straight, {.seen = 4, .ahead = 3});
  CHECK(windows.unit == Approx(6));
  const SeriesWindows::Starts two{0, 7};
  check_near("past", windows.past(two),
             Tensor({2, 4}, {-1, -2.0 / 3, -1.0 / 3, 0, -1, -2.0 / 3, -1.0 / 3, 0}), 1e-6);
  check_near("future", windows.future(two), Tensor({2, 3}, {1.0 / 3, 2.0 / 3, 1, 1.0 / 3, 2.0 / 3, 1}), 1e-6);
}

TEST_CASE("a number of a window is told as it stands in the series") {
  const std::vector<double> series = any_series(60);
  for (const bool logs : {false, true}) {
    const SeriesWindows windows("x.csv", series, {.seen = 8, .ahead = 3, .logs = logs});
    const Tensor all = windows.steps(windows.test, 0, 11);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const std::size_t start = windows.test[i / 11];
      CHECK(windows.original(start, all.at(i)) == Approx(series[start + i % 11]));
    }
  }
}

TEST_CASE("a series without windows is refused") {
  CHECK(windows_error({1, 2, 3, 4, 5}, eight_and_three) == "x.csv: 5 rows are too few to forecast 3 from 8");
  CHECK(windows_error({}, eight_and_three) == "x.csv: 0 rows are too few to forecast 3 from 8");
  // 13 rows train on 7, enough; but two rows are not enough to validate.
  CHECK(windows_error(any_series(13), {.seen = 2, .ahead = 4}) ==
        "x.csv: 13 rows are too few to forecast 4 from 2");
  CHECK(windows_error(std::vector<double>(100, 7), eight_and_three) == "x.csv: the series never changes");
  std::vector<double> huge = any_series(100);
  huge[20] = 1e300;
  CHECK(windows_error(huge, eight_and_three) == "x.csv: the series changes by more than can be squared");
  std::vector<double> series = any_series(100);
  series[90] = -1;
  CHECK(windows_error(series, {.seen = 8, .ahead = 3, .logs = true}) == "x.csv: -1 has no logarithm");
}

TEST_CASE("windows without steps, and steps outside the series, are refused") {
  const std::vector<double> series = any_series(100);
  CHECK(shape_error([&] { SeriesWindows("x.csv", series, {.seen = 0, .ahead = 2}); }) ==
        "SeriesWindows: needs a step seen and one ahead at least, not 0 and 2");
  CHECK(shape_error([&] { SeriesWindows("x.csv", series, {.seen = 2}); }) ==
        "SeriesWindows: needs a step seen and one ahead at least, not 2 and 0");
  constexpr std::size_t huge = std::numeric_limits<std::size_t>::max() - 1;
  CHECK(windows_error(series, {.seen = 2, .ahead = huge}) ==
        fmt::format("x.csv: 100 rows are too few to forecast {} from 2", huge));
  const SeriesWindows windows("x.csv", series, eight_and_three);
  CHECK(windows.past(std::vector<std::size_t>{92}).shape() == Shape{1, 8});
  CHECK(shape_error([&] { windows.future(std::vector<std::size_t>{90}); }) ==
        "SeriesWindows: steps 8 to 11 of a window at 90 are outside a series of 100");
}

TEST_CASE("a series with what is not finite is refused, wherever that is") {
  for (const std::size_t place : {std::size_t{3}, std::size_t{70}, std::size_t{99}}) {
    std::vector<double> series = any_series(100);
    series[place] = std::numeric_limits<double>::quiet_NaN();
    CHECK(windows_error(series, eight_and_three) == "x.csv: nan is not finite");
  }
}
