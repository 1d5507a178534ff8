// Texts cut into words and characters.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace spool {

/// The words of a sentence: what stands between spaces, as Python's split() cuts (Unicode's spaces, too).
/// TapeError for what is not UTF-8.
std::vector<std::string> words_of(std::string_view sentence);

/// The characters of a text: its code points, each as UTF-8. TapeError for what is not UTF-8.
std::vector<std::string> characters_of(std::string_view text);

/// The words of an English sentence as the treebanks of Universal Dependencies cut them: punctuation stands
/// apart ("( yes ) ."), and so do clitics ("do n't", "John 's", "can not"). "U.S.", "3.5", "e-mail" and "..."
/// stay whole, and so does a word that `known` accepts as it is written, such as "Mr.". TapeError for what is
/// not UTF-8.
std::vector<std::string> treebank_words(std::string_view sentence,
                                        const std::function<bool(const std::string&)>& known = {});

}  // namespace spool
