// How a set is divided: splits by a seed, batches of similar lengths, padding.
#include <spool/spool.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <set>
#include <string>

#include "catch.hpp"
#include "error_text.hpp"

using namespace spool;

namespace {

std::vector<std::size_t> sorted(std::span<const std::size_t> positions) {
  std::vector<std::size_t> all(positions.begin(), positions.end());
  std::ranges::sort(all);
  return all;
}

std::vector<std::size_t> count_to(std::size_t n) {
  std::vector<std::size_t> all(n);
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all;
}

std::vector<std::size_t> joined(const Split& s) {
  std::vector<std::size_t> all = s.train;
  all.insert(all.end(), s.validation.begin(), s.validation.end());
  all.insert(all.end(), s.test.begin(), s.test.end());
  return all;
}

// The batches of an epoch, copied.
std::vector<std::vector<std::size_t>> epoch_of(const LengthBatches& batches, std::uint64_t epoch) {
  std::vector<std::vector<std::size_t>> all;
  for (std::uint64_t n = 0; n < batches.size(); ++n) {
    const auto chosen = batches.at(epoch * batches.size() + n);
    all.emplace_back(chosen.begin(), chosen.end());
  }
  return all;
}

std::vector<std::int64_t> many_lengths() {
  std::vector<std::int64_t> lengths;
  Philox random(3);
  for (int i = 0; i < 103; ++i) lengths.push_back(static_cast<std::int64_t>(random.below(12)));
  return lengths;
}

}  // namespace

TEST_CASE("a random split loses nothing, and its seed decides") {
  for (const std::size_t n : {10u, 97u, 1000u}) {
    const Split s = random_split(n, {.train = 0.7, .validation = 0.1, .test = 0.2}, 1);
    CHECK(s.train.size() == n * 7 / 10);
    CHECK(s.train.size() + s.validation.size() == n * 8 / 10);
    CHECK(sorted(joined(s)) == count_to(n));
    CHECK(joined(s) == joined(random_split(n, {.train = 0.7, .validation = 0.1, .test = 0.2}, 1)));
    CHECK(joined(s) != joined(random_split(n, {.train = 0.7, .validation = 0.1, .test = 0.2}, 2)));
  }
  // The same on every machine, for ever: what a published figure was measured on.
  CHECK(random_split(8, {.train = 0.5, .validation = 0.25, .test = 0.25}, 1).train ==
        std::vector<std::size_t>{6, 1, 7, 3});
}

TEST_CASE("every example is held out equally often") {
  std::vector<int> held_out(10);
  for (std::uint64_t seed = 0; seed < 2000; ++seed)
    for (const std::size_t i : random_split(10, {}, seed).test) ++held_out[i];
  for (const int times : held_out) CHECK((times > 140 && times < 260));  // 200 on average; 13 its deviation
}

TEST_CASE("a stratified split has each class's share in each part") {
  std::vector<int> classes;
  for (int i = 0; i < 300; ++i) classes.push_back(i % 10 == 0 ? 7 : i % 3);
  const Split s = stratified_split(classes, {}, 5);
  CHECK(sorted(joined(s)) == count_to(300));
  const auto counts = [&](const std::vector<std::size_t>& part) {
    std::map<int, int> n;
    for (const std::size_t i : part) ++n[classes[i]];
    return n;
  };
  CHECK(counts(s.train) == std::map<int, int>{{0, 72}, {1, 72}, {2, 72}, {7, 24}});
  CHECK(counts(s.test) == std::map<int, int>{{0, 9}, {1, 9}, {2, 9}, {7, 3}});
  CHECK(joined(s) == joined(stratified_split(classes, {}, 5)));
  CHECK(!std::ranges::is_sorted(s.train, {}, [&](std::size_t i) { return classes[i]; }));
}

