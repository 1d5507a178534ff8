// Philox4x32-10, a counter-based random generator (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as
// easy as 1, 2, 3", SC 2011): the numbers are a function of key and counter, so that any of them can be had
// alone, in any order, on any thread, with the same bits. Knows no tape; ops/random.hpp has the ops. The
// class below is the sequential form, for initial weights and shuffling.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <span>
#include <utility>

namespace spool {

using Philox4 = std::array<std::uint32_t, 4>;

/// Ten rounds of figure 2 of the paper: four random words for each pair of counter and key.
constexpr Philox4 philox(Philox4 counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57} * counter[2];
    const auto high = [](std::uint64_t p) { return static_cast<std::uint32_t>(p >> 32); };
    const auto low = [](std::uint64_t p) { return static_cast<std::uint32_t>(p); };
    counter = {high(p1) ^ counter[1] ^ key[0], low(p1), high(p0) ^ counter[3] ^ key[1], low(p0)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

constexpr std::array<std::uint32_t, 2> philox_key(std::uint64_t seed) {
  return {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
}

/// A multiple of 2^-53 in [0, 1) from two words.
constexpr double unit_interval(std::uint32_t high, std::uint32_t low) {
  const std::uint64_t bits = (std::uint64_t{high} << 32 | low) >> 11;
  return static_cast<double>(bits) * 0x1p-53;
}

/// Two independent standard normal numbers from two uniform ones in [0, 1) (Box and Muller 1958).
inline std::pair<double, double> box_muller(double u, double v) {
  const double radius = std::sqrt(-2 * std::log1p(-u)), angle = 2 * std::numbers::pi * v;
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

/// Random numbers one after the other. Its whole state is {seed, stream, position}; streams of one seed are
/// independent of each other and of the random ops of a tape with that seed. Satisfies
/// std::uniform_random_bit_generator.
class Philox {
 public:
  using result_type = std::uint32_t;
  static constexpr std::uint32_t min() { return 0; }
  static constexpr std::uint32_t max() { return 0xFFFFFFFF; }

  explicit Philox(std::uint64_t seed, std::uint32_t stream = 0, std::uint64_t position = 0)
      : seed_(seed), stream_(stream), position_(position), block_(block()) {}

  std::uint64_t seed() const { return seed_; }
  std::uint32_t stream() const { return stream_; }
  std::uint64_t position() const { return position_; }  ///< 32-bit words drawn so far.

  std::uint32_t operator()() {
    const std::uint32_t word = block_[position_ % 4];
    if (++position_ % 4 == 0) block_ = block();
    return word;
  }
  /// In [0, 1).
  double uniform() {
    const std::uint32_t high = (*this)();
    return unit_interval(high, (*this)());
  }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Mean 0, variance 1. Half of each Box-Muller pair is dropped: no state beside the position.
  double normal() {
    const double u = uniform();
    return box_muller(u, uniform()).first;
  }
  /// A whole number in 0..n-1, each equally likely; 0 when n is 0.
  std::uint64_t below(std::uint64_t n) {
    if (n == 0) return 0;
    const std::uint64_t excess = -n % n;  // 2^64 mod n: the lowest values that would favour some results
    for (;;) {
      const std::uint64_t high = (*this)();
      const std::uint64_t word = high << 32 | (*this)();
      if (word >= excess) return word % n;
    }
  }
  /// Every order equally likely (Fisher and Yates).
  template <class T>
  void shuffle(std::span<T> items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  // A tape's counters end in the high word of its draw number, which never gets this far.
  static constexpr std::uint32_t apart = 0xFFFFFFFF;

  Philox4 block() const {
    const std::uint64_t i = position_ / 4;
    return philox({static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(i >> 32), stream_, apart},
                  philox_key(seed_));
  }

  std::uint64_t seed_;
  std::uint32_t stream_;
  std::uint64_t position_;
  Philox4 block_;
};

}  // namespace spool
