#include <spool/io/file.hpp>
#include <spool/io/text.hpp>
#include <spool/io/utf8.hpp>

#include <fmt/format.h>
#include <boost/iostreams/copy.hpp>
#include <boost/iostreams/device/array.hpp>
#include <boost/iostreams/device/back_inserter.hpp>
#include <boost/iostreams/filter/gzip.hpp>
#include <boost/iostreams/filtering_stream.hpp>

namespace spool {

namespace {

std::string unpacked(const std::string& path, const std::string& packed) {
  namespace io = boost::iostreams;
  std::string text;
  try {
    io::filtering_istream in;
    in.push(io::gzip_decompressor());
    in.push(io::array_source(packed.data(), packed.size()));
    in.exceptions(std::ios::badbit);
    io::copy(in, io::back_inserter(text));
  } catch (const std::exception&) {
    fail_file(path, "is damaged or truncated gzip");
  }
  return text;
}

}  // namespace

std::string read_text(const std::string& path) {
  std::string text = read_file(path);
  if (text.starts_with("\x1f\x8b")) text = unpacked(path, text);
  if (const auto bad = find_invalid_utf8(text))
    fail_file(path, fmt::format("is not UTF-8 text: byte {} (0x{:02x}) at {}; convert it to UTF-8 first",
                                *bad, static_cast<unsigned char>(text[*bad]), line_and_column(text, *bad)));
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  if (text.empty()) fail_file(path, "is empty");
  return text;
}

}  // namespace spool
