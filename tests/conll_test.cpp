// Sentences in columns: what they become, and what is refused.
#include <spool/spool.hpp>

#include "catch.hpp"
#include "error_text.hpp"
#include "scratch.hpp"

using namespace spool;

TEST_CASE("sentences in columns are read, whatever their line ends and comments") {
  const Scratch scratch;
  const std::string path = scratch.file("a.conllu",
                                        "# text = No, no\n1\tNo\tINTJ\n2\t,\tPUNCT\r\n3\tno\tINTJ\n\n\n"
                                        "# a comment\n\n#\tNo.\tSYM\n\r\n1\tOne\tNUM");
  const std::vector<WordsOfSentences> columns = read_conll(path);
  REQUIRE(columns.size() == 3);
  CHECK(columns[0] == WordsOfSentences{{"1", "2", "3"}, {"#"}, {"1"}});
  CHECK(columns[1] == WordsOfSentences{{"No", ",", "no"}, {"No."}, {"One"}});
  CHECK(columns[2] == WordsOfSentences{{"INTJ", "PUNCT", "INTJ"}, {"SYM"}, {"NUM"}});
}

TEST_CASE("what is no table of words is refused") {
  const Scratch scratch;
  const auto refused = [&](const char* text) {
    const std::string path = scratch.file("a.tsv", text);
    const std::string what = text_of<FileError>([&] { read_conll(path); });
    return what.substr(what.rfind('/') + 1);
  };
  CHECK(refused("no\tINTJ\n\nyes\n") == "a.tsv: line 3: has 1 fields and not 2, as those before");
  CHECK(refused("no\tINTJ\nyes\tINTJ\tUH\n") == "a.tsv: line 2: has 3 fields and not 2, as those before");
  CHECK(refused("no\t\n") == "a.tsv: line 1: field 2 is empty");
  CHECK(refused("# nothing\n\n\n") == "a.tsv: holds no sentence");
}
