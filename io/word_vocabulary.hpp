// WordVocabulary: numbers for words, or for symbols of any kind that are texts (phonemes, word pieces). The
// first three stand for what is unknown, for the beginning and for the end of a sequence. For the characters
// of one text there is Vocabulary.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace spool {

class WordVocabulary {
 public:
  static constexpr int unknown = 0, begin = 1, end = 2;

  /// The words that stand at least min_count times in the sequences, the most frequent first and equals in
  /// the order of their bytes. ShapeError when none does; FileError for an empty word or one with a line
  /// break.
  explicit WordVocabulary(std::span<const std::vector<std::string>> sequences, int min_count = 1);
  /// What text() gave. FileError for an empty line and a word that stands twice.
  explicit WordVocabulary(std::string_view text);

  int size() const { return static_cast<int>(words_.size()); }  ///< The first three among them.
  /// All words but the first three, one a line: this is what a checkpoint keeps.
  std::string text() const;

  /// Words that are not in it become `unknown`.
  std::vector<int> encode(std::span<const std::string> words) const;
  /// TapeError for a number outside [0, size()).
  const std::string& word(int id) const;
  std::vector<std::string> decode(std::span<const int> ids) const;

 private:
  void add(std::string word);

  std::vector<std::string> words_;
  std::map<std::string, int, std::less<>> ids_;
};

}  // namespace spool
