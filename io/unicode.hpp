// Text as code points, to be cut and compared. Not for users.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace spool::detail {

/// TapeError "who: ..." for what is not UTF-8.
std::u32string code_points(std::string_view utf8, std::string_view who);
std::string to_utf8(std::u32string_view text);
/// White space as Python's str.isspace() has it.
bool is_space(char32_t c);
std::vector<std::u32string> split_words(std::u32string_view text);

}  // namespace spool::detail
