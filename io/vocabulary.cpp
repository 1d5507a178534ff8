#include <spool/graph/error.hpp>
#include <spool/io/file.hpp>
#include <spool/io/utf8.hpp>
#include <spool/io/vocabulary.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace spool {

namespace {

// Calls f(code point, its first byte) for each symbol.
template <class F>
void for_each_symbol(std::string_view text, const std::string& origin, F&& f) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t begin = i;
    const auto symbol = next_code_point(text, i);
    if (!symbol)
      fail_file(origin, fmt::format("is not UTF-8: byte {} at {}", begin, line_and_column(text, begin)));
    f(*symbol, begin);
  }
}

}  // namespace

Vocabulary::Vocabulary(std::string_view text) {
  std::set<char32_t> distinct;
  for_each_symbol(text, "text", [&](char32_t symbol, std::size_t) { distinct.insert(symbol); });
  if (distinct.empty()) throw FileError("a vocabulary needs at least one symbol, and the text is empty");
  symbols_.assign(distinct.begin(), distinct.end());
}

std::string Vocabulary::symbols() const {
  std::string text;
  for (const char32_t symbol : symbols_) append_utf8(text, symbol);
  return text;
}

std::vector<int> Vocabulary::encode(std::string_view text, const std::string& origin) const {
  std::vector<int> ids;
  ids.reserve(text.size());
  for_each_symbol(text, origin, [&](char32_t symbol, std::size_t byte) {
    const auto found = std::lower_bound(symbols_.begin(), symbols_.end(), symbol);
    if (found == symbols_.end() || *found != symbol) {
      std::string shown;
      append_utf8(shown, symbol);
      fail_file(origin,
                fmt::format("symbol {} (U+{:04X}) at {} is not among the {} symbols of the vocabulary",
                            in_quotes(shown), static_cast<std::uint32_t>(symbol), line_and_column(text, byte),
                            size()));
    }
    ids.push_back(static_cast<int>(found - symbols_.begin()));
  });
  return ids;
}

std::string Vocabulary::decode(std::span<const int> ids) const {
  std::string text;
  for (const int id : ids) {
    if (id < 0 || id >= size())
      throw TapeError(fmt::format("number {} stands for no symbol: the vocabulary has {}", id, size()));
    append_utf8(text, symbols_[static_cast<std::size_t>(id)]);
  }
  return text;
}

}  // namespace spool
