#include <spool/io/file.hpp>
#include <spool/io/gzip.hpp>

#include <boost/iostreams/copy.hpp>
#include <boost/iostreams/device/array.hpp>
#include <boost/iostreams/device/back_inserter.hpp>
#include <boost/iostreams/filter/gzip.hpp>
#include <boost/iostreams/filtering_stream.hpp>

namespace spool {

std::string read_unpacked(const std::string& path) {
  namespace io = boost::iostreams;
  const std::string bytes = read_file(path);
  if (!bytes.starts_with("\x1f\x8b")) return bytes;
  std::string unpacked;
  try {
    io::filtering_istream in;
    in.push(io::gzip_decompressor());
    in.push(io::array_source(bytes.data(), bytes.size()));
    in.exceptions(std::ios::badbit);
    io::copy(in, io::back_inserter(unpacked));
  } catch (const std::exception&) {
    fail_file(path, "is damaged or truncated gzip");
  }
  return unpacked;
}

}  // namespace spool
