// Storage in one array: what lives at the same time never overlaps, and large arrays leave few gaps.
#include <spool/graph/plan/arena.hpp>

#include <algorithm>
#include <random>
#include <vector>

#include "catch.hpp"

using namespace spool::plan;

namespace {

// The elements that all take; fails where two overlap.
std::int64_t checked(std::vector<Lifetime> lives, bool reuse = true) {
  const std::int64_t end = assign_offsets(lives, reuse);
  for (const Lifetime& a : lives) {
    CHECK(a.offset >= 0);
    CHECK(a.offset % 16 == 0);
    CHECK(a.offset + a.size <= end);
    for (const Lifetime& b : lives) {
      const bool together = &a != &b && (!reuse || (a.first <= b.last && b.first <= a.last));
      if (together && a.offset < b.offset + b.size && b.offset < a.offset + a.size)
        FAIL_CHECK("[" << a.offset << ", " << a.offset + a.size << ") and [" << b.offset << ", "
                       << b.offset + b.size << ") overlap");
    }
  }
  return end;
}

std::vector<Lifetime> drawn(std::uint32_t seed, std::int64_t largest) {
  std::mt19937 engine(seed);
  const auto below = [&](std::int64_t n) { return static_cast<std::int64_t>(engine()) % n; };
  std::vector<Lifetime> lives;
  for (std::uint32_t i = 0; i < 60; ++i) {
    const auto first = static_cast<std::uint32_t>(below(100));
    const auto more = static_cast<std::uint32_t>(below(i % 3 == 0 ? 100 : 8));
    lives.push_back({i, below(largest + 1), first, first + more});
  }
  std::ranges::stable_sort(lives, {}, &Lifetime::first);
  return lives;
}

}  // namespace

TEST_CASE("what lives at the same time does not overlap") {
  for (std::uint32_t seed = 0; seed < 40; ++seed)
    for (const std::int64_t largest : {20, 3'000'000}) {
      INFO("seed " << seed << ", up to " << largest << " elements");
      CHECK(checked(drawn(seed, largest)) <= checked(drawn(seed, largest), false));
    }
}

TEST_CASE("large arrays find a place without a gap where there is one") {
  constexpr std::int64_t n = 1 << 22;
  CHECK(checked({{0, n, 0, 1}, {1, n, 0, 5}, {2, n + n / 2, 2, 5}}) == 2 * n + n / 2);
}
