#include <spool/graph/plan/arena.hpp>

#include <algorithm>
#include <map>
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

}  // namespace

std::int64_t assign_offsets(std::span<Lifetime> lives, bool reuse) {
  Gaps gaps;
  std::int64_t end = 0;
  const auto later = [&](std::size_t a, std::size_t b) { return lives[a].last > lives[b].last; };
  std::priority_queue<std::size_t, std::vector<std::size_t>, decltype(later)> in_use(later);
  for (std::size_t i = 0; i < lives.size(); ++i) {
    for (; reuse && !in_use.empty() && lives[in_use.top()].last < lives[i].first; in_use.pop())
      gaps.give(lives[in_use.top()].offset, aligned(lives[in_use.top()].size));
    const std::int64_t size = aligned(lives[i].size);
    std::int64_t at = size == 0 ? 0 : gaps.take(size);
    if (at < 0) {
      at = end - gaps.take_last(end);
      end = at + size;
    }
    lives[i].offset = at;
    if (size > 0) in_use.push(i);
  }
  return end;
}

}  // namespace spool::plan