TEST_CASE("a grouped split keeps groups whole and comes close to the fractions") {
  std::vector<int> groups;  // of 1 to 9 examples, which stand apart
  Philox random(4);
  for (int g = 0; g < 200; ++g) groups.insert(groups.end(), 1 + random.below(9), 3 * g - 100);
  random.shuffle(std::span(groups));
  const std::size_t n = groups.size();
  const SplitFractions fractions{.train = 0.7, .validation = 0.1, .test = 0.2};
  const Split s = grouped_split(groups, fractions, 1), like = random_split(n, fractions, 1);
  CHECK(sorted(joined(s)) == count_to(n));
  std::map<int, std::set<const std::vector<std::size_t>*>> parts;
  for (const auto* part : {&s.train, &s.validation, &s.test})
    for (const std::size_t i : *part) parts[groups[i]].insert(part);
  CHECK(std::ranges::all_of(parts, [](const auto& p) { return p.second.size() == 1; }));
  // There are groups of 1 enough to fill each part.
  CHECK(s.train.size() == like.train.size());
  CHECK(s.validation.size() == like.validation.size());
  CHECK(s.test.size() == like.test.size());
  CHECK(!std::ranges::is_sorted(s.train, {}, [&](std::size_t i) { return groups[i]; }));
  CHECK(joined(s) == joined(grouped_split(groups, fractions, 1)));
  CHECK(sorted(s.test) != sorted(grouped_split(groups, fractions, 2).test));
}

TEST_CASE("parts of whole groups are off by less than a group") {
  const auto sizes = [](const Split& s) {
    return std::array{s.train.size(), s.validation.size(), s.test.size()};
  };
  std::vector<int> tens;
  for (int i = 0; i < 100; ++i) tens.push_back(i / 10);
  CHECK(sizes(grouped_split(tens, {0.8, 0.15, 0.05}, 1)) == std::array<std::size_t, 3>{80, 10, 10});
  CHECK(sizes(grouped_split(tens, {0.5, 0.5, 0}, 1)) == std::array<std::size_t, 3>{50, 50, 0});
  std::vector<int> three(30);
  for (std::size_t i = 0; i < three.size(); ++i) three[i] = static_cast<int>(i / 10);
  CHECK(sizes(grouped_split(three, {0.6, 0.2, 0.2}, 1)) == std::array<std::size_t, 3>{10, 10, 10});
  CHECK(sizes(grouped_split(tens, {0, 0.57, 0.43}, 1)) == std::array<std::size_t, 3>{0, 60, 40});
  // A group larger than a part is no reason to leave the part to it.
  std::vector<int> large(60, 0);
  for (int i = 1; i <= 40; ++i) large.push_back(i);
  for (std::uint64_t seed = 0; seed < 20; ++seed)
    CHECK(sizes(grouped_split(large, {}, seed)) == std::array<std::size_t, 3>{80, 10, 10});
  // The same on every machine, for ever.
  const std::vector<int> pairs{0, 0, 1, 1, 2, 2, 3, 3};
  CHECK(joined(grouped_split(pairs, {0.5, 0.25, 0.25}, 1)) ==
        std::vector<std::size_t>{4, 1, 5, 0, 6, 7, 2, 3});
}

TEST_CASE("examples that share a key are linked, also through others") {
  using Keys = std::vector<std::vector<std::string>>;
  CHECK(linked_groups(Keys{}).empty());
  CHECK(linked_groups(Keys{{"a", "b"}, {"x"}, {"b", "c"}, {"y", "x"}, {"c"}}) ==
        std::vector{0, 1, 0, 1, 0});  // a-b, b-c: a chain
  CHECK(linked_groups(Keys{{"a"}, {"b"}, {"c"}, {"b", "a"}}) == std::vector{0, 0, 1, 0});
  CHECK(linked_groups(Keys{{}, {"a"}, {}, {"a", "a"}, {}}) == std::vector{0, 1, 2, 1, 3});
  CHECK(linked_groups(Keys{{""}, {"a"}, {""}}) == std::vector{0, 1, 0});  // an empty key is one too
  Keys chain;                                                             // whose links come in random order
  for (int i = 0; i < 5000; ++i) chain.push_back({std::to_string(i), std::to_string(i + 1)});
  Philox(1).shuffle(std::span(chain));
  CHECK(linked_groups(chain) == std::vector<int>(5000, 0));
}

