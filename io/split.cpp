#include <spool/graph/error.hpp>
#include <spool/io/split.hpp>
#include <spool/ops/philox.hpp>

#include <fmt/format.h>
#include <boost/pending/disjoint_sets.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <string_view>
#include <unordered_map>

namespace spool {

namespace {

constexpr std::uint32_t split_stream = 0x5711;  // apart from the streams that shuffle batches

// Appends the shuffled positions to the parts.
void divide(std::vector<std::size_t> positions, const SplitFractions& fractions, Philox& random, Split& out) {
  random.shuffle(std::span(positions));
  const auto [a, b] = detail::part_ends(fractions, positions.size());
  const auto append = [&](std::vector<std::size_t>& part, std::size_t begin, std::size_t end) {
    part.insert(part.end(), positions.begin() + static_cast<std::ptrdiff_t>(begin),
                positions.begin() + static_cast<std::ptrdiff_t>(end));
  };
  append(out.train, 0, a);
  append(out.validation, a, b);
  append(out.test, b, positions.size());
}

void check_parts(const Split& s, const SplitFractions& fractions, std::size_t count) {
  detail::check_parts(fractions, {s.train.size(), s.validation.size(), s.test.size()},
                      fmt::format("{} examples", count), "more examples");
}

// The positions of each value.
std::map<int, std::vector<std::size_t>> positions_of(std::span<const int> values) {
  std::map<int, std::vector<std::size_t>> positions;
  for (std::size_t i = 0; i < values.size(); ++i) positions[values[i]].push_back(i);
  return positions;
}

std::vector<std::size_t> count_to(std::size_t n) {
  std::vector<std::size_t> all(n);
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all;
}

}  // namespace

namespace detail {

void check_fractions(const SplitFractions& f) {
  const bool negative = !(f.train >= 0 && f.validation >= 0 && f.test >= 0);
  if (negative || !(std::abs(f.train + f.validation + f.test - 1) <= 1e-6))
    throw ShapeError(
        fmt::format("a split of {}, {}, {}: the fractions must not be negative and must add up to 1", f.train,
                    f.validation, f.test));
}

// The small term is there because sums such as 0.7 + 0.1 come out just below the number they stand for.
PartEnds part_ends(const SplitFractions& f, std::size_t count) {
  const auto cut = [&](double fraction) {
    const double position = fraction * static_cast<double>(count);
    return std::min(static_cast<std::size_t>(position + 1e-9 * (position + 1)), count);
  };
  return {cut(f.train), f.test > 0 ? cut(f.train + f.validation) : count};
}

void check_parts(const SplitFractions& f, const std::array<std::size_t, 3>& sizes, const std::string& whole,
                 const char* remedy) {
  const std::array fractions{f.train, f.validation, f.test};
  const std::array names{"training", "validation", "test"};
  for (std::size_t i = 0; i < sizes.size(); ++i)
    if (fractions[i] > 0 && sizes[i] == 0)
      throw ShapeError(fmt::format("a split of {}, {}, {} leaves no {} part of {}: use {} or other fractions",
                                   f.train, f.validation, f.test, names[i], whole, remedy));
}

}  // namespace detail

Split random_split(std::size_t count, const SplitFractions& fractions, std::uint64_t seed) {
  detail::check_fractions(fractions);
  Philox random(seed, split_stream);
  Split out;
  divide(count_to(count), fractions, random, out);
  check_parts(out, fractions, count);
  return out;
}

Split stratified_split(std::span<const int> classes, const SplitFractions& fractions, std::uint64_t seed) {
  detail::check_fractions(fractions);
  Philox random(seed, split_stream);
  Split out;
  for (auto& [name, positions] : positions_of(classes)) divide(std::move(positions), fractions, random, out);
  check_parts(out, fractions, classes.size());
  for (auto* part : {&out.train, &out.validation, &out.test}) random.shuffle(std::span(*part));
  return out;
}

// Each group goes into the first of the test, validation and training part that has room for all of it. Those
// that fit nowhere are put last, the largest first, where most is missing.
Split grouped_split(std::span<const int> groups, const SplitFractions& fractions, std::uint64_t seed) {
  detail::check_fractions(fractions);
  std::vector<std::vector<std::size_t>> members;
  for (auto& [number, positions] : positions_of(groups)) members.push_back(std::move(positions));
  Philox random(seed, split_stream);
  random.shuffle(std::span(members));

  const auto [a, b] = detail::part_ends(fractions, groups.size());
  struct Part {
    std::vector<std::size_t>& positions;
    std::ptrdiff_t missing;
  };
  Split out;
  std::array<Part, 3> parts{{{out.test, std::ssize(groups) - static_cast<std::ptrdiff_t>(b)},
                             {out.validation, static_cast<std::ptrdiff_t>(b - a)},
                             {out.train, static_cast<std::ptrdiff_t>(a)}}};
  const auto put = [](const std::vector<std::size_t>& group, Part& part) {
    part.positions.insert(part.positions.end(), group.begin(), group.end());
    part.missing -= std::ssize(group);
  };
  std::vector<const std::vector<std::size_t>*> waiting;
  for (const auto& group : members) {
    const auto room =
        std::ranges::find_if(parts, [&](const Part& p) { return p.missing >= std::ssize(group); });
    if (room != parts.end())
      put(group, *room);
    else
      waiting.push_back(&group);
  }
  std::ranges::stable_sort(waiting, std::greater{}, [](const auto* group) { return group->size(); });
  auto left = std::ssize(waiting);
  for (const auto* group : waiting) {  // when no more are left than parts are empty, each of those gets one
    const auto is_empty = [](const Part& p) { return p.positions.empty() && p.missing > 0; };
    const bool scarce = left-- <= std::ranges::count_if(parts, is_empty);
    put(*group, *std::ranges::max_element(
                    parts, {}, [&](const Part& p) { return std::pair(scarce && is_empty(p), p.missing); }));
  }
  detail::check_parts(fractions, {out.train.size(), out.validation.size(), out.test.size()},
                      fmt::format("{} examples in {} groups", groups.size(), members.size()), "more groups");
  for (const Part& part : parts) random.shuffle(std::span(part.positions));
  return out;
}

std::vector<int> linked_groups(std::span<const std::vector<std::string>> keys) {
  boost::disjoint_sets_with_storage<> sets(keys.size());
  std::unordered_map<std::string_view, std::size_t> first;  // the first example with a key
  for (std::size_t i = 0; i < keys.size(); ++i)
    for (const std::string& key : keys[i]) sets.union_set(i, first.try_emplace(key, i).first->second);
  std::unordered_map<std::size_t, int> numbers;  // of a set's representative
  std::vector<int> groups;
  for (std::size_t i = 0; i < keys.size(); ++i)
    groups.push_back(numbers.try_emplace(sets.find_set(i), static_cast<int>(numbers.size())).first->second);
  return groups;
}

}  // namespace spool
