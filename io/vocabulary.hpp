// Vocabulary: the symbols of a text and their numbers. A symbol is a Unicode code point; numbers follow the
// order of code points, so the same text gives the same numbers everywhere.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace spool {

class Vocabulary {
 public:
  /// The distinct symbols of a text. Throws FileError when there are none, or the text is not UTF-8.
  explicit Vocabulary(std::string_view text);

  int size() const { return static_cast<int>(symbols_.size()); }
  /// All symbols in order, as UTF-8. Vocabulary(v.symbols()) equals v: this is what a checkpoint keeps.
  std::string symbols() const;

  /// The numbers of a text's symbols. Throws FileError for a symbol that is not in the vocabulary, naming it
  /// and where in `origin` it stands.
  std::vector<int> encode(std::string_view text, const std::string& origin = "text") const;
  /// The text of numbers. Throws TapeError for a number outside [0, size()).
  std::string decode(std::span<const int> ids) const;
  std::string decode(int id) const { return decode(std::span(&id, 1)); }

  friend bool operator==(const Vocabulary&, const Vocabulary&) = default;

 private:
  std::u32string symbols_;  // sorted, each once
};

}  // namespace spool
