// Numbers of words: their order, what is unknown, the way into a checkpoint and back, and what is refused.
#include <spool/spool.hpp>

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
  CHECK(WordVocabulary(all.text()).text() == all.text());
  CHECK(WordVocabulary("<end>").encode(Words{"<end>"}) == std::vector{3});  // a word like any other
}

TEST_CASE("words that are none are refused") {
  CHECK(shape_error([] { WordVocabulary(sentences, 4); }) ==
        "WordVocabulary: no word stands 4 times or more");
  CHECK(shape_error([] { WordVocabulary(std::vector<Words>{}); }) ==
        "WordVocabulary: no word stands 1 times or more");
  CHECK(text_of<FileError>([] {
          WordVocabulary(std::vector<Words>{{"a b", ""}});
        }) == "WordVocabulary: \"\" is no word");
  CHECK(text_of<FileError>([] { WordVocabulary("a\n\nb"); }) == "WordVocabulary: \"\" is no word");
  CHECK(text_of<FileError>([] { WordVocabulary(""); }) == "WordVocabulary: \"\" is no word");
  CHECK(text_of<FileError>([] { WordVocabulary("a\nb\na"); }) ==
        "WordVocabulary: \"a\" stands twice in the list of words");
  CHECK(tape_error([] { WordVocabulary(sentences).word(7); }) ==
        "WordVocabulary: 7 is the number of no word; there are 0..6");
  CHECK(tape_error([] { WordVocabulary(sentences).decode(std::vector{-1}); }) ==
        "WordVocabulary: -1 is the number of no word; there are 0..6");
}
