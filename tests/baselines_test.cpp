// Baselines that need no training: linear regression and n-grams, against values worked by hand and against
// what defines them.
#include <spool/spool.hpp>

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "error_text.hpp"
#include "reference.hpp"

using namespace spool;

namespace {

Tensor drawn(const Shape& shape, Philox& random) {
  Tensor out(shape, DType::f64);
  for (std::size_t i = 0; i < out.size(); ++i) out.set(i, random.normal());
  return out;
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
  REQUIRE(w.shape() == Shape{D, K});
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
  Philox random(7);
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
  Philox random(8);
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
