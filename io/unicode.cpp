#include <spool/graph/error.hpp>
#include <spool/io/unicode.hpp>
#include <spool/io/utf8.hpp>

#include <fmt/format.h>

namespace spool::detail {

std::u32string code_points(std::string_view utf8, std::string_view who) {
  std::u32string all;
  for (std::size_t i = 0; i < utf8.size();) {
    const auto c = next_code_point(utf8, i);
    if (!c) throw TapeError(fmt::format("{}: a text is not UTF-8", who));
    all += *c;
  }
  return all;
}

std::string to_utf8(std::u32string_view text) {
  std::string utf8;
  for (const char32_t c : text) append_utf8(utf8, c);
  return utf8;
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
