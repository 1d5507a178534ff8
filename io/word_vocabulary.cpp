#include <spool/graph/error.hpp>
#include <spool/io/utf8.hpp>
#include <spool/io/word_vocabulary.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace spool {

namespace {

const std::vector<std::string> first_three{"<unknown>", "<begin>", "<end>"};

}  // namespace

// Error is the type for words that can't be: ShapeError for the caller's, FileError for saved ones.
template <class Error>
void WordVocabulary::add(std::string word) {
  if (word.empty() || word.find('\n') != std::string::npos)
    throw Error(fmt::format("WordVocabulary: {} is no word", in_quotes(word)));
  if (!ids_.emplace(word, size()).second)
    throw Error(fmt::format("WordVocabulary: {} occurs twice in the list of words", in_quotes(word)));
  words_.push_back(std::move(word));
}

WordVocabulary::WordVocabulary() : words_(first_three) {}

WordVocabulary::WordVocabulary(std::span<const std::vector<std::string>> sequences, int min_count)
    : WordVocabulary() {
  if (min_count < 1)
    throw ShapeError(fmt::format("WordVocabulary: min_count must be at least 1, not {}", min_count));
  std::map<std::string, int> counts;
  for (const auto& sequence : sequences)
    for (const std::string& word : sequence) ++counts[word];
  std::vector<std::pair<int, std::string>> chosen;
  for (const auto& [word, count] : counts)
    if (count >= min_count) chosen.emplace_back(-count, word);
  if (chosen.empty())
    throw ShapeError(fmt::format("WordVocabulary: no word occurs {} times or more", min_count));
  std::ranges::sort(chosen);
  for (auto& [count, word] : chosen) add<ShapeError>(std::move(word));
}

WordVocabulary WordVocabulary::from_text(std::string_view saved) {
  WordVocabulary all;
  for (std::size_t at = 0; at <= saved.size();) {
    const std::size_t stop = std::min(saved.find('\n', at), saved.size());
    all.add<FileError>(std::string(saved.substr(at, stop - at)));
    at = stop + 1;
  }
  return all;
}

std::string WordVocabulary::text() const {
  std::string all;
  for (std::size_t i = first_three.size(); i < words_.size(); ++i)
    all += (all.empty() ? "" : "\n") + words_[i];
  return all;
}

std::vector<int> WordVocabulary::encode(std::span<const std::string> words) const {
  std::vector<int> ids;
  for (const std::string& word : words) {
    const auto at = ids_.find(word);
    ids.push_back(at == ids_.end() ? unknown : at->second);
  }
  return ids;
}

const std::string& WordVocabulary::word(int id) const {
  if (id < 0 || id >= size())
    throw TapeError(
        fmt::format("WordVocabulary: {} is the number of no word; there are 0..{}", id, size() - 1));
  return words_[static_cast<std::size_t>(id)];
}

std::vector<std::string> WordVocabulary::decode(std::span<const int> ids) const {
  std::vector<std::string> words;
  for (const int id : ids) words.push_back(word(id));
  return words;
}

}  // namespace spool
