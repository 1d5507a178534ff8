#include <spool/io/conll.hpp>
#include <spool/io/file.hpp>
#include <spool/io/text.hpp>

#include <fmt/format.h>
#include <boost/algorithm/string.hpp>

#include <algorithm>

namespace spool {

std::vector<WordsOfSentences> read_conll(const std::string& path) {
  std::vector<std::string> lines, fields;
  boost::split(lines, read_text(path), [](char c) { return c == '\n'; });
  std::vector<WordsOfSentences> columns;
  std::size_t number = 0;
  bool inside = false;
  for (std::string& line : lines) {
    ++number;
    if (line.ends_with('\r')) line.pop_back();
    if (line.starts_with('#') && line.find('\t') == std::string::npos) continue;
    if (line.empty()) {
      inside = false;
      continue;
    }
    boost::split(fields, line, [](char c) { return c == '\t'; });
    if (columns.empty()) columns.resize(fields.size());
    if (fields.size() != columns.size())
      fail_file(path, fmt::format("line {}: has {} fields and not {}, as those before", number, fields.size(),
                                  columns.size()));
    if (const auto empty = std::ranges::find(fields, ""); empty != fields.end())
      fail_file(path, fmt::format("line {}: field {} is empty", number, empty - fields.begin() + 1));
    for (std::size_t c = 0; c < columns.size(); ++c) {
      if (!inside) columns[c].emplace_back();
      columns[c].back().push_back(std::move(fields[c]));
    }
    inside = true;
  }
  if (columns.empty()) fail_file(path, "holds no sentence");
  return columns;
}

}  // namespace spool
