#include <spool/io/file.hpp>
#include <spool/io/json.hpp>
#include <spool/io/utf8.hpp>

#include <fmt/format.h>
#include <boost/json/basic_parser_impl.hpp>

#include <set>
#include <vector>

namespace spool {

namespace {

// Follows the parser through a text and stops it at the first key that its object has already.
struct KeysOnce {
  using Error = boost::json::error_code;
  using Text = boost::json::string_view;
  static constexpr std::size_t max_object_size = ~std::size_t{0};
  static constexpr std::size_t max_array_size = ~std::size_t{0};
  static constexpr std::size_t max_key_size = ~std::size_t{0};
  static constexpr std::size_t max_string_size = ~std::size_t{0};

  std::vector<std::set<std::string>> open_objects;
  std::string key;
  bool repeated = false;

  bool on_object_begin(Error&) { return open_objects.emplace_back(), true; }
  bool on_object_end(std::size_t, Error&) { return open_objects.pop_back(), true; }
  bool on_key_part(Text part, std::size_t, Error&) { return key += part, true; }
  bool on_key(Text part, std::size_t, Error& error) {
    key += part;
    repeated = !open_objects.back().insert(key).second;
    if (repeated) error = make_error_code(boost::json::error::syntax);
    if (!repeated) key.clear();
    return !repeated;
  }

  bool on_document_begin(Error&) { return true; }
  bool on_document_end(Error&) { return true; }
  bool on_array_begin(Error&) { return true; }
  bool on_array_end(std::size_t, Error&) { return true; }
  bool on_string_part(Text, std::size_t, Error&) { return true; }
  bool on_string(Text, std::size_t, Error&) { return true; }
  bool on_number_part(Text, Error&) { return true; }
  bool on_int64(std::int64_t, Text, Error&) { return true; }
  bool on_uint64(std::uint64_t, Text, Error&) { return true; }
  bool on_double(double, Text, Error&) { return true; }
  bool on_bool(bool, Error&) { return true; }
  bool on_null(Error&) { return true; }
  bool on_comment_part(Text, Error&) { return true; }
  bool on_comment(Text, Error&) { return true; }
};

}  // namespace

boost::json::value parse_json(std::string_view text, const std::string& origin, std::string_view what) {
  if (const auto bad = find_invalid_utf8(text))
    fail_file(origin, fmt::format("{} is not UTF-8 at byte {}", what, *bad));
  boost::json::basic_parser<KeysOnce> parser(boost::json::parse_options{});
  boost::json::error_code error;
  const std::size_t done = parser.write_some(false, text.data(), text.size(), error);
  if (parser.handler().repeated)
    fail_file(origin, fmt::format("{} has the key {} twice", what, in_quotes(parser.handler().key)));
  if (!error && done < text.size()) error = make_error_code(boost::json::error::extra_data);
  if (error) fail_file(origin, fmt::format("{} is not JSON: {} at byte {}", what, error.message(), done));
  return boost::json::parse(text);
}

}  // namespace spool
