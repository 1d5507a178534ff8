// CSV tables (RFC 4180), through libcsv: UTF-8 text, plain or gzip-compressed, with quotes and any separator.
// Columns are asked for by name, as texts or as numbers. Not here: writing, dates.
#pragma once

#include <spool/graph/tensor.hpp>

#include <concepts>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace spool {

struct CsvOptions {
  char separator = ',';
  bool header = true;  ///< the first row has the names of the columns; else they are called "1", "2", ...
  bool quotes = true;  ///< false: a quote is a character like others, as in most files with tabs
};

class Csv {
 public:
  /// Reads a whole table. Spaces around fields that are not in quotes are dropped, empty lines skipped.
  /// Throws FileError "path: what is wrong", with the line: what read_text throws, a quote that is never
  /// closed or stands where none may, rows of different length, two columns of one name, a header and no
  /// rows.
  explicit Csv(const std::string& path, CsvOptions options = {});

  const std::vector<std::string>& names() const { return names_; }
  std::int64_t rows() const { return static_cast<std::int64_t>(rows_.size()); }
  std::int64_t columns() const { return static_cast<std::int64_t>(names_.size()); }

  /// The fields of a column, from the top. FileError with the names there are when there is none of this
  /// name.
  std::vector<std::string> texts(std::string_view name) const;

  /// Columns as numbers, f64 [rows, names]; without names all of them. Throws FileError, with the line, for a
  /// field that is no finite number, and for an empty one unless `missing` says what stands for it.
  Tensor numbers(std::span<const std::string> names, std::optional<double> missing = {}) const;
  Tensor numbers(std::initializer_list<std::string> names, std::optional<double> missing = {}) const {
    return numbers(std::span(names.begin(), names.size()), missing);
  }
  template <std::convertible_to<std::string_view> Name>  // so that 0 is a number, and no null pointer
  Tensor numbers(const Name& name, std::optional<double> missing = {}) const {
    return numbers({std::string(std::string_view(name))}, missing);
  }
  Tensor numbers(std::optional<double> missing = {}) const { return numbers(names_, missing); }

 private:
  struct Row {
    std::vector<std::string> fields;
    std::size_t line = 0;  // in the file, from 1
  };

  void parse(const std::string& text, CsvOptions options);
  void take_header(bool header);
  std::size_t column(std::string_view name) const;

  std::string path_;
  std::vector<std::string> names_;
  std::vector<Row> rows_;
};

}  // namespace spool
