// Storage of values whose lifetimes are known, in one array.
#pragma once

#include <spool/graph/plan/layout.hpp>

#include <span>

namespace spool::plan {

/// Storage of `size` elements that units first..last use.
struct Lifetime {
  Id node;
  std::int64_t size;
  std::uint32_t first, last;
  std::int64_t offset = 0;
};

/// A number of elements rounded up, so that what follows begins on a cache line.
constexpr std::int64_t aligned(std::int64_t elements) { return (elements + 15) / 16 * 16; }

/// Gives each an offset, so that none overlap while both are in use. `lives` are in the order of `first`;
/// those that begin and end together lie side by side, in this order. Returns the elements that the whole
/// takes. Without reuse no two overlap at all.
std::int64_t assign_offsets(std::span<Lifetime> lives, bool reuse);

}  // namespace spool::plan
