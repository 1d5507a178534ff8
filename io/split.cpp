#include <spool/graph/error.hpp>
#include <spool/io/split.hpp>
#include <spool/ops/philox.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

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
  std::map<int, std::vector<std::size_t>> by_class;
  for (std::size_t i = 0; i < classes.size(); ++i) by_class[classes[i]].push_back(i);
  Philox random(seed, split_stream);
  Split out;
  for (auto& [name, positions] : by_class) divide(std::move(positions), fractions, random, out);
  check_parts(out, fractions, classes.size());
  for (auto* part : {&out.train, &out.validation, &out.test}) random.shuffle(std::span(*part));
  return out;
}

}  // namespace spool
