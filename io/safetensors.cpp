#include <spool/graph/error.hpp>
#include <spool/io/atomic_file.hpp>
#include <spool/io/json.hpp>
#include <spool/io/safetensors.hpp>
#include <spool/io/utf8.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>
#include <tuple>
#include <vector>

namespace spool {

static_assert(std::endian::native == std::endian::little, "the numbers in the file are little-endian");

namespace {

constexpr std::uint64_t length_bytes = 8;
constexpr std::uint64_t longest_header = 100'000'000;  // the format's own limit
constexpr const char* metadata_key = "__metadata__";

// --- types ------------------------------------------------------------------------------------------------

struct Half {
  std::uint16_t bits;
};
struct BFloat {
  std::uint16_t bits;
};

template <class T>
T widen(T v) {
  return v;
}
float widen(BFloat v) { return std::bit_cast<float>(static_cast<std::uint32_t>(v.bits) << 16); }
// IEEE binary16: 1 sign, 5 exponent and 10 fraction bits.
float widen(Half v) {
  const int exponent = v.bits >> 10 & 0x1F, fraction = v.bits & 0x3FF;
  const float sign = v.bits >> 15 != 0 ? -1.0f : 1.0f;
  if (exponent == 0x1F) return fraction == 0 ? sign * INFINITY : NAN;
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(fraction), -24);
  return sign * std::ldexp(static_cast<float>(fraction + 0x400), exponent - 25);
}

// Copies stored numbers into a tensor; gives the first one that the tensor can't hold exactly.
template <class Stored, class T>
std::optional<std::string> read_numbers(const std::byte* from, Tensor& tensor) {
  std::span<T> to = tensor.as<T>();
  for (std::size_t i = 0; i < to.size(); ++i) {
    Stored stored;
    std::memcpy(&stored, from + i * sizeof(Stored), sizeof(Stored));
    to[i] = static_cast<T>(widen(stored));
    if constexpr (std::is_integral_v<Stored> && sizeof(Stored) == 8) {
      constexpr auto limit = static_cast<Stored>(std::int64_t{1} << 53);
      if (stored > limit || (std::is_signed_v<Stored> && stored < Stored{0} - limit))
        return std::to_string(stored);
    }
  }
  return std::nullopt;
}

struct StoredType {
  const char* name;
  std::int64_t bytes;
  DType dtype;
  std::optional<std::string> (*read)(const std::byte*, Tensor&);
};

template <class Stored, class T>
constexpr StoredType stored_as(const char* name) {
  return {name, sizeof(Stored), std::is_same_v<T, float> ? DType::f32 : DType::f64, read_numbers<Stored, T>};
}

constexpr StoredType stored_types[] = {
    stored_as<double, double>("F64"),       stored_as<float, float>("F32"),
    stored_as<Half, float>("F16"),          stored_as<BFloat, float>("BF16"),
    stored_as<std::int64_t, double>("I64"), stored_as<std::uint64_t, double>("U64"),
    stored_as<std::int32_t, double>("I32"), stored_as<std::uint32_t, double>("U32"),
    stored_as<std::int16_t, float>("I16"),  stored_as<std::uint16_t, float>("U16"),
    stored_as<std::int8_t, float>("I8"),    stored_as<std::uint8_t, float>("U8"),
    stored_as<std::uint8_t, float>("BOOL"),
};

// --- reading ----------------------------------------------------------------------------------------------

struct Entry {
  std::string name;
  const StoredType* type;
  Shape shape;
  std::int64_t begin, end;  // bytes of the data part
};

// Reads the header of one file; `origin` is for messages.
class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const std::string& origin) : bytes_(bytes), origin_(origin) {}

  Safetensors read() {
    const boost::json::value header = parse_json(header_text(), origin_, "the header");
    if (!header.is_object()) fail("the header is not a JSON object");
    Safetensors out;
    std::vector<Entry> entries;
    for (const auto& [key, value] : header.get_object()) {
      if (key == metadata_key)
        out.metadata = metadata(value);
      else
        entries.push_back(entry(key, value));
    }
    check_coverage(entries);
    for (const Entry& e : entries) out.tensors.emplace(e.name, tensor(e));
    return out;
  }

 private:
  [[noreturn]] void fail(std::string_view why) const { fail_file(origin_, why); }
  [[noreturn]] void fail(std::string_view name, std::string_view why) const {
    fail_file(origin_, fmt::format("tensor {}: {}", in_quotes(name), why));
  }

  std::string_view header_text() {
    if (bytes_.size() < length_bytes)
      fail(fmt::format("is not a safetensors file: it has {} bytes, too few for a header", bytes_.size()));
    std::uint64_t length = 0;
    std::memcpy(&length, bytes_.data(), length_bytes);
    if (length > longest_header)
      fail(fmt::format("is not a safetensors file, or is damaged: its header would have {} bytes", length));
    const std::span<const std::byte> rest = bytes_.subspan(length_bytes);
    if (length > rest.size())
      fail(fmt::format("is truncated: the header has {} bytes, but only {} are there", length, rest.size()));
    data_ = rest.subspan(length);
    return {reinterpret_cast<const char*>(rest.data()), length};
  }

  std::map<std::string, std::string> metadata(const boost::json::value& value) const {
    if (!value.is_object()) fail("\"__metadata__\" in the header is not a JSON object");
    std::map<std::string, std::string> texts;
    for (const auto& [key, text] : value.get_object()) {
      if (!text.is_string()) fail(fmt::format("metadata {} in the header is not a text", in_quotes(key)));
      texts.emplace(key, text.get_string());
    }
    return texts;
  }

  Entry entry(std::string_view name, const boost::json::value& value) const {
    if (!value.is_object()) fail(name, "its header entry is not a JSON object");
    const boost::json::object& fields = value.get_object();
    for (const auto& field : fields)
      if (field.key() != "dtype" && field.key() != "shape" && field.key() != "data_offsets")
        fail(name, fmt::format("unknown field {} in the header", in_quotes(field.key())));
    Entry e{std::string(name), type_of(name, fields), shape_of(name, fields), 0, 0};
    const std::vector<std::int64_t> offsets = whole_numbers(name, fields, "data_offsets");
    if (offsets.size() != 2)
      fail(name, fmt::format("data_offsets must be two numbers, not {}", offsets.size()));
    e.begin = offsets[0], e.end = offsets[1];
    if (e.begin > e.end) fail(name, fmt::format("data_offsets [{}, {}] run backwards", e.begin, e.end));
    if (static_cast<std::uint64_t>(e.end) > data_.size())
      fail(name, fmt::format("data_offsets [{}, {}] reach past the end of the data, which has {} bytes: the "
                             "file is truncated or damaged",
                             e.begin, e.end, data_.size()));
    const std::int64_t count = e.shape.size(), span = e.end - e.begin;
    if (count > span || count * e.type->bytes != span)  // the first guards the product
      fail(name, fmt::format("shape {} of {} does not fit data_offsets [{}, {}]", e.shape.text(),
                             e.type->name, e.begin, e.end));
    return e;
  }

  const boost::json::value& field(std::string_view name, const boost::json::object& fields,
                                  const char* key) const {
    const auto* value = fields.if_contains(key);
    if (value == nullptr) fail(name, fmt::format("\"{}\" is missing in the header", key));
    return *value;
  }

  const StoredType* type_of(std::string_view name, const boost::json::object& fields) const {
    const boost::json::value& dtype = field(name, fields, "dtype");
    if (!dtype.is_string()) fail(name, "dtype is not a text");
    const auto found = std::find_if(std::begin(stored_types), std::end(stored_types),
                                    [&](const StoredType& t) { return dtype.get_string() == t.name; });
    if (found == std::end(stored_types))
      fail(name, fmt::format("dtype {} is not one that Spool reads", in_quotes(dtype.get_string())));
    return found;
  }

  Shape shape_of(std::string_view name, const boost::json::object& fields) const {
    const std::vector<std::int64_t> dims = whole_numbers(name, fields, "shape");
    try {
      return Shape(dims);
    } catch (const ShapeError& e) {
      fail(name, e.what());
    }
  }

  std::vector<std::int64_t> whole_numbers(std::string_view name, const boost::json::object& fields,
                                          const char* key) const {
    const boost::json::value& list = field(name, fields, key);
    if (!list.is_array()) fail(name, fmt::format("{} is not a list", key));
    std::vector<std::int64_t> numbers;
    for (const boost::json::value& v : list.get_array()) {
      if (!v.is_int64() || v.get_int64() < 0)
        fail(name,
             fmt::format("{} in {} is not a whole number from 0 to 2^63-1", boost::json::serialize(v), key));
      numbers.push_back(v.get_int64());
    }
    return numbers;
  }

  // Every byte of the data belongs to exactly one tensor.
  void check_coverage(std::vector<Entry>& entries) const {
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
      return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
    });
    std::int64_t covered = 0;
    const Entry* last = nullptr;
    for (const Entry& e : entries) {
      if (e.begin < covered)
        fail(fmt::format("tensors {} and {} overlap in the data", in_quotes(last->name), in_quotes(e.name)));
      if (e.begin > covered)
        fail(fmt::format("bytes {} to {} of the data belong to no tensor", covered, e.begin - 1));
      covered = e.end;
      last = &e;
    }
    if (static_cast<std::uint64_t>(covered) < data_.size())
      fail(fmt::format("bytes {} to {} of the data belong to no tensor", covered, data_.size() - 1));
  }

  Tensor tensor(const Entry& e) const {
    Tensor out(e.shape, e.type->dtype);
    if (const auto inexact = e.type->read(data_.data() + e.begin, out))
      fail(e.name, fmt::format("{} is too large a whole number to be held exactly", *inexact));
    return out;
  }

  std::span<const std::byte> bytes_, data_;
  const std::string& origin_;
};

