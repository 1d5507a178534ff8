#include <spool/io/file.hpp>
#include <spool/io/gzip.hpp>
#include <spool/io/text.hpp>
#include <spool/io/utf8.hpp>

#include <fmt/format.h>

namespace spool {

std::string read_text(const std::string& path) {
  std::string text = read_unpacked(path);
  if (const auto bad = find_invalid_utf8(text))
    fail_file(path, fmt::format("is not UTF-8 text: byte {} (0x{:02x}) at {}; convert it to UTF-8 first",
                                *bad, static_cast<unsigned char>(text[*bad]), line_and_column(text, *bad)));
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  if (text.empty()) fail_file(path, "is empty");
  return text;
}

}  // namespace spool
