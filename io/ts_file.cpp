#include <spool/io/file.hpp>
#include <spool/io/text.hpp>
#include <spool/io/ts_file.hpp>
#include <spool/io/utf8.hpp>

#include <fmt/format.h>
#include <boost/algorithm/string.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace spool {

namespace {

std::vector<std::string> fields(const std::string& line, char separator) {
  std::vector<std::string> all;
  boost::split(all, line, [=](char c) { return c == separator; });
  for (std::string& field : all) boost::trim(field);
  return all;
}

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {
    const std::string text = read_text(path);
    for (const std::string& line : fields(text, '\n')) {
      ++line_;
      if (line.empty() || line.starts_with('#')) continue;
      if (in_data_)
        read_series(line);
      else
        read_heading(line);
    }
    line_ = 0;
    if (result.series.empty()) fail(in_data_ ? "has no series after @data" : "has no @data");
  }
  ClassifiedSeries result;

 private:
  [[noreturn]] void fail(const std::string& why) const {
    fail_file(path_, line_ == 0 ? why : fmt::format("line {}: {}", line_, why));
  }

  void read_heading(const std::string& line) {
    std::vector<std::string> words;
    boost::split(words, line, boost::is_space(), boost::token_compress_on);
    const std::string key = boost::to_lower_copy(words[0]);
    const bool is = words.size() > 1 && boost::iequals(words[1], "true");
    if (!key.starts_with('@')) fail("is no heading, which begins with @; is this a .ts file?");
    if (is && key == "@timestamps") fail("series with time stamps are not read");
    if (is && key == "@classlabel") result.class_names.assign(words.begin() + 2, words.end());
    if (key != "@data") return;
    in_data_ = true;
    if (result.class_names.empty()) fail("no classes were listed: @classLabel true NAME NAME ...");
  }

  // "channel:channel:...:class", the values of a channel with commas.
  void read_series(const std::string& line) {
    const std::vector<std::string> parts = fields(line, ':');
    const auto found = std::ranges::find(result.class_names, parts.back());
    if (found == result.class_names.end())
      fail(fmt::format("class {} is not listed after @classLabel", in_quotes(parts.back())));
    const std::size_t D = parts.size() - 1, before = result.series.empty() ? D : width_;
    if (before == 0) fail("the first series has no channels");
    if (D != before) fail(fmt::format("has {} channels; the first series has {}", D, before));
    width_ = D;
    Tensor series;
    for (std::size_t d = 0; d < D; ++d) {
      const std::vector<std::string> values = fields(parts[d], ',');
      if (d == 0) series = Tensor(Shape{std::ssize(values), static_cast<std::int64_t>(D)});
      if (values.size() * D != series.size())
        fail(fmt::format("channel {} has {} values where the first has {}", d + 1, values.size(),
                         series.size() / D));
      for (std::size_t t = 0; t < values.size(); ++t) series.set(t * D + d, number(values[t]));
    }
    result.series.push_back(std::move(series));
    result.classes.push_back(static_cast<int>(found - result.class_names.begin()));
  }

  double number(const std::string& field) const {
    double value = 0;
    const char* const begin = field.data() + (field.starts_with('+') ? 1 : 0);
    const auto [end, error] = std::from_chars(begin, field.data() + field.size(), value);
    if (error != std::errc() || end != field.data() + field.size() ||
        !std::isfinite(static_cast<float>(value)))
      fail(fmt::format("{} is not a finite number", in_quotes(field)));
    return value;
  }

  std::string path_;
  std::size_t line_ = 0, width_ = 0;
  bool in_data_ = false;
};

}  // namespace

ClassifiedSeries read_ts(const std::string& path) { return Reader(path).result; }

}  // namespace spool
