#include <spool/io/csv.hpp>
#include <spool/io/file.hpp>
#include <spool/io/text.hpp>
#include <spool/io/utf8.hpp>

#include <csv.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <new>
#include <utility>

namespace spool {

namespace {

struct Parser : csv_parser {
  explicit Parser(const CsvOptions& options) : csv_parser{} {
    if (csv_init(this, CSV_STRICT | CSV_STRICT_FINI) != 0) throw std::bad_alloc();
    csv_set_delim(this, static_cast<unsigned char>(options.separator));
    if (!options.quotes) csv_set_quote(this, 0);
  }
  ~Parser() { csv_free(this); }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;
};

// What the parser gives back of the bytes it was last fed: fields, and whether a row ended.
struct Fed {
  std::vector<std::string> fields = {};
  bool ended = false;
};

void on_field(void* text, std::size_t size, void* fed) {
  static_cast<Fed*>(fed)->fields.emplace_back(static_cast<const char*>(text), size);
}

void on_row(int, void* fed) { static_cast<Fed*>(fed)->ended = true; }

std::optional<double> number(std::string_view field) {
  if (field.starts_with('+')) field.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc() || end != field.data() + field.size() || !std::isfinite(value)) return {};
  return value;
}

}  // namespace

Csv::Csv(const std::string& path, CsvOptions options) : path_(path) {
  parse(read_text(path), options);
  take_header(options.header);
}

// Byte by byte, since the parser does not say where it is.
void Csv::parse(const std::string& text, CsvOptions options) {
  Parser parser(options);
  Fed fed;
  std::size_t line = 1;
  const auto take_row = [&] {
    if (!std::exchange(fed.ended, false)) return;
    rows_.push_back({std::exchange(fed.fields, {}), line});
  };
  for (const char& c : text) {
    if (csv_parse(&parser, &c, 1, on_field, on_row, &fed) != 1)
      fail_file(path_,
                fmt::format("line {}: {}", line,
                            csv_error(&parser) == CSV_EPARSE
                                ? "a quote stands in a field that does not begin with one; quotes within "
                                  "quotes are doubled"
                                : csv_strerror(csv_error(&parser))));
    take_row();
    if (c == '\n') ++line;
  }
  if (csv_fini(&parser, on_field, on_row, &fed) != 0) fail_file(path_, "a quote is never closed");
  take_row();
}

void Csv::take_header(bool header) {
  if (rows_.empty()) fail_file(path_, "has no rows");
  const std::size_t columns = rows_.front().fields.size();
  for (const Row& row : rows_)
    if (row.fields.size() != columns)
      fail_file(path_, fmt::format("line {}: {} fields where line {} has {}", row.line, row.fields.size(),
                                   rows_.front().line, columns));
  if (header) {
    names_ = std::move(rows_.front().fields);
    rows_.erase(rows_.begin());
    if (rows_.empty()) fail_file(path_, "has a header and no rows");
  } else {
    for (std::size_t i = 1; i <= columns; ++i) names_.push_back(std::to_string(i));
  }
  for (auto name = names_.begin(); name != names_.end(); ++name)
    if (std::find(names_.begin(), name, *name) != name)
      fail_file(path_, fmt::format("has two columns called {}", in_quotes(*name)));
}

std::size_t Csv::column(std::string_view name) const {
  const auto found = std::ranges::find(names_, name);
  if (found != names_.end()) return static_cast<std::size_t>(found - names_.begin());
  std::vector<std::string> quoted;
  for (const std::string& n : names_) quoted.push_back(in_quotes(n));
  fail_file(path_, fmt::format("has no column {}; it has {}", in_quotes(name), fmt::join(quoted, ", ")));
}

std::vector<std::string> Csv::texts(std::string_view name) const {
  const std::size_t at = column(name);
  std::vector<std::string> out;
  for (const Row& row : rows_) out.push_back(row.fields[at]);
  return out;
}

Tensor Csv::numbers(std::span<const std::string> names, std::optional<double> missing) const {
  std::vector<std::size_t> columns;
  for (const std::string& name : names) columns.push_back(column(name));
  std::vector<double> values;
  for (const Row& row : rows_)
    for (const std::size_t at : columns) {
      const std::string& field = row.fields[at];
      const auto value = field.empty() ? missing : number(field);
      if (!value)
        fail_file(path_, fmt::format("line {}, column {}: {}", row.line, in_quotes(names_[at]),
                                     field.empty() ? "is empty; say what stands for missing numbers"
                                                   : in_quotes(field) + " is not a finite number"));
      values.push_back(*value);
    }
  return Tensor(Shape{rows(), std::ssize(columns)}, values);
}

}  // namespace spool
