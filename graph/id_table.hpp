// IdTable: finds things that have ids by their hash. What they are, and which of them are equal, only its
// user knows; so it can look for a thing that has no id yet. Ids are added and never taken out singly.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace spool::detail {

constexpr std::uint32_t no_id = 0xffffffffU;

constexpr std::uint64_t mix(std::uint64_t h, std::uint64_t v) {
  h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
  return h ^ (h >> 29);
}

struct IdSlot {
  std::uint32_t id = no_id;  // a free slot
  std::uint32_t tag = 0;     // the half of the hash that mixes best
};
constexpr std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }

class IdTable {
 public:
  /// The id whose thing has this hash and satisfies is(id), or no_id.
  template <class Is>
  std::uint32_t find(std::uint64_t hash, Is&& is) const {
    const std::uint32_t tag = tag_of(hash);
    for (std::size_t at = tag & mask(); slots_[at].id != no_id; at = (at + 1) & mask())
      if (slots_[at].tag == tag && is(slots_[at].id)) return slots_[at].id;
    return no_id;
  }

  /// Adds a thing that find() does not find.
  void insert(std::uint64_t hash, std::uint32_t id) {
    if (2 * ++used_ > slots_.size()) {
      std::vector<IdSlot> larger(2 * slots_.size());
      larger.swap(slots_);
      for (const IdSlot& s : larger)
        if (s.id != no_id) put(s);
    }
    put({id, tag_of(hash)});
  }

  /// Keeps memory for as many as there were, not for as many as there have ever been.
  void clear() {
    while (slots_.size() > 16 && slots_.size() > 8 * used_) slots_.resize(slots_.size() / 2);
    std::fill(slots_.begin(), slots_.end(), IdSlot{});
    used_ = 0;
  }

  std::size_t bytes() const { return slots_.capacity() * sizeof(IdSlot); }

 private:
  std::size_t mask() const { return slots_.size() - 1; }
  void put(const IdSlot& slot) {
    std::size_t at = slot.tag & mask();
    while (slots_[at].id != no_id) at = (at + 1) & mask();
    slots_[at] = slot;
  }

  std::vector<IdSlot> slots_ = std::vector<IdSlot>(16);  // a power of 2, at most half of them in use
  std::size_t used_ = 0;
};

}  // namespace spool::detail