TEST_CASE("a split that can't be") {
  CHECK(shape_error([] {
          grouped_split(std::vector{1, 1, 2, 2, 3, 3}, {}, 1);
        }) ==
        "a split of 0.8, 0.1, 0.1 leaves no validation part of 6 examples in 3 groups: use more groups or "
        "other fractions");
  CHECK(shape_error([] {
          grouped_split(std::vector{1, 2}, {.train = 0.9}, 1);
        }) == "a split of 0.9, 0.1, 0.1: the fractions must not be negative and must add up to 1");
  CHECK(shape_error([] { random_split(4, {}, 1); }) ==
        "a split of 0.8, 0.1, 0.1 leaves no validation part of 4 examples: use more examples or other "
        "fractions");
  CHECK(shape_error([] { random_split(0, {.train = 1, .validation = 0, .test = 0}, 1); }) ==
        "a split of 1, 0, 0 leaves no training part of 0 examples: use more examples or other fractions");
  CHECK(shape_error([] { random_split(100, {.train = 0.9}, 1); }) ==
        "a split of 0.9, 0.1, 0.1: the fractions must not be negative and must add up to 1");
  CHECK(shape_error([] {
          stratified_split(std::vector{1, 2}, {.train = -1, .validation = 1, .test = 1}, 1);
        }) == "a split of -1, 1, 1: the fractions must not be negative and must add up to 1");
  CHECK(random_split(4, {.train = 1, .validation = 0, .test = 0}, 1).train.size() == 4);
}

TEST_CASE("batches by length hold each sequence once, with neighbours of its length") {
  const auto lengths = many_lengths();
  const LengthBatches batches(lengths, {.size = 10, .seed = 1});
  REQUIRE(batches.size() == 11);
  for (const std::uint64_t epoch : {0u, 1u, 5u}) {
    const auto all = epoch_of(batches, epoch);
    std::vector<std::size_t> seen;
    std::size_t small = 0;
    std::vector<std::pair<std::int64_t, std::int64_t>> ranges;
    for (const auto& chosen : all) {
      seen.insert(seen.end(), chosen.begin(), chosen.end());
      small += chosen.size() < 10;
      const auto [low, high] = std::ranges::minmax(chosen, {}, [&](std::size_t i) { return lengths[i]; });
      ranges.emplace_back(lengths[low], lengths[high]);
    }
    CHECK(sorted(seen) == count_to(103));
    CHECK(small == 1);
    CHECK(!std::ranges::is_sorted(ranges));  // batches come in random order
    std::ranges::sort(ranges);
    for (std::size_t i = 1; i < ranges.size(); ++i) CHECK(ranges[i].first >= ranges[i - 1].second);
  }
}

TEST_CASE("each epoch has an order of its own, which seed and step decide") {
  const auto lengths = many_lengths();
  const LengthBatches one(lengths, {.size = 10, .seed = 1}), same(lengths, {.size = 10, .seed = 1}),
      other(lengths, {.size = 10, .seed = 2});
  const auto first = epoch_of(one, 0);
  CHECK(epoch_of(one, 3) == epoch_of(same, 3));
  CHECK(epoch_of(one, 0) == first);  // back again
  CHECK(epoch_of(one, 1) != first);
  CHECK(epoch_of(other, 0) != first);
  const LengthBatches still(lengths, {.size = 10, .shuffle = false});
  CHECK(epoch_of(still, 0) == epoch_of(still, 4));
  std::vector<std::size_t> order;
  for (const auto& batch : epoch_of(still, 0)) order.insert(order.end(), batch.begin(), batch.end());
  CHECK(std::ranges::is_sorted(order, {}, [&](std::size_t i) { return std::pair(lengths[i], i); }));
}

