// What the example programs reckon with beside networks: linear regression, windows of a series, n-grams, and
// lists of numbers on the command line.
#include <spool/spool.hpp>

#include <cmath>
#include <limits>

#include "../../examples/shared/least_squares.hpp"
#include "../../examples/shared/ngrams.hpp"
#include "../../examples/shared/program.hpp"
#include "../../examples/shared/windows.hpp"
#include "../catch.hpp"
#include "../error_text.hpp"
#include "../reference.hpp"

using namespace examples;
using spool::DType, spool::Philox, spool::Tensor;

namespace {

Tensor drawn(const spool::Shape& shape, Philox& random) {
  Tensor out(shape, DType::f64);
  for (std::size_t i = 0; i < out.size(); ++i) out.set(i, random.normal());
  return out;
}

constexpr WindowOptions eight_and_three{.seen = 8, .ahead = 3};

std::vector<double> any_series(std::size_t count) {
  Philox random(1);
  std::vector<double> series;
  for (std::size_t i = 0; i < count; ++i) series.push_back(random.uniform(1, 2));
  return series;
}

std::string windows_error(const std::vector<double>& series, const WindowOptions& options) {
  return text_of<spool::FileError>([&] { Windows("x.csv", series, options); });
}

std::vector<double> numbers_of_split(const std::string& text) {
  return numbers_of("split", text, "0.9,0.05,0.05");
}

std::string split_error(const std::string& text) {
  try {
    numbers_of_split(text);
  } catch (const UsageError& e) {
    return e.what;
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE("least squares are those worked by hand") {
  // x'x = [3 3; 3 5] and x'y = [7 3; 10 3]; times 1/3, and 1/3 more on the diagonal: [4 3; 3 6] W = x'y.
  const Tensor x({3, 2}, {1, 0, 1, 1, 1, 2}), y({3, 2}, {1, 1, 2, 1, 4, 1});
  check_close("W", least_squares(x, y, 1.0 / 3), Tensor({2, 2}, {0.8, 0.6, 19.0 / 15, 0.2}, DType::f64));
  // [2 3; 3 11] W = [1; 8], whose rows must be exchanged.
  check_close("exchanged", least_squares(Tensor({2, 2}, {1, 3, 0, 1}), Tensor({2, 1}, {1, 5}), 0.5),
              Tensor({2, 1}, {-1, 1}, DType::f64));
}

TEST_CASE("where the squares are least, their slope is zero") {
  constexpr std::int64_t N = 40, D = 7, K = 3;
  constexpr double ridge = 0.02;
  Philox random(1);
  const Tensor x = drawn({N, D}, random), y = drawn({N, K}, random), w = least_squares(x, y, ridge);
  REQUIRE(w.shape() == spool::Shape{D, K});
  for (std::size_t d = 0; d < D; ++d)
    for (std::size_t k = 0; k < K; ++k) {
      double slope = ridge * w.at(d * K + k);
      for (std::size_t n = 0; n < N; ++n) {
        double error = -y.at(n * K + k);
        for (std::size_t e = 0; e < D; ++e) error += x.at(n * D + e) * w.at(e * K + k);
        slope += x.at(n * D + d) * error / N;
      }
      CHECK(std::abs(slope) < 1e-12);
    }
}

TEST_CASE("least squares refuse what has no answer") {
  const Tensor x({3, 2}), y({3, 1});
  for (const double ridge : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN()})
    CHECK(shape_error([&] { least_squares(x, y, ridge); }) == "least_squares: the ridge must be above 0");
  CHECK(shape_error([&] {
          least_squares(x, Tensor({4, 1}), 1);
        }).starts_with("matmul: inner dimensions differ\n"));
}

TEST_CASE("what lies ahead of a window is all in its part") {
  const Windows windows("x.csv", any_series(100), eight_and_three);
  const auto covers = [](const Windows::Starts& starts, std::size_t begin, std::size_t end) {
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
  const Windows before("x.csv", series, eight_and_three);
  const auto same = [&](const Windows& after, Windows::Starts Windows::*part) {
    return after.unit == before.unit &&
           after.past(after.*part).doubles() == before.past(before.*part).doubles() &&
           after.future(after.*part).doubles() == before.future(before.*part).doubles();
  };
  const auto with_another = [&](std::size_t step) {
    std::vector<double> other = series;
    other[step] += 1000;
    return Windows("x.csv", other, eight_and_three);
  };
  for (const std::size_t step : {std::size_t{60}, std::size_t{79}, std::size_t{80}, std::size_t{99}}) {
    const Windows after = with_another(step);
    INFO(step);
    CHECK(same(after, &Windows::train));
    CHECK(same(after, &Windows::validation) == (step >= 80));
    CHECK(same(after, &Windows::test) == (step < 72));  // of which eight steps are seen
  }
  CHECK(!same(with_another(59), &Windows::train));
}

TEST_CASE("a window is told as differences to the last step seen") {
  std::vector<double> straight;  // whose differences over three steps are 6
  for (int i = 0; i < 40; ++i) straight.push_back(5 + 2 * i);
  const Windows windows("x.csv", straight, {.seen = 4, .ahead = 3});
  CHECK(windows.unit == Approx(6));
  const Windows::Starts two{0, 7};
  check_near("past", windows.past(two),
             Tensor({2, 4}, {-1, -2.0 / 3, -1.0 / 3, 0, -1, -2.0 / 3, -1.0 / 3, 0}), 1e-6);
  check_near("future", windows.future(two), Tensor({2, 3}, {1.0 / 3, 2.0 / 3, 1, 1.0 / 3, 2.0 / 3, 1}), 1e-6);
}

TEST_CASE("a number of a window is told as it stands in the series") {
  const std::vector<double> series = any_series(60);
  for (const bool logs : {false, true}) {
    const Windows windows("x.csv", series, {.seen = 8, .ahead = 3, .logs = logs});
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

TEST_CASE("n-grams: the probabilities worked by hand") {
  // Counted: 1, 0, 1 of the first line, and 2 of the second, whose first symbols are given; after 0 came 1
  // twice, after 1 came 0 once, after 2 came 2 once.
  const NGrams::Lines lines{{0, 1, 0, 1}, {2, 2}, {}};
  const NGrams ngrams(lines, 4);
  const std::vector<int> none, zero{0}, three{3}, one_zero{1, 0};
  const double p1 = (2 + 3 * 0.25) / (4 + 3);  // of 1, whatever was before: two of four, three kinds
  CHECK(ngrams.probability(none, 1, 6) == Approx(p1));
  CHECK(ngrams.probability(zero, 1, 1) == Approx(p1));
  CHECK(ngrams.probability(three, 1, 2) == Approx(p1));  // nothing was seen after 3
  const double p2 = (2 + 1 * p1) / (2 + 1);
  CHECK(ngrams.probability(zero, 1, 2) == Approx(p2));
  CHECK(ngrams.probability(one_zero, 1, 3) == Approx((1 + 1 * p2) / (1 + 1)));
  CHECK(ngrams.loss({{0, 1}, {3}, {3, 1}}, 2) == Approx(-(std::log(p2) + std::log(p1)) / 2));
}

TEST_CASE("n-grams: the probabilities of all symbols add up to 1") {
  spool::Philox random(7);
  NGrams::Lines lines(20);
  for (auto& line : lines)
    for (int n = 0; n < 30; ++n) line.push_back(static_cast<int>(random.below(5)));
  const NGrams ngrams(lines, 6);  // the last one never comes
  for (int order = 1; order <= 6; ++order)
    for (const auto& line : lines) {
      double sum = 0;
      for (int symbol = 0; symbol < 6; ++symbol) sum += ngrams.probability(line, symbol, order);
      CHECK(sum == Approx(1));
    }
}

TEST_CASE("n-grams: the best order is that of what made the text") {
  spool::Philox random(8);
  const auto line = [&](int length) {  // a symbol is the sum of the two before it, but for one in ten
    std::vector<int> all{1, 2};
    while (std::ssize(all) < length)
      all.push_back(random.below(10) == 0 ? static_cast<int>(random.below(10))
                                          : (all.end()[-1] + all.end()[-2]) % 10);
    return all;
  };
  const NGrams ngrams({line(20000)}, 10);
  CHECK(ngrams.best_order({line(2000)}) == 3);
}

TEST_CASE("n-grams: only as many orders as fit into 64 bits") {
  const NGrams::Lines lines{{0, 1 << 30, 5, 1 << 30, 5}};
  const NGrams ngrams(lines, (1 << 30) + 1);
  CHECK(ngrams.best_order(lines) <= 2);
  CHECK(ngrams.probability(std::vector<int>{5}, 1 << 30, 6) ==
        ngrams.probability(std::vector<int>{5}, 1 << 30, 2));
}

TEST_CASE("numbers stand on a command line with commas between them") {
  CHECK(numbers_of_split("0.9,0.05,-5e-2") == std::vector<double>{0.9, 0.05, -0.05});
  CHECK(numbers_of_split("").empty());
  CHECK(split_error("0.9;0.1") == "--split 0.9;0.1: '0.9;0.1' is not a number; write it like 0.9,0.05,0.05");
  CHECK(split_error("1,,2") == "--split 1,,2: '' is not a number; write it like 0.9,0.05,0.05");
  CHECK(split_error("1, 2") == "--split 1, 2: ' 2' is not a number; write it like 0.9,0.05,0.05");
}
