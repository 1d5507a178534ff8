// docs/errors.md says what the library throws: each mistake's message stands in the mistake's section, under
// the chapter of its type, and no section or message stands there without a mistake that gives it.
#include <spool/graph/error.hpp>

#include <fstream>
#include <regex>
#include <set>
#include <string>
#include <tuple>

#include "catch.hpp"
#include "error_text.hpp"
#include "errors_doc.hpp"

using namespace spool;

namespace {

/// A message of the page: its chapter, its section, its text.
using Entry = std::tuple<std::string, std::string, std::string>;

// All fenced blocks that stand in a section. A section without one counts as an empty message.
std::set<Entry> entries_of_page(const std::string& path) {
  std::ifstream page(path);
  REQUIRE(page);
  std::set<Entry> all;
  std::string chapter, section, block, line;
  bool inside = false, empty = false;
  const auto close_section = [&] {
    if (empty) all.emplace(chapter, section, "");
  };
  while (std::getline(page, line)) {
    if (line.starts_with("```")) {
      inside = !inside;
      if (!inside && !section.empty()) all.emplace(chapter, section, block), empty = false;
      block.clear();
    } else if (inside) {
      block += (block.empty() ? "" : "\n") + line;
    } else if (line.starts_with("## ")) {
      close_section();
      chapter = line.substr(3), section.clear(), empty = false;
    } else if (line.starts_with("### ")) {
      close_section();
      section = line.substr(4), empty = true;
    }
  }
  close_section();
  return all;
}

// As the page shows it: the line that recorded is my_model.cpp:41, and files are where the program runs.
std::string as_shown(std::string text) {
  static const std::regex line("(recorded|used) at [^\n]*"), directory("/[^ ]*spool-test-[^/]*/");
  text = std::regex_replace(text, line, "$1 at my_model.cpp:41");
  return std::regex_replace(text, directory, "");
}

template <class E>
void add_messages(std::set<Entry>& all, const char* type, const std::vector<Mistake>& mistakes) {
  for (const Mistake& mistake : mistakes) {
    INFO(mistake.section);
    CHECK(all.emplace(type, mistake.section, as_shown(text_of<E>(mistake.make))).second);
  }
}

std::string list(const std::set<Entry>& these, const std::set<Entry>& without) {
  std::string text;
  for (const Entry& e : these)
    if (!without.contains(e))
      text += std::get<0>(e) + ", " + std::get<1>(e) + ":\n" + std::get<2>(e) + "\n\n";
  return text;
}

}  // namespace

TEST_CASE("docs/errors.md has every message, and only messages that are thrown") {
  std::set<Entry> thrown;
  add_messages<ShapeError>(thrown, "ShapeError", shape_mistakes);
  add_messages<TapeError>(thrown, "TapeError", tape_mistakes);
  add_messages<FileError>(thrown, "FileError", file_mistakes);
  const std::set<Entry> page = entries_of_page("docs/errors.md");
  CHECK(list(thrown, page) == "");  // what the page lacks
  CHECK(list(page, thrown) == "");  // what nothing throws
}
