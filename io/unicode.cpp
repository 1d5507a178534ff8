#include <spool/graph/error.hpp>
#include <spool/io/unicode.hpp>

#include <fmt/format.h>

#include <boost/regex/pending/unicode_iterator.hpp>

namespace spool::detail {

std::u32string code_points(std::string_view utf8, std::string_view who) {
  using Decode = boost::u8_to_u32_iterator<std::string_view::const_iterator, char32_t>;
  try {
    return {Decode(utf8.begin(), utf8.begin(), utf8.end()), Decode(utf8.end(), utf8.begin(), utf8.end())};
  } catch (const std::out_of_range&) {
    throw TapeError(fmt::format("{}: a text is not UTF-8", who));
  }
}

std::string to_utf8(std::u32string_view text) {
  using Encode = boost::u32_to_u8_iterator<std::u32string_view::const_iterator, char>;
  return {Encode(text.begin()), Encode(text.end())};
}

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

std::vector<std::u32string> split_words(std::u32string_view text) {
  std::vector<std::u32string> words;
  bool inside = false;
  for (const char32_t c : text) {
    if (!is_space(c)) {
      if (!inside) words.emplace_back();
      words.back() += c;
    }
    inside = !is_space(c);
  }
  return words;
}

}  // namespace spool::detail