// --- writing ----------------------------------------------------------------------------------------------

void check_text(const std::string& path, std::string_view text, const char* what) {
  if (find_invalid_utf8(text)) fail_file(path, fmt::format("{} {} is not UTF-8", what, in_quotes(text)));
}

// The header, padded so that the data begins at a multiple of 8 bytes.
std::string header_of(const std::string& path,
                      const std::vector<const std::pair<const std::string, Tensor>*>& order,
                      const std::map<std::string, std::string>& metadata) {
  boost::json::object header;
  if (!metadata.empty()) {
    boost::json::object texts;
    for (const auto& [key, text] : metadata) {
      check_text(path, key, "metadata");
      check_text(path, text, "metadata");
      texts.emplace(key, text);
    }
    header.emplace(metadata_key, std::move(texts));
  }
  std::size_t begin = 0;
  for (const auto* named : order) {
    const auto& [name, tensor] = *named;
    if (name == metadata_key) fail_file(path, "a tensor can't be called \"__metadata__\"");
    check_text(path, name, "tensor name");
    const std::size_t end = begin + tensor.size() * (tensor.dtype() == DType::f64 ? 8 : 4);
    const auto dims = tensor.shape().dims();
    header.emplace(name, boost::json::object{{"dtype", tensor.dtype() == DType::f64 ? "F64" : "F32"},
                                             {"shape", boost::json::array(dims.begin(), dims.end())},
                                             {"data_offsets", {begin, end}}});
    begin = end;
  }
  std::string text = boost::json::serialize(header);
  text.append((length_bytes - text.size() % length_bytes) % length_bytes, ' ');
  return text;
}

}  // namespace

Safetensors parse_safetensors(std::span<const std::byte> bytes, const std::string& origin) {
  return Reader(bytes, origin).read();
}

Safetensors read_safetensors(const std::string& path) {
  return parse_safetensors(MappedFile(path).bytes(), path);
}

void write_safetensors(const std::string& path, const std::map<std::string, Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  // Wider numbers come first, so that every tensor is aligned to its own numbers.
  std::vector<const std::pair<const std::string, Tensor>*> order;
  for (const DType dtype : {DType::f64, DType::f32})
    for (const auto& named : tensors)
      if (named.second.dtype() == dtype) order.push_back(&named);
  const std::string header = header_of(path, order, metadata);
  if (header.size() > longest_header)
    fail_file(path, fmt::format("the header would have {} bytes; the format allows {}", header.size(),
                                longest_header));
  const std::uint64_t length = header.size();
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(header);
  for (const auto* named : order)
    named->second.visit([&](auto numbers) { file.write(std::as_bytes(numbers)); });
  file.commit();
}

}  // namespace spool
