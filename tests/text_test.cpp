// From a text to batches: symbols and their numbers, the split, the streams.
#include <spool/spool.hpp>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <numeric>

#include "catch.hpp"

using namespace spool;

namespace {

std::vector<int> count_to(int n) {
  std::vector<int> ids(static_cast<std::size_t>(n));
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

std::string data_file(const std::string& name) {
  const char* const folder = std::getenv("SPOOL_DATA");
  return std::string(folder != nullptr ? folder : "../shared/data") + "/" + name;
}

// A checksum that the order of the numbers matters to.
std::uint64_t checksum(std::span<const int> ids) {
  std::uint64_t sum = 0;
  for (const int id : ids) sum = (sum * 31 + static_cast<std::uint64_t>(id)) % 1'000'000'007;
  return sum;
}

}  // namespace

TEST_CASE("symbols are code points, numbered in their order") {
  const Vocabulary v(
      "b\xC3\xA9"
      "a\nb\xF0\x9F\x98\x80\xE4\xBD\xA0");
  CHECK(v.size() == 6);
  CHECK(v.symbols() == "\nab\xC3\xA9\xE4\xBD\xA0\xF0\x9F\x98\x80");
  CHECK(v.encode("\xF0\x9F\x98\x80"
                 "ab") == std::vector<int>{5, 1, 2});
  CHECK(v.decode(std::vector<int>{5, 1, 2, 3}) ==
        "\xF0\x9F\x98\x80"
        "ab\xC3\xA9");
  CHECK(v.decode(4) == "\xE4\xBD\xA0");
  CHECK(v.encode("").empty());
  CHECK(Vocabulary(v.symbols()) == v);
  CHECK(Vocabulary("ab") != v);
}

TEST_CASE("what a vocabulary does not know is named") {
  const Vocabulary v("abc\n");
  CHECK_THROWS_WITH(
      v.encode("ab\nac\xC3\xA9", "--prime"),
      "--prime: symbol \"\xC3\xA9\" (U+00E9) at line 2, column 3 is not among the 4 symbols of the "
      "vocabulary");
  CHECK_THROWS_WITH(
      v.encode("\t"),
      "text: symbol \"\\x09\" (U+0009) at line 1, column 1 is not among the 4 symbols of the vocabulary");
  CHECK_THROWS_WITH(v.encode("ab\xC3", "--prime"), "--prime: is not UTF-8: byte 2 at line 1, column 3");
  CHECK_THROWS_AS(v.encode("x"), FileError);
  CHECK_THROWS_WITH(v.decode(4), "number 4 stands for no symbol: the vocabulary has 4");
  CHECK_THROWS_WITH(v.decode(-1), "number -1 stands for no symbol: the vocabulary has 4");
  CHECK_THROWS_AS(v.decode(4), TapeError);
  CHECK_THROWS_WITH(Vocabulary(""), "a vocabulary needs at least one symbol, and the text is empty");
}

TEST_CASE("a split is contiguous and loses nothing") {
  for (const int n : {1, 7, 10, 20, 100, 1001, 1115394}) {
    const auto ids = count_to(n);
    const TextSplit all = split_text(ids, 1, 0, 0);
    CHECK((all.train.size() == ids.size() && all.validation.empty() && all.test.empty()));
    if (n < 20) continue;
    const TextSplit s = split_text(ids, 0.9, 0.05, 0.05);
    const auto size = static_cast<std::size_t>(n);
    CHECK(s.train.size() == size * 9 / 10);
    CHECK(s.train.size() + s.validation.size() == size * 19 / 20);
    CHECK(s.train.size() + s.validation.size() + s.test.size() == size);
    CHECK(s.validation.data() == s.train.data() + s.train.size());
    CHECK(s.test.data() == s.validation.data() + s.validation.size());
  }
  CHECK(split_text(count_to(10), 0.7, 0.1, 0.2).validation.size() == 1);  // 0.7 + 0.1 is below 0.8 in double
  CHECK(split_text(count_to(9), 0.5, 0.5, 0).test.empty());
}

TEST_CASE("a split without meaning is refused") {
  const auto ids = count_to(10);
  CHECK_THROWS_WITH(split_text(ids, 0.9, 0.2, -0.1),
                    "a split of 0.9, 0.2, -0.1: the fractions must not be negative and must add up to 1");
  CHECK_THROWS_WITH(split_text(ids, 0.9, 0.05, 0.5),
                    "a split of 0.9, 0.05, 0.5: the fractions must not be negative and must add up to 1");
  CHECK_THROWS_AS(split_text(ids, NAN, 0.5, 0.5), ShapeError);
  CHECK_THROWS_WITH(
      split_text(ids, 0.95, 0.04, 0.01),
      "a split of 0.95, 0.04, 0.01 leaves no validation part of a text of 10 symbols: use a longer text "
      "or other fractions");
  CHECK_THROWS_AS(split_text({}, 1, 0, 0), ShapeError);
}

TEST_CASE("streams run side by side and targets are one symbol ahead") {
  const TextBatches batches(count_to(23), {.streams = 3, .steps = 2});  // three streams of 7 symbols
  REQUIRE(batches.size() == 3);
  const auto numbers = [](std::span<const int> s) { return std::vector<int>(s.begin(), s.end()); };
  const TextBatch b = batches.at(1);
  CHECK(b.shape == Shape{2, 3});
  CHECK(numbers(b.x) == std::vector<int>{2, 9, 16, 3, 10, 17});
  CHECK(numbers(b.y) == std::vector<int>{3, 10, 17, 4, 11, 18});
  CHECK(!b.first);
  CHECK(batches.at(0).first);
  CHECK(batches.at(3).first);  // the next epoch
  CHECK(numbers(batches.at(3'000'000'001).x) == numbers(b.x));
}

TEST_CASE("batches of any size hold what they should") {
  for (const int n : {2, 3, 10, 57, 64, 65})
    for (const int streams : {1, 2, 3, 8})
      for (const int steps : {1, 2, 5, 7}) {
        INFO(n << " symbols, " << streams << " streams, " << steps << " steps");
        const int stride = (n - 1) / streams;
        const TextBatchOptions options{streams, steps};
        if (stride < steps) {
          CHECK_THROWS_AS(TextBatches(count_to(n), options), ShapeError);
          continue;
        }
        const TextBatches batches(count_to(n), options);
        CHECK(batches.size() == static_cast<std::uint64_t>(stride / steps));
        bool right = true;
        for (std::uint64_t w = 0; w < batches.size(); ++w)
          for (int t = 0; t < steps; ++t)
            for (int b = 0; b < streams; ++b) {
              const int at = b * stride + static_cast<int>(w) * steps + t;
              const auto i = static_cast<std::size_t>(t * streams + b);
              right = right && batches.at(w).x[i] == at && batches.at(w).y[i] == at + 1;
            }
        CHECK(right);
      }
}

TEST_CASE("a text that is too short says what would fit") {
  CHECK_THROWS_WITH(
      TextBatches(count_to(10), {.streams = 3, .steps = 4}),
      "a text of 10 symbols is too short for 3 streams of 4 steps: use fewer streams, fewer steps or a "
      "longer text");
  CHECK_THROWS_AS(TextBatches({}, {.streams = 1, .steps = 1}), ShapeError);
  CHECK_THROWS_WITH(TextBatches(count_to(10), {.streams = 0, .steps = 4}),
                    "0 streams of 4 steps: both must be positive");
  CHECK_THROWS_AS(TextBatches(count_to(10), {.streams = 1, .steps = -1}), ShapeError);
}

TEST_CASE("Tiny Shakespeare is cut as the PyTorch run cuts it") {
  const std::string path = data_file("tinyshakespeare/input.txt");
  if (!std::filesystem::exists(path)) {
    WARN("skipped: no " << path);
    return;
  }
  const std::string text = read_text(path);
  const Vocabulary v(text);
  const auto ids = v.encode(text);
  const TextSplit split = split_text(ids, 0.9, 0.05, 0.05);
  const TextBatches train(split.train, {.streams = 50, .steps = 50}),
      test(split.test, {.streams = 10, .steps = 50});
  // From a script that does it with PyTorch's view(B, k).t().
  CHECK(v.size() == 65);
  CHECK(train.size() == 401);
  CHECK(test.size() == 111);
  CHECK(checksum(train.at(17).x) == 207904085);
  CHECK(checksum(train.at(400).y) == 425933165);
  CHECK(checksum(test.at(110).y) == 217593975);
}

TEST_CASE("War and Peace unpacks") {
  const std::string path = data_file("warpeace/warpeace_input.txt.gz");
  if (!std::filesystem::exists(path)) {
    WARN("skipped: no " << path);
    return;
  }
  CHECK(read_text(path).size() == 3'196'228);
}
