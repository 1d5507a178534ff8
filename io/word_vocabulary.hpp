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

  /// The words that occur at least min_count times in the sequences, the most frequent first and equals in
  /// the order of their bytes. ShapeError when there is none, for an empty word or one with a line break, and
  /// for a min_count below 1.
  explicit WordVocabulary(std::span<const std::vector<std::string>> sequences, int min_count = 1);
  /// The vocabulary whose text() was saved. FileError for an empty line and a word that occurs twice.
  static WordVocabulary from_text(std::string_view saved);

  int size() const { return static_cast<int>(words_.size()); }  ///< The first three among them.
  /// All words but the first three, one a line: this is what a checkpoint keeps; see from_text().
  std::string text() const;

  /// Words that are not in it become `unknown`.
  std::vector<int> encode(std::span<const std::string> words) const;
  /// TapeError for a number outside [0, size()).
  const std::string& word(int id) const;
  std::vector<std::string> decode(std::span<const int> ids) const;

 private:
  WordVocabulary();  // of the first three
  template <class Error>
  void add(std::string word);

  std::vector<std::string> words_;
  std::map<std::string, int, std::less<>> ids_;
};

}  // namespace spool
