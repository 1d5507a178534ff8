// IDX arrays and .ts series: every kind of number, and every cut and malformed file is a FileError.
#include <spool/spool.hpp>

#include <boost/iostreams/device/back_inserter.hpp>
#include <boost/iostreams/filter/gzip.hpp>
#include <boost/iostreams/filtering_stream.hpp>

#include <cstdlib>
#include <filesystem>

#include "catch.hpp"
#include "error_text.hpp"
#include "scratch.hpp"

using namespace spool;
using namespace std::string_literals;

namespace {

// The error of reading this content, without the path.
template <class Read>
std::string refusal(Read&& read, const std::string& content) {
  const Scratch scratch;
  const std::string path = scratch.file("a", content);
  const std::string text = text_of<FileError>([&] { read(path); });
  return text.starts_with(path + ": ") ? text.substr(path.size() + 2) : text;
}

std::string compressed(const std::string& bytes) {
  std::string out;
  boost::iostreams::filtering_ostream stream;
  stream.push(boost::iostreams::gzip_compressor());
  stream.push(boost::iostreams::back_inserter(out));
  stream << bytes;
  stream.reset();
  return out;
}

std::string data_file(const std::string& name) {
  const char* const folder = std::getenv("SPOOL_DATA");
  return std::string(folder != nullptr ? folder : "../shared/data") + "/" + name;
}

const std::string heading = "@classLabel true a b\n@data\n";

}  // namespace

TEST_CASE("IDX arrays have the numbers and the type of the file") {
  const Scratch scratch;
  const auto read = [&](const std::string& bytes) { return read_idx(scratch.file("a", bytes)); };
  CHECK(read("\0\0\x08\3\0\0\0\1\0\0\0\2\0\0\0\2\0\1\xFF\x80"s) == Tensor({1, 2, 2}, {0, 1, 255, 128}));
  CHECK(read("\0\0\x09\1\0\0\0\2\x7F\x80"s) == Tensor({2}, {127, -128}));
  CHECK(read("\0\0\x0B\1\0\0\0\2\1\0\xFF\xFE"s) == Tensor({2}, {256, -2}));
  CHECK(read("\0\0\x0C\1\0\0\0\2\0\0\0\7\x80\0\0\0"s) == Tensor({2}, {7, -2147483648.0}, DType::f64));
  CHECK(read("\0\0\x0D\1\0\0\0\1\xBF\xC0\0\0"s) == Tensor({1}, {-1.5}));
  CHECK(read("\0\0\x0E\1\0\0\0\1\x40\x09\x21\xFB\x54\x44\x2D\x18"s) ==
        Tensor({1}, {3.141592653589793}, DType::f64));
  CHECK(read(compressed("\0\0\x08\1\0\0\0\1\x05"s)) == Tensor({1}, {5}));
}

