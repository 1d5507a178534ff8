// Baselines that need no training: linear regression and n-grams, against values worked by hand and against
// what defines them.
#include <spool/spool.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "catch.hpp"
#include "error_text.hpp"
#include "reference.hpp"

using namespace spool;
using Word = std::vector<int>;

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
  CHECK(shape_error([] {
          least_squares(Tensor({3}), Tensor({3, 1}), 1);
        }) == "least_squares: needs x [N,D] and y [N,K] with rows, not [3] and [3, 1]");
  CHECK(shape_error([] {
          least_squares(Tensor({0, 2}), Tensor({0, 1}), 1);
        }) == "least_squares: needs x [N,D] and y [N,K] with rows, not [0, 2] and [0, 1]");
  const Tensor twice({2, 2}, {1e8, 1e8, 1e8, 1e8});
  CHECK(tape_error([&] {
          least_squares(twice, Tensor({2, 1}), 1e-3);
        }) == "least_squares: columns of x depend on each other; use a larger ridge");
}

namespace {

// Modified Kneser-Ney as its definition reads, with words for n-grams and sets for what they come after.
class KneserNey {
 public:
  KneserNey(NGrams::Lines lines, int symbols) : lines_(std::move(lines)), symbols_(symbols) {}

  double probability(Word context, int symbol, bool highest = true) const {
    const auto lower = [&] {
      return context.empty() ? 1.0 / symbols_
                             : probability({context.begin() + 1, context.end()}, symbol, false);
    };
    std::map<Word, int> counts = counted(context.size() + 1, highest);
    std::vector<double> with(5);
    for (const auto& [gram, count] : counts)
      if (count <= 4) ++with[static_cast<std::size_t>(count)];
    const auto discount = [&](int count) {
      const auto k = static_cast<std::size_t>(std::min(count, 3));
      const double c = static_cast<double>(k), y = with[1] / (with[1] + 2 * with[2]);
      if (with[1] == 0 || with[2] == 0 || with[k] == 0) return c / 2;
      return std::min(c, std::max(0.1, c - (c + 1) * y * with[k + 1] / with[k]));
    };
    double total = 0, spare = 0;
    for (int s = 0; s < symbols_; ++s) {
      const auto found = counts.find(with_end(context, s));
      if (found == counts.end()) continue;
      total += found->second;
      spare += discount(found->second);
    }
    if (total == 0) return lower();
    const int count = counts[with_end(context, symbol)];
    return ((count > 0 ? count - discount(count) : 0) + spare * lower()) / total;
  }

 private:
  static Word with_end(Word word, int symbol) {
    word.push_back(symbol);
    return word;
  }
  std::map<Word, int> counted(std::size_t n, bool highest) const {
    std::map<Word, int> counts;
    std::map<Word, std::set<int>> after;
    for (const Word& line : lines_)
      for (std::size_t end = 2; end <= line.size(); ++end) {
        if (end < n) continue;
        const auto begin = line.begin() + std::ptrdiff_t(end - n);
        const Word gram(begin, line.begin() + std::ptrdiff_t(end));
        if (highest || end == n)
          ++counts[gram];
        else
          after[gram].insert(begin[-1]);
      }
    for (const auto& [gram, symbols] : after) counts[gram] += static_cast<int>(symbols.size());
    return counts;
  }

  NGrams::Lines lines_;
  int symbols_;
};

}  // namespace

TEST_CASE("n-grams: the probabilities are those of the definition") {
  Philox random(3);
  NGrams::Lines lines(8);
  for (Word& line : lines)
    for (int n = 0; n < 25; ++n) line.push_back(static_cast<int>(std::min(random.below(5), random.below(5))));
  const NGrams ngrams(lines, 5, 4);
  const KneserNey expected(lines, 5);
  for (int order = 1; order <= 4; ++order)
    for (int n = 0; n < 40; ++n) {
      Word context(static_cast<std::size_t>(order - 1));
      for (int& symbol : context) symbol = static_cast<int>(random.below(5));
      const int symbol = static_cast<int>(random.below(5));
      INFO("order " << order << ", case " << n);
      CHECK(ngrams.probability(context, symbol, order) == Approx(expected.probability(context, symbol)));
    }
}

TEST_CASE("n-grams: only the symbols that an order looks at count, and those of a line that are not given") {
  const NGrams::Lines lines{{0, 1, 0, 1, 2, 0, 0, 1, 1, 2, 0, 1}, {2, 2}, {}};
  const NGrams ngrams(lines, 4);
  const Word far{3, 3, 0}, near{0};
  CHECK(ngrams.probability(far, 1, 2) == ngrams.probability(near, 1, 2));
  CHECK(ngrams.probability(near, 1, 6) == ngrams.probability(near, 1, 2));  // no more is there
  CHECK(
      ngrams.loss({{0, 1}, {3}, {3, 1}}, 2) ==
      Approx(-(std::log(ngrams.probability(near, 1, 2)) + std::log(ngrams.probability(Word{3}, 1, 2))) / 2));
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
  const Word before{0, 1 << 30, 5};
  CHECK(ngrams.probability(before, 1 << 30, 6) == ngrams.probability(before, 1 << 30, 2));
}

TEST_CASE("n-grams refuse what they can't count") {
  const NGrams::Lines lines{{0, 1, 0, 1, 2}};
  CHECK(shape_error([&] { NGrams(lines, 0); }) ==
        "NGrams: needs a symbol and an order at least, not 0 and 8");
  CHECK(shape_error([&] { NGrams(lines, 3, 0); }) ==
        "NGrams: needs a symbol and an order at least, not 3 and 0");
  CHECK(shape_error([&] { NGrams(lines, 2); }) == "NGrams: symbol 2 is outside 0..1");
  const NGrams ngrams(lines, 3);
  const Word before{0};
  CHECK(shape_error([&] { ngrams.probability(before, 1, 0); }) ==
        "NGrams: the order must be at least 1, not 0");
  CHECK(shape_error([&] { ngrams.probability(before, -1, 1); }) == "NGrams: symbol -1 is outside 0..2");
  CHECK(shape_error([&] { ngrams.loss({{0, 3}}, 2); }) == "NGrams: symbol 3 is outside 0..2");
  for (const NGrams::Lines& nothing : {NGrams::Lines{}, NGrams::Lines{{}, {1}}})
    CHECK(shape_error([&] { ngrams.best_order(nothing); }) ==
          "NGrams: the lines have nothing after their first symbols");
}
