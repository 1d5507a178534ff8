#include <spool/io/unicode.hpp>
#include <spool/io/words.hpp>

#include <boost/algorithm/string.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

namespace spool {

namespace {

constexpr std::array<std::string_view, 7> clitics{"n't", "'s", "'m", "'re", "'ve", "'ll", "'d"};

bool has_letter_or_digit(const std::string& word) {
  return std::ranges::any_of(word, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || static_cast<unsigned char>(c) > 127;
  });
}

// "J.", "U.S.": letters with a period after each.
bool is_initials(const std::string& word) {
  if (word.size() % 2 != 0) return false;
  for (std::size_t i = 0; i < word.size(); i += 2)
    if (std::isalpha(static_cast<unsigned char>(word[i])) == 0 || word[i + 1] != '.') return false;
  return true;
}

// The length of the mark at the end: one character, or as many as are the same ("...", "?!").
std::size_t mark_at_end(const std::string& word) {
  constexpr std::string_view marks = ".,;:!?\"')]}%";
  if (marks.find(word.back()) == std::string_view::npos) return 0;
  const std::string_view repeated = word.back() == '.'                         ? "."
                                    : word.back() == '!' || word.back() == '?' ? "!?"
                                                                               : "";
  const std::size_t last_other =
      word.find_last_not_of(repeated.empty() ? std::string_view(&word.back(), 1) : repeated);
  return repeated.empty() ? 1 : word.size() - 1 - last_other;
}

// The word, and its clitic where it has one.
std::vector<std::string> without_clitic(const std::string& word) {
  const std::string lower = boost::to_lower_copy(word);
  if (lower == "cannot") return {word.substr(0, 3), word.substr(3)};
  for (const std::string_view clitic : clitics)
    if (lower.size() > clitic.size() && lower.ends_with(clitic))
      return {word.substr(0, word.size() - clitic.size()), word.substr(word.size() - clitic.size())};
  return {word};
}

}  // namespace

std::vector<std::string> words_of(std::string_view sentence) {
  std::vector<std::string> all;
  for (const std::u32string& word : detail::split_words(detail::code_points(sentence, "words_of")))
    all.push_back(detail::to_utf8(word));
  return all;
}

std::vector<std::string> characters_of(std::string_view text) {
  std::vector<std::string> all;
  for (const char32_t c : detail::code_points(text, "characters_of"))
    all.push_back(detail::to_utf8(std::u32string(1, c)));
  return all;
}

std::vector<std::string> treebank_words(std::string_view sentence,
                                        const std::function<bool(const std::string&)>& known) {
  std::vector<std::string> words;
  for (std::string rest : words_of(boost::replace_all_copy(std::string(sentence), "\u2019", "'"))) {
    const auto whole = [&] {
      return (known && known(rest)) || !has_letter_or_digit(rest) ||
             std::ranges::find(clitics, rest) != clitics.end();
    };
    for (; !whole() && std::string_view("\"'([{$#").find(rest.front()) != std::string_view::npos;
         rest.erase(0, 1))
      words.push_back(rest.substr(0, 1));
    std::vector<std::string> after;
    for (std::size_t n = 0; !whole() && !is_initials(rest) && (n = mark_at_end(rest)) > 0;
         rest.resize(rest.size() - n))
      after.insert(after.begin(), rest.substr(rest.size() - n));
    const std::vector<std::string> parts = whole() ? std::vector{rest} : without_clitic(rest);
    words.insert(words.end(), parts.begin(), parts.end());
    words.insert(words.end(), after.begin(), after.end());
  }
  return words;
}

}  // namespace spool
