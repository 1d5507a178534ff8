// Random numbers: the generator against its published vectors, the ops' distributions, and what makes two
// draws equal or different.
#include <spool/ops/philox.hpp>
#include <spool/spool.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "catch.hpp"

using namespace spool;

// The vectors that the authors of Philox publish with Random123.
TEST_CASE("philox gives the published words") {
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == Philox4{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  constexpr std::uint32_t ones = 0xffffffff;
  CHECK(philox({ones, ones, ones, ones}, {ones, ones}) ==
        Philox4{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Philox4{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("the sequential generator goes on from its position") {
  Philox one(7, 2);
  for (int i = 0; i < 5; ++i) one();
  Philox two(one.seed(), one.stream(), one.position());
  for (int i = 0; i < 9; ++i) CHECK(one() == two());
  CHECK(one.position() == 14);
  CHECK(Philox(7, 2)() != Philox(7, 3)());
  CHECK(Philox(7, 2)() != Philox(8, 2)());
}

TEST_CASE("bounded numbers are even and shuffles are permutations") {
  Philox random(1);
  std::array<int, 7> count{};
  for (int i = 0; i < 70'000; ++i) ++count[random.below(7)];
  for (int n : count) CHECK(std::abs(n - 10'000) < 400);  // four standard deviations
  CHECK(random.below(1) == 0);
  CHECK(random.below(0) == 0);
  CHECK(random.below(std::uint64_t{1} << 63) < std::uint64_t{1} << 63);

  std::vector<int> items(100);
  std::iota(items.begin(), items.end(), 0);
  std::vector<int> shuffled = items;
  random.shuffle(std::span(shuffled));
  CHECK(shuffled != items);
  CHECK(std::is_permutation(shuffled.begin(), shuffled.end(), items.begin()));
}

namespace {

constexpr std::int64_t many = 200'000;

double mean_of(const std::vector<double>& v) {
  return std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
}

double covariance(const std::vector<double>& a, const std::vector<double>& b) {
  const double ma = mean_of(a), mb = mean_of(b);
  double sum = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) sum += (a[i] - ma) * (b[i] - mb);
  return sum / static_cast<double>(std::min(a.size(), b.size()));
}

std::vector<double> shifted(std::vector<double> v, std::ptrdiff_t by) {
  std::rotate(v.begin(), v.begin() + by, v.end());
  return v;
}

}  // namespace

TEST_CASE("uniform and normal numbers have their moments and no memory") {
  Tape tape({.dtype = DType::f64, .seed = 3});
  const auto u = tape.read(uniform(tape, {many})).doubles(), z = tape.read(normal(tape, {many})).doubles();
  // Four standard errors of each statistic.
  CHECK(std::abs(mean_of(u) - 0.5) < 4 * std::sqrt(1.0 / 12 / many));
  CHECK(std::abs(covariance(u, u) - 1.0 / 12) < 4 * std::sqrt(1.0 / 180 / many));
  CHECK(*std::ranges::min_element(u) >= 0);
  CHECK(*std::ranges::max_element(u) < 1);
  CHECK(std::abs(mean_of(z)) < 4 * std::sqrt(1.0 / many));
  CHECK(std::abs(covariance(z, z) - 1) < 4 * std::sqrt(2.0 / many));
  std::vector<double> cubes, fourths;
  for (double v : z) cubes.push_back(v * v * v), fourths.push_back(v * v * v * v);
  CHECK(std::abs(mean_of(cubes)) < 4 * std::sqrt(15.0 / many));
  CHECK(std::abs(mean_of(fourths) - 3) < 4 * std::sqrt(96.0 / many));
  for (std::ptrdiff_t lag : {1, 2, 3, 1000}) {
    CHECK(std::abs(covariance(u, shifted(u, lag)) * 12) < 4 / std::sqrt(many));
    CHECK(std::abs(covariance(z, shifted(z, lag))) < 4 / std::sqrt(many));
  }
}

TEST_CASE("draws, calls and seeds differ; the rest repeats to the bit") {
  const auto sample = [](std::uint64_t seed, std::uint64_t draw, int call) {
    Tape tape({.dtype = DType::f64, .seed = seed});
    tape.set_random({seed, draw});
    Var v;
    for (int i = 0; i <= call; ++i) v = normal(tape, {many});
    return tape.read(v).doubles();
  };
  const auto first = sample(1, 0, 0);
  CHECK(first == sample(1, 0, 0));
  for (const auto& other :
       {sample(2, 0, 0), sample(1, 1, 0), sample(1, std::uint64_t{1} << 32, 0), sample(1, 0, 1)})
    CHECK(std::abs(covariance(first, other)) < 4 / std::sqrt(many));

  Tape tape({.seed = 1});
  const Var u = uniform(tape, {5});
  const Tensor once = tape.read(u);
  tape.run({u});
  CHECK(tape.read(u) == once);
  tape.next_draw();
  CHECK(!(tape.read(u) == once));
  tape.clear();
  CHECK(!(tape.read(uniform(tape, {5})) == once));
  tape.set_random({1, 0});
  CHECK(tape.read(tape.at(0)) == once);
}

TEST_CASE("the numbers are the same in every precision up to rounding") {
  const auto sample = [](DType dtype) {
    Tape tape({.dtype = dtype, .seed = 11});
    const Var u = uniform(tape, {1001}), z = normal(tape, {1001}), b = bernoulli(tape, {1001}, 0.3);
    tape.run({u, z, b});
    return std::array{tape.read(u).doubles(), tape.read(z).doubles(), tape.read(b).doubles()};
  };
  const auto single = sample(DType::f32), twice = sample(DType::f64);
  for (std::size_t i = 0; i < 1001; ++i) {
    CHECK(std::abs(single[0][i] - twice[0][i]) <= 0x1p-24);
    CHECK(single[1][i] == static_cast<float>(twice[1][i]));
    CHECK(single[2][i] == twice[2][i]);
  }
}

TEST_CASE("dropout scales what it keeps, and its gradient has the same mask") {
  Tape tape({.dtype = DType::f64, .seed = 5});
  const Var x = tape.input(Tensor({many}, std::vector<double>(many, 2.0)));
  const Var y = dropout(x, 0.25), g = grad(sum(y), x);
  tape.run({y, g});
  const auto values = tape.read(y).doubles(), slopes = tape.read(g).doubles();
  for (std::size_t i = 0; i < many; ++i) {
    const bool kept = values[i] != 0;
    if (values[i] != (kept ? 2 / 0.75 : 0) || slopes[i] != (kept ? 1 / 0.75 : 0)) FAIL("element " << i);
  }
  CHECK(std::abs(mean_of(values) - 2) < 4 * 2 * std::sqrt(0.25 / 0.75 / many));
  CHECK(dropout(x, 0) == x);
  CHECK(dropout(x, 0.5, false) == x);
  CHECK(tape.read(sum(dropout(x, 1))).item() == 0);
  CHECK(dropout(x, 0.5) != dropout(x, 0.5));
}

TEST_CASE("random ops refuse what has no meaning") {
  Tape tape;
  const Var x = tape.input(Tensor({2}), "x");
  for (const double p : {-0.1, 1.5, std::nan("")}) {
    CHECK_THROWS_AS(dropout(x, p), ShapeError);
    CHECK_THROWS_AS(bernoulli(tape, {2}, p), ShapeError);
  }
#line 41 "my_model.cpp"
  const auto drop_too_much = [&] { dropout(x, 1.5, true); };
  CHECK_THROWS_WITH(drop_too_much(),
                    "dropout: the probability 1.5 is outside 0..1\n  recorded at my_model.cpp:41");
#line 51 "my_model.cpp"
  const auto draw_too_many = [&] { uniform(tape, {1 << 30, 16}); };
  CHECK_THROWS_WITH(
      draw_too_many(),
      "uniform: shape [1073741824, 16] has more than 2^33 elements\n  recorded at my_model.cpp:51");
  CHECK(tape.read(uniform(tape, {0, 3})).size() == 0);
}
