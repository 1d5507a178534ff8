#include <spool/io/file.hpp>
#include <spool/io/gzip.hpp>
#include <spool/io/idx.hpp>

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

namespace spool {

namespace {

// A number of that many bytes, the highest first.
std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

// What the third byte of a file says of its numbers.
struct Kind {
  unsigned char code;
  std::size_t bytes;
  double (*number)(std::uint64_t);
  DType dtype;
};

template <class T>
double integer(std::uint64_t bits) {
  return static_cast<T>(bits);
}
double float_of(std::uint64_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits)); }
double double_of(std::uint64_t bits) { return std::bit_cast<double>(bits); }

constexpr Kind kinds[] = {
    {0x08, 1, integer<std::uint8_t>, DType::f32},
    {0x09, 1, integer<std::int8_t>, DType::f32},
    {0x0B, 2, integer<std::int16_t>, DType::f32},
    {0x0C, 4, integer<std::int32_t>, DType::f64},
    {0x0D, 4, float_of, DType::f32},
    {0x0E, 8, double_of, DType::f64},
};

}  // namespace

Tensor read_idx(const std::string& path) {
  const std::string file = read_unpacked(path);
  const std::string_view bytes = file;
  if (bytes.empty()) fail_file(path, "is empty");
  const Kind* kind = nullptr;
  if (bytes.size() >= 4 && bytes[0] == 0 && bytes[1] == 0)
    for (const Kind& k : kinds)
      if (static_cast<unsigned char>(bytes[2]) == k.code) kind = &k;
  const std::size_t rank = kind == nullptr ? 0 : static_cast<unsigned char>(bytes[3]);
  if (rank < 1 || rank > static_cast<std::size_t>(Shape::max_rank)) fail_file(path, "is not an IDX file");

  const std::size_t head = 4 + 4 * rank;
  if (bytes.size() < head) fail_file(path, "is a truncated IDX file: it ends within its header");
  std::vector<std::int64_t> sizes;
  double expected = static_cast<double>(kind->bytes);  // no size that a file can claim overflows it
  for (std::size_t i = 0; i < rank; ++i) {
    sizes.push_back(static_cast<std::int64_t>(big_endian(bytes.substr(4 + 4 * i, 4))));
    expected *= static_cast<double>(sizes.back());
  }
  if (expected != static_cast<double>(bytes.size() - head))
    fail_file(path, fmt::format("is a damaged or truncated IDX file: it has {} bytes of numbers, and its "
                                "header says {:.0f}",
                                bytes.size() - head, expected));
  if (bytes.size() == head) fail_file(path, "holds no numbers");
  Tensor result(Shape(sizes), kind->dtype);
  for (std::size_t i = 0; i < result.size(); ++i) {
    const double value = kind->number(big_endian(bytes.substr(head + i * kind->bytes, kind->bytes)));
    if (!std::isfinite(value)) fail_file(path, fmt::format("number {} is not finite", i));
    result.set(i, value);
  }
  return result;
}

}  // namespace spool
