// UTF-8, as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace spool {

/// The code point that begins at `position`, which moves on past it; nothing, and no move, when the bytes
/// there are no UTF-8.
std::optional<char32_t> next_code_point(std::string_view text, std::size_t& position);
void append_utf8(std::string& text, char32_t code_point);

/// The first byte that is not UTF-8.
std::optional<std::size_t> find_invalid_utf8(std::string_view text);

/// "line 3, column 14" of a byte, both from 1; columns count code points.
std::string line_and_column(std::string_view text, std::size_t byte);

/// A name from a file or a user, in quotes on one line: control characters escaped, cut when longer than so
/// many bytes.
std::string in_quotes(std::string_view name, std::size_t longest = 120);

}  // namespace spool
