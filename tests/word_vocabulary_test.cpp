// Numbers of words: their order, what is unknown, the way into a checkpoint and back, and what is refused.
#include <spool/spool.hpp>

#include <concepts>

#include "catch.hpp"
#include "error_text.hpp"

using namespace spool;

namespace {
using Words = std::vector<std::string>;
const std::vector<Words> sentences{{"b", "a", "c"}, {"c", "a", "d"}, {"c"}};
}  // namespace

TEST_CASE("words are numbered by how often they stand, then by their bytes") {
  const WordVocabulary all(sentences), frequent(sentences, 2);
  CHECK(all.text() == "c\na\nb\nd");
  CHECK(all.size() == 7);
  CHECK(frequent.text() == "c\na");
  CHECK(frequent.encode(Words{"a", "b", "c"}) == std::vector{4, WordVocabulary::unknown, 3});
  CHECK(frequent.decode(std::vector{3, 0, 1, 2}) == Words{"c", "<unknown>", "<begin>", "<end>"});
  const WordVocabulary again = WordVocabulary::from_text(all.text());
  CHECK(again.text() == all.text());
  CHECK(again.encode(Words{"a", "b", "x"}) == std::vector{4, 5, WordVocabulary::unknown});
  CHECK(WordVocabulary::from_text("<end>").encode(Words{"<end>"}) == std::vector{3});  // like any other
  STATIC_REQUIRE_FALSE(std::constructible_from<WordVocabulary, const char*>);  // as Vocabulary is, of a text
  STATIC_REQUIRE_FALSE(std::constructible_from<WordVocabulary, std::string>);
}

TEST_CASE("words that are none are refused") {
  CHECK(shape_error([] { WordVocabulary(sentences, 4); }) ==
        "WordVocabulary: no word occurs 4 times or more");
  CHECK(shape_error([] { WordVocabulary(std::vector<Words>{}); }) ==
        "WordVocabulary: no word occurs 1 times or more");
  for (const int count : {0, -1})
    CHECK(shape_error([&] { WordVocabulary(sentences, count); }) ==
          "WordVocabulary: min_count must be at least 1, not " + std::to_string(count));
  for (const std::string none : {"", "a\nb"})
    CHECK(shape_error([&] {
            WordVocabulary(std::vector<Words>{{"a b", none}});
          }) ==
          (none.empty() ? "WordVocabulary: \"\" is no word" : "WordVocabulary: \"a\\x0ab\" is no word"));
  const auto saved = [](const char* text) {
    return text_of<FileError>([&] { WordVocabulary::from_text(text); });
  };
  CHECK(saved("a\n\nb") == "WordVocabulary: \"\" is no word");
  CHECK(saved("") == "WordVocabulary: \"\" is no word");
  CHECK(saved("a\nb\na") == "WordVocabulary: \"a\" occurs twice in the list of words");
  CHECK(tape_error([] { WordVocabulary(sentences).word(7); }) ==
        "WordVocabulary: 7 is the number of no word; there are 0..6");
  CHECK(tape_error([] { WordVocabulary(sentences).decode(std::vector{-1}); }) ==
        "WordVocabulary: -1 is the number of no word; there are 0..6");
}
