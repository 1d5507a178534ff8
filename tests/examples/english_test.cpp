// English sentences are split into words as the treebanks of Universal Dependencies split them.
#include <string>
#include <utility>
#include <vector>

#include <boost/algorithm/string/join.hpp>

#include "../../examples/shared/english.hpp"
#include "../catch.hpp"

TEST_CASE("english words") {
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
    CHECK(boost::join(examples::english_words(text, known), " ") == words);
}
