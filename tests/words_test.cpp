// Texts cut into words and characters.
#include <spool/spool.hpp>

#include <boost/algorithm/string/join.hpp>

#include "catch.hpp"
#include "error_text.hpp"

using namespace spool;

namespace {

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("words are cut at all of Unicode's spaces") {
  CHECK(words_of(" vraiment\u00A0? oui\u3000non\t\n") == Texts{"vraiment", "?", "oui", "non"});
  CHECK(words_of("").empty());
  CHECK(tape_error([] { words_of("\xC3("); }) == "words_of: a text is not UTF-8");
}

TEST_CASE("the characters of a text are its code points") {
  CHECK(characters_of("a\u00E9 \u4F60") == Texts{"a", "\u00E9", " ", "\u4F60"});
  CHECK(characters_of("").empty());
  CHECK(tape_error([] { characters_of("\xC3("); }) == "characters_of: a text is not UTF-8");
}

TEST_CASE("English sentences are cut as treebanks cut them") {
  const auto known = [](const std::string& word) {
    return word == "Mr." || word == "p.m." || word == "etc." || word == "Yahoo!" || word == "'em";
  };
  for (const auto& [text, words] : std::vector<std::pair<std::string, std::string>>{
           {"The old man the boat.", "The old man the boat ."},
           {"I don't know, it's fine", "I do n't know , it 's fine"},
           {"I\u2019m sure they\u2019LL go", "I 'm sure they 'LL go"},
           {"You CANNOT; we can't", "You CAN NOT ; we ca n't"},
           {"Mr. Smith's U.S. e-mail at 3 p.m.", "Mr. Smith 's U.S. e-mail at 3 p.m."},
           {"J. Doe, etc., said \"yes (really)!\"", "J. Doe , etc. , said \" yes ( really ) ! \""},
           {"It cost $3.5, or 10%...", "It cost $ 3.5 , or 10 % ..."},
           {"What?! Yahoo! :-) the dogs' get 'em", "What ?! Yahoo! :-) the dogs ' get 'em"},
           {"caf\u00e9, na\u00efve.", "caf\u00e9 , na\u00efve ."},
           {" n't  's ", "n't 's"},
           {"", ""},
       })
    CHECK(boost::join(treebank_words(text, known), " ") == words);
  CHECK(treebank_words("Mr. Smith.") == Texts{"Mr", ".", "Smith", "."});
}
