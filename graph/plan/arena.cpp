#include <spool/graph/plan/arena.hpp>

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <queue>
#include <set>
#include <vector>

namespace spool::plan {

namespace {

// Free gaps by place and by size; the smallest that is large enough serves next.
class Gaps {
 public:
  std::int64_t take(std::int64_t size) {
    const auto fit = by_size_.lower_bound({size, 0});
    if (fit == by_size_.end()) return -1;
    const auto [found, at] = *fit;
    remove(at, found);
    if (found > size) insert(at + size, found - size);
    return at;
  }

  void give(std::int64_t at, std::int64_t size) {
    auto next = by_place_.lower_bound(at);
    if (next != by_place_.end() && next->first == at + size) {
      size += next->second;
      remove(next->first, next->second);
      next = by_place_.lower_bound(at);
    }
    if (next != by_place_.begin())
      if (const auto [before, length] = *std::prev(next); before + length == at) {
        remove(before, length);
        at = before;
        size += length;
      }
    insert(at, size);
  }

  // A gap that reaches the end, to be made longer: its size, and it is a gap no more.
  std::int64_t take_last(std::int64_t end) {
    if (by_place_.empty()) return 0;
    const auto [at, size] = *std::prev(by_place_.end());
    if (at + size != end) return 0;
    remove(at, size);
    return size;
  }

 private:
  void insert(std::int64_t at, std::int64_t size) {
    by_place_[at] = size;
    by_size_.emplace(size, at);
  }
  void remove(std::int64_t at, std::int64_t size) {
    by_place_.erase(at);
    by_size_.erase({size, at});
  }
  std::map<std::int64_t, std::int64_t> by_place_;
  std::set<std::pair<std::int64_t, std::int64_t>> by_size_;
};

// Lives that begin and end together.
struct Bundle {
  std::size_t begin, end;  // in the order by first and last unit
  std::int64_t size;
  std::uint32_t first, last;
  std::int64_t offset = 0;
};

std::vector<Bundle> bundled(std::span<const Lifetime> lives, std::span<const std::uint32_t> order) {
  std::vector<Bundle> all;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const Lifetime& l = lives[order[i]];
    if (all.empty() || all.back().first != l.first || all.back().last != l.last)
      all.push_back({i, i, 0, l.first, l.last});
    all.back().end = i + 1;
    all.back().size += aligned(l.size);
  }
  return all;
}

// In the order of their beginnings: quick, and gaps that nothing fits into are left.
std::int64_t assign_in_order(std::span<Bundle> bundles, bool reuse) {
  Gaps gaps;
  std::int64_t end = 0;
  const auto later = [&](std::size_t a, std::size_t b) { return bundles[a].last > bundles[b].last; };
  std::priority_queue<std::size_t, std::vector<std::size_t>, decltype(later)> in_use(later);
  for (std::size_t i = 0; i < bundles.size(); ++i) {
    Bundle& b = bundles[i];
    for (; reuse && !in_use.empty() && bundles[in_use.top()].last < b.first; in_use.pop())
      gaps.give(bundles[in_use.top()].offset, bundles[in_use.top()].size);
    b.offset = b.size == 0 ? 0 : gaps.take(b.size);
    if (b.offset < 0) {
      b.offset = end - gaps.take_last(end);
      end = b.offset + b.size;
    }
    if (b.size > 0) in_use.push(i);
  }
  return end;
}

// The largest first, each where it fits most tightly between those that live at the same time.
std::int64_t assign_by_size(std::span<Bundle> bundles) {
  std::vector<std::size_t> order(bundles.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater<>(), [&](std::size_t i) { return bundles[i].size; });
  struct Placed {
    std::int64_t begin, end;
    std::uint32_t first, last;
  };
  std::vector<Placed> placed;  // by begin
  std::int64_t end = 0;
  for (const std::size_t i : order) {
    Bundle& b = bundles[i];
    std::int64_t free = 0, at = -1, tightest = std::numeric_limits<std::int64_t>::max();
    for (const Placed& p : placed) {
      if (p.first > b.last || p.last < b.first) continue;
      if (const std::int64_t gap = p.begin - free; gap >= b.size && gap < tightest) at = free, tightest = gap;
      free = std::max(free, p.end);
    }
    b.offset = at < 0 ? free : at;
    end = std::max(end, b.offset + b.size);
    placed.insert(std::ranges::upper_bound(placed, b.offset, {}, &Placed::begin),
                  {b.offset, b.offset + b.size, b.first, b.last});
  }
  return end;
}

std::int64_t largest_sum(std::span<const Bundle> bundles) {
  std::vector<std::pair<std::uint32_t, std::int64_t>> changes;
  for (const Bundle& b : bundles) {
    changes.emplace_back(b.first, b.size);
    changes.emplace_back(b.last + 1, -b.size);
  }
  std::ranges::sort(changes);
  std::int64_t sum = 0, largest = 0;
  for (const auto& [when, change] : changes) largest = std::max(largest, sum += change);
  return largest;
}

// Gaps are searched for where memory matters and time does not: the second way is quadratic.
std::int64_t assign(std::span<Bundle> bundles, bool reuse) {
  constexpr std::int64_t large = 1 << 21;
  constexpr std::size_t few = 10'000;
  const std::int64_t end = assign_in_order(bundles, reuse);
  if (!reuse || end < large || bundles.size() > few) return end;
  if (const std::int64_t least = largest_sum(bundles); end - least < least / 32) return end;
  std::vector<Bundle> others(bundles.begin(), bundles.end());
  const std::int64_t other_end = assign_by_size(others);
  if (other_end < end) std::ranges::copy(others, bundles.begin());
  return std::min(end, other_end);
}

}  // namespace

std::int64_t assign_offsets(std::span<Lifetime> lives, bool reuse) {
  std::vector<std::uint32_t> order(lives.size());
  std::iota(order.begin(), order.end(), 0);
  for (auto begin = order.begin(); begin != order.end();) {
    const auto end = std::find_if(begin, order.end(),
                                  [&](std::uint32_t i) { return lives[i].first != lives[*begin].first; });
    std::ranges::stable_sort(begin, end, {}, [&](std::uint32_t i) { return lives[i].last; });
    begin = end;
  }
  std::vector<Bundle> bundles = bundled(lives, order);
  const std::int64_t end = assign(bundles, reuse);
  for (const Bundle& b : bundles) {
    std::int64_t at = b.offset;
    for (std::size_t k = b.begin; k < b.end; ++k) {
      lives[order[k]].offset = at;
      at += aligned(lives[order[k]].size);
    }
  }
  return end;
}

}  // namespace spool::plan
