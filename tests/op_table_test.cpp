// Runs every row of the op table, and checks that no op of the library is without one.
#include "op_table.hpp"

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "catch.hpp"

using namespace spool;
using namespace spool::test;

TEST_CASE("op table") {
  for (const OpRow& row : all_rows()) DYNAMIC_SECTION(row.name) {
      check_row(row);
    }
}

TEST_CASE("every op has a row") {
  std::set<std::string> reached;
  for (const OpRow& row : all_rows())
    for (const std::string& name : ops_of(row)) reached.insert(name);

  // By the house's rule an op f is the constant f_op.
  const std::regex definition(R"(constexpr\s+OpDef\s+(\w+)_op\b)");
  std::size_t found = 0;
  for (const auto& file : std::filesystem::directory_iterator("ops")) {
    if (file.path().extension() != ".cpp") continue;
    std::stringstream text;
    text << std::ifstream(file.path()).rdbuf();
    const std::string source = text.str();
    for (std::sregex_iterator m(source.begin(), source.end(), definition), end; m != end; ++m, ++found) {
      INFO("no row of tests/ops records the op " << (*m)[1]);
      CHECK(reached.contains((*m)[1]));
    }
  }
  CHECK(found >= 17);
}