TEST_CASE("padding stands after the ends, and unroll passes over it") {
  const std::vector<std::vector<int>> words{{1, 2, 3}, {4}, {}, {5, 6}};
  const std::vector<std::size_t> chosen{3, 0, 2};
  const PaddedIds p = pad(words, chosen, {.value = 9});
  CHECK(p.shape == Shape{3, 3});
  CHECK(p.ids == std::vector<int>{5, 1, 9, 6, 2, 9, 9, 3, 9});
  CHECK(p.lengths == std::vector<int>{2, 3, 0});
  CHECK(pad(words, chosen, {.multiple_of = 4}).shape == Shape{4, 3});
  CHECK(pad(words, std::vector<std::size_t>{2}).shape == Shape{1, 1});
  const PaddedIds all = pad(words, {.value = 9});
  CHECK(all.ids == pad(words, std::vector<std::size_t>{0, 1, 2, 3}, {.value = 9}).ids);
  CHECK(lengths_of(words) == std::vector<std::int64_t>{3, 1, 0, 2});
  CHECK(lengths_of(std::vector<std::vector<std::string>>{{"a", "b"}, {}}) == std::vector<std::int64_t>{2, 0});

  const Init init{.seed = 1};
  const Embedding table(init.named("table"), 10, 4);
  const Gru gru(init.named("gru"), {.input = 4, .hidden = 5});
  Tape tape;
  const Var together = flatten(
      gru.unroll(table(tape.tokens(p.shape, p.ids)), {.lengths = tape.tokens({3}, p.lengths)}).state)[0];
  const Var alone = flatten(gru.unroll(table(tape.tokens({2, 1}, words[3]))).state)[0];
  const Tensor a = tape.read(select(together, 0, 0)), b = tape.read(select(alone, 0, 0));
  for (std::size_t i = 0; i < 5; ++i) CHECK(a.at(i) == Approx(b.at(i)).epsilon(1e-6));
}

TEST_CASE("series of vectors are padded too") {
  const std::vector<Tensor> series{Tensor({2, 2}, {1, 2, 3, 4}), Tensor({1, 2}, {5, 6})};
  const PaddedRows p = pad(series, std::vector<std::size_t>{1, 0}, {.value = 7});
  CHECK(p.values == Tensor({2, 2, 2}, {5, 6, 1, 2, 7, 7, 3, 4}));
  CHECK(p.lengths == std::vector<int>{1, 2});
  CHECK(pad(series, std::vector<std::size_t>{1}).values == Tensor({1, 1, 2}, {5, 6}));
  const PaddedRows all = pad(series, {.multiple_of = 3});
  CHECK(all.values == pad(series, std::vector<std::size_t>{0, 1}, {.multiple_of = 3}).values);
  CHECK(all.lengths == std::vector{2, 1});
}

TEST_CASE("batches and padding that can't be") {
  const std::vector<std::vector<int>> words{{1}};
  const std::vector<Tensor> series{Tensor({2, 2}), Tensor({2, 3}), Tensor(Shape{})};
  using Chosen = std::vector<std::size_t>;
  CHECK(shape_error([] { LengthBatches({}, {}); }) == "LengthBatches: there are no sequences");
  CHECK(shape_error([] { LengthBatches({1, -2}, {}); }) == "LengthBatches: sequence 1 has the length -2");
  CHECK(shape_error([] { LengthBatches({1}, {.size = 0}); }) ==
        "LengthBatches: 0 sequences in a batch; at least 1");
  CHECK(shape_error([&] { pad(words, Chosen{}); }) == "pad: no sequences are chosen");
  CHECK(shape_error([&] { pad(words, Chosen{1}); }) == "pad: there is no sequence 1 among 1");
  CHECK(shape_error([&] { pad(words, Chosen{0}, {.multiple_of = 0}); }) ==
        "pad: multiple_of is 0; it must be at least 1");
  CHECK(shape_error([&] {
          pad(series, Chosen{0, 1});
        }) == "pad: series 0 is [2, 2], and series 1 is [2, 3]; only their first axis, time, may differ");
  CHECK(shape_error([&] { pad(series, Chosen{2}); }) ==
        "pad: series 2 is [], and series 2 is []; only their first axis, time, may differ");
}
