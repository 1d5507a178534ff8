#include <spool/io/utf8.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace spool {

std::optional<char32_t> next_code_point(std::string_view text, std::size_t& position) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(position);
  if (first < 0x80) {
    ++position;
    return first;
  }
  // How many bytes, the smallest code point that needs so many, and the first byte's part of it.
  std::size_t length = 0;
  char32_t smallest = 0, code = 0;
  if ((first & 0xE0) == 0xC0)
    length = 2, smallest = 0x80, code = first & 0x1Fu;
  else if ((first & 0xF0) == 0xE0)
    length = 3, smallest = 0x800, code = first & 0x0Fu;
  else if ((first & 0xF8) == 0xF0)
    length = 4, smallest = 0x10000, code = first & 0x07u;
  else
    return std::nullopt;
  if (text.size() - position < length) return std::nullopt;
  for (std::size_t i = 1; i < length; ++i) {
    const unsigned char next = byte(position + i);
    if ((next & 0xC0) != 0x80) return std::nullopt;
    code = code << 6 | (next & 0x3Fu);
  }
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < smallest || code > 0x10FFFF || surrogate) return std::nullopt;
  position += length;
  return code;
}

void append_utf8(std::string& text, char32_t c) {
  const auto put = [&](char32_t bits) { text.push_back(static_cast<char>(bits)); };
  const auto tail = [&](int shift) { put(0x80 | ((c >> shift) & 0x3F)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6), tail(0);
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12), tail(6), tail(0);
  } else {
    put(0xF0 | c >> 18), tail(12), tail(6), tail(0);
  }
}

std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();)
    if (!next_code_point(text, i)) return i;
  return std::nullopt;
}

std::string line_and_column(std::string_view text, std::size_t byte) {
  const std::string_view before = text.substr(0, byte);
  const auto lines = std::count(before.begin(), before.end(), '\n');
  const auto line_start = before.find_last_of('\n') + 1;  // npos + 1 is 0: the first line
  const auto on_line = before.substr(line_start);
  const auto columns =
      std::count_if(on_line.begin(), on_line.end(), [](char c) { return (c & 0xC0) != 0x80; });
  return fmt::format("line {}, column {}", lines + 1, columns + 1);
}

std::string in_quotes(std::string_view name, std::size_t longest) {
  std::string out = "\"";
  for (std::size_t i = 0; i < name.size();) {
    if (out.size() > longest) return out + "...\"";
    const std::size_t begin = i;
    const auto code = next_code_point(name, i);
    if (!code || *code < 0x20 || *code == 0x7F) {
      i = begin + 1;
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(name[begin]));
    } else {
      out += name.substr(begin, i - begin);
    }
  }
  return out + "\"";
}

}  // namespace spool