TEST_CASE("IDX files that are none, or not whole, are refused") {
  const auto refused = [](const std::string& bytes) { return refusal(read_idx, bytes); };
  CHECK(refused("") == "is empty");
  for (const std::string& bytes : {"\0\0\x08"s, "\1\0\x08\1\0\0\0\1\0"s, "\0\0\x0A\1\0\0\0\1\0"s,
                                   "\0\0\x08\0\0"s, "\0\0\x08\x09\0\0\0\1"s, "a picture"s})
    CHECK(refused(bytes) == "is not an IDX file");
  const std::string whole = "\0\0\x0B\2\0\0\0\2\0\0\0\1\1\2\3\4"s;
  for (std::size_t n = 4; n < 12; ++n)
    CHECK(refused(whole.substr(0, n)) == "is a truncated IDX file: it ends within its header");
  for (const std::string& bytes : {whole.substr(0, 12), whole.substr(0, 15), whole + "\5"})
    CHECK(refused(bytes).starts_with("is a damaged or truncated IDX file: it has "));
  CHECK(refused("\0\0\x0E\4\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s)
            .starts_with("is a damaged or truncated IDX file: it has 0 bytes of numbers"));
  CHECK(refused("\0\0\x08\2\0\0\0\0\xFF\xFF\xFF\xFF"s) == "holds no numbers");
  CHECK(refused("\0\0\x0D\1\0\0\0\2\0\0\0\0\x7F\x80\0\0"s) == "number 1 is not finite");
  CHECK(refused(compressed(whole).substr(0, 20)) == "is damaged or truncated gzip");
  CHECK(text_of<FileError>([] { read_idx("/no/such/a"); }) == "/no/such/a: No such file or directory");
}

TEST_CASE("series have their own lengths, and classes the names that the file lists") {
  const Scratch scratch;
  const ClassifiedSeries set =
      read_ts(scratch.file("a.ts",
                           "\xEF\xBB\xBF# made here\n@problemName two\n@timeStamps false\n"
                           "@CLASSLABEL True x y\r\n\n@Data\r\n"
                           "1,-2.5e1, +3:4,5,6:y\r\n# between\n7:8:x"));
  CHECK(set.class_names == std::vector<std::string>{"x", "y"});
  CHECK(set.classes == std::vector<int>{1, 0});
  REQUIRE(set.series.size() == 2);
  CHECK(set.series[0] == Tensor({3, 2}, {1, 4, -25, 5, 3, 6}));
  CHECK(set.series[1] == Tensor({1, 2}, {7, 8}));
}

TEST_CASE("malformed series are refused with their line") {
  const auto refused = [](const std::string& text) { return refusal(read_ts, text); };
  CHECK(refused("") == "is empty");
  CHECK(refused("@classLabel true a\n") == "has no @data");
  CHECK(refused(heading) == "has no series after @data");
  CHECK(refused("1,2,3\n") == "line 1: is no heading, which begins with @; is this a .ts file?");
  for (const std::string& none : {"@data\n"s, "@classLabel false\n@data\n"s, "@classLabel true\n@data\n"s})
    CHECK(refused(none).ends_with(": no classes were listed: @classLabel true NAME NAME ..."));
  CHECK(refused("@timeStamps true\n" + heading) == "line 1: series with time stamps are not read");
  CHECK(refused(heading + "1,2:c\n") == "line 3: class \"c\" is not listed after @classLabel");
  CHECK(refused(heading + "1,2\n") == "line 3: class \"1,2\" is not listed after @classLabel");
  CHECK(refused(heading + "a\n") == "line 3: the first series has no channels");
  CHECK(refused(heading + "1:2:a\n1:b\n") == "line 4: has 1 channels; the first series has 2");
  CHECK(refused(heading + "1:2,3:a\n") == "line 3: channel 2 has 2 values where the first has 1");
  for (const std::string& bad : {"?"s, ""s, "nan"s, "1e99"s, "1x"s, "--1"s})
    CHECK(refused(heading + "1," + bad + ":a\n") == "line 3: \"" + bad + "\" is not a finite number");
}

TEST_CASE("data sets of others are read whole") {
  if (!std::filesystem::exists(data_file("mts_japanese_vowels"))) {
    WARN("skipped: no data sets in " << data_file(""));
    return;
  }
  const ClassifiedSeries vowels = read_ts(data_file("mts_japanese_vowels/JapaneseVowels_TEST.ts.gz"));
  CHECK(vowels.class_names.size() == 9);
  CHECK(std::ranges::count(vowels.classes, 2) == 88);
  CHECK(vowels.series.size() == 370);
  CHECK(vowels.series[0].shape()[1] == 12);
  const Tensor pictures = read_idx(data_file("fashion_mnist/t2k-images-idx3-ubyte.gz"));
  CHECK(pictures.shape() == Shape{2000, 28, 28});
  CHECK(read_idx(data_file("fashion_mnist/t2k-labels-idx1-ubyte.gz")).shape() == Shape{2000});
}
