// Lists of numbers on the command line of example programs.
#include "../../examples/shared/program.hpp"
#include "../catch.hpp"

using namespace examples;

namespace {

std::vector<double> numbers_of_split(const std::string& text) {
  return numbers_of("split", text, "0.9,0.05,0.05");
}

std::string split_error(const std::string& text) {
  try {
    numbers_of_split(text);
  } catch (const UsageError& e) {
    return e.what;
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE("numbers stand on a command line with commas between them") {
  CHECK(numbers_of_split("0.9,0.05,-5e-2") == std::vector<double>{0.9, 0.05, -0.05});
  CHECK(numbers_of_split("").empty());
  CHECK(split_error("0.9;0.1") == "--split 0.9;0.1: '0.9;0.1' is not a number; write it like 0.9,0.05,0.05");
  CHECK(split_error("1,,2") == "--split 1,,2: '' is not a number; write it like 0.9,0.05,0.05");
  CHECK(split_error("1, 2") == "--split 1, 2: ' 2' is not a number; write it like 0.9,0.05,0.05");
}
