// Words of English sentences. It is no part of the library.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace examples {

/// The words of a sentence as the English treebanks of Universal Dependencies split them: punctuation stands
/// apart ("( yes ) ."), and so do clitics ("do n't", "John 's", "can not"). A word that is known as it is
/// written, such as "Mr." or "'s", stays whole, and so do "U.S.", "3.5", "e-mail" and "...".
std::vector<std::string> english_words(const std::string& sentence,
                                       const std::function<bool(const std::string&)>& known);

}  // namespace examples
