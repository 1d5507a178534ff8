// CSV tables: what RFC 4180 allows is read, and what departs from it is refused with its line.
#include <spool/spool.hpp>

#include "catch.hpp"
#include "error_text.hpp"
#include "scratch.hpp"

using namespace spool;

namespace {

// The error of reading this content, without the directory.
std::string refusal(const std::string& content, const CsvOptions& options = {}) {
  const Scratch scratch;
  const std::string path = scratch.file("t.csv", content);
  const std::string text = text_of<FileError>([&] { Csv(path, options); });
  return text.starts_with(path) ? text.substr(path.size() - 5) : text;
}

}  // namespace

TEST_CASE("a table is read by the names of its columns") {
  const Scratch scratch;
  const Csv csv(scratch.file("a.csv",
                             "\xEF\xBB\xBFname, \"size, cm\",weight\r\n"
                             "\"the \"\"best\"\"\nof all\",1.5,-2e3\r\n\r\n"
                             "\xE4\xBD\xA0,+7 ,\" \""));
  CHECK(csv.names() == std::vector<std::string>{"name", "size, cm", "weight"});
  CHECK(csv.rows() == 2);
  CHECK(csv.columns() == 3);
  CHECK(csv.texts("name") == std::vector<std::string>{"the \"best\"\nof all", "\xE4\xBD\xA0"});
  CHECK(csv.texts("weight") == std::vector<std::string>{"-2e3", " "});
  const std::vector<std::string> size{"size, cm"};
  CHECK(csv.numbers(size) == Tensor({2, 1}, {1.5, 7}, DType::f64));
}

TEST_CASE("columns of a table are asked for as is shortest") {
  const Scratch scratch;
  const Csv csv(scratch.file("a.csv", "x,y\n1,2\n3,\n"));
  CHECK(csv.numbers("x").doubles() == std::vector<double>{1, 3});
  CHECK(csv.numbers("x").shape() == Shape{2, 1});
  CHECK(csv.numbers({"x"}).doubles() == std::vector<double>{1, 3});
  CHECK(csv.numbers({"y", "x"}, 9).doubles() == std::vector<double>{2, 1, 9, 3});
  CHECK(csv.numbers(std::string("y"), 9).doubles() == std::vector<double>{2, 9});
  CHECK(csv.numbers(0).doubles() == std::vector<double>{1, 2, 3, 0});
}

TEST_CASE("quotes may be characters like others") {
  const Scratch scratch;
  const std::string path = scratch.file("a.tsv", "what\tnote\n\"a\" toy\tcalled \"b\"\n\"c\t\n");
  const Csv csv(path, {.separator = '\t', .quotes = false});
  CHECK(csv.texts("what") == std::vector<std::string>{"\"a\" toy", "\"c"});
  CHECK(csv.texts("note") == std::vector<std::string>{"called \"b\"", ""});
}

TEST_CASE("columns come in the order asked for, and missing numbers as what is said") {
  const Scratch scratch;
  const Csv csv(scratch.file("a.csv", "x;y\n1;2\n;4\n"), {.separator = ';'});
  CHECK(csv.numbers(std::vector<std::string>{"y", "x"}, -1) == Tensor({2, 2}, {2, 1, 4, -1}, DType::f64));
  const Csv bare(scratch.file("b.csv", "1,2\n3,4\n"), {.header = false});
  CHECK(bare.names() == std::vector<std::string>{"1", "2"});
  CHECK(bare.numbers() == Tensor({2, 2}, {1, 2, 3, 4}, DType::f64));
}

TEST_CASE("fields that are no numbers are refused with their line and column") {
  const Scratch scratch;
  const std::string path = scratch.file("a.csv", "x,\"y\n\"\n1,2\n\n,abc\n3,nan\n1e999,0x1\n");
  const auto refused = [&](const std::string& column, std::optional<double> missing = {}) {
    return text_of<FileError>([&] { Csv(path).numbers(std::vector{column}, missing); });
  };
  CHECK(refused("x") == path + ": line 5, column \"x\": is empty; say what stands for missing numbers");
  CHECK(refused("x", 0) == path + ": line 7, column \"x\": \"1e999\" is not a finite number");
  CHECK(refused("y\n") == path + ": line 5, column \"y\\x0a\": \"abc\" is not a finite number");
  CHECK(refused("z") == path + ": has no column \"z\"; it has \"x\", \"y\\x0a\"");
  CHECK(text_of<FileError>([&] { Csv(path).texts("X"); }) ==
        path + ": has no column \"X\"; it has \"x\", \"y\\x0a\"");
}

TEST_CASE("malformed tables are refused") {
  CHECK(refusal("") == "t.csv: is empty");
  CHECK(refusal("\n\n") == "t.csv: has no rows");
  CHECK(refusal("x,y\n") == "t.csv: has a header and no rows");
  CHECK(refusal("x,x\n1,2\n") == "t.csv: has two columns called \"x\"");
  CHECK(refusal("x,y\n1,2\n3\n") == "t.csv: line 3: 1 fields where line 1 has 2");
  CHECK(refusal("x,y\n1,2\n3,4,5", {.header = false}) == "t.csv: line 3: 3 fields where line 1 has 2");
  CHECK(refusal("x\n\"abc\n") == "t.csv: a quote is never closed");
  CHECK(refusal("x\nab\"c\n") ==
        "t.csv: line 2: a quote stands in a field that does not begin with one; quotes within quotes are "
        "doubled");
  CHECK(refusal("x\n\"ab\"c\n").starts_with("t.csv: line 2: a quote"));
  CHECK(refusal("x\n\xFF\n").starts_with("t.csv: is not UTF-8 text"));
  CHECK(text_of<FileError>([] { Csv("/no/such/t.csv"); }) == "/no/such/t.csv: No such file or directory");
}
