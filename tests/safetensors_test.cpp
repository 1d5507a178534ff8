// The safetensors format: files of our own, of another writer, and every way in which a file can be wrong.
#include <spool/spool.hpp>

#include <fmt/format.h>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "catch.hpp"
#include "scratch.hpp"

using namespace spool;

namespace {

// A file with this header, whatever it is, and so many bytes of data.
std::string file_of(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + std::string(data_bytes, '\1');
}

Safetensors parse(const std::string& bytes) {
  return parse_safetensors(std::as_bytes(std::span(bytes)), "m.safetensors");
}

void refused(const std::string& bytes, const std::string& why) {
  INFO(bytes.substr(0, 300));
  CHECK_THROWS_WITH(parse(bytes), "m.safetensors: " + why);
  CHECK_THROWS_AS(parse(bytes), FileError);
}

void refused_header(const std::string& header, const std::string& why) { refused(file_of(header, 16), why); }

// The rest of the message is Boost's and changes with its versions.
void not_json(const std::string& header) {
  INFO(header);
  CHECK_THROWS_WITH(parse(file_of(header, 16)),
                    Catch::Matchers::StartsWith("m.safetensors: the header is not JSON: "));
}

// The header of one tensor "w" with these fields.
void refused_fields(const std::string& fields, const std::string& why) {
  refused_header(R"({"w":{)" + fields + "}}", "tensor \"w\": " + why);
}

// One tensor of this dtype from these bytes.
Tensor stored(const std::string& dtype, std::int64_t count, const std::string& data) {
  const std::string header = fmt::format(R"({{"w":{{"dtype":"{}","shape":[{}],"data_offsets":[0,{}]}}}})",
                                         dtype, count, data.size());
  return parse(file_of(header, 0) + data).tensors.at("w");
}

template <class T>
std::string raw(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T)};
}

}  // namespace

TEST_CASE("tensors and texts come back as they were written") {
  const Scratch scratch;
  const double nan = std::nan(""), inf = INFINITY;
  const std::map<std::string, Tensor> tensors{{"a.scalar", Tensor({}, {-0.0}, DType::f64)},
                                              {"b", Tensor({2, 3}, {1, 2, 3, 4, 5, 1e-45})},
                                              {"b2", Tensor({0, 4})},
                                              {"c", Tensor({1, 2}, {0.1, 5e-324}, DType::f64)},
                                              {"\xC3\xA9\n\"", Tensor({2}, {inf, -inf})}};
  const std::map<std::string, std::string> metadata{{"format", "pt"},
                                                    {"text", "line\nline \xF0\x9F\x98\x80"}};
  write_safetensors(scratch / "m", tensors, metadata);
  const Safetensors back = read_safetensors(scratch / "m");
  CHECK(back.tensors == tensors);
  CHECK(back.metadata == metadata);
  CHECK(std::signbit(back.tensors.at("a.scalar").item()));

  write_safetensors(scratch / "again", tensors, metadata);
  CHECK(bytes_of(scratch / "again") == bytes_of(scratch / "m"));
  write_safetensors(scratch / "nan", {{"n", Tensor({1}, {nan})}});
  CHECK(std::isnan(read_safetensors(scratch / "nan").tensors.at("n").item()));
  write_safetensors(scratch / "none", {});
  CHECK(bytes_of(scratch / "none") == file_of("{}      ", 0));
  CHECK(read_safetensors(scratch / "none").tensors.empty());
}

TEST_CASE("the bytes of a small file") {
  const Scratch scratch;
  write_safetensors(scratch / "m", {{"x", Tensor({2}, {1, -2})}, {"y", Tensor({}, {0.5}, DType::f64)}});
  const std::string header =
      R"({"y":{"dtype":"F64","shape":[],"data_offsets":[0,8]},"x":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})";
  const std::string padding(7 - (header.size() + 7) % 8, ' ');
  CHECK(bytes_of(scratch / "m") ==
        file_of(header + padding, 0) + raw<double>({0.5}) + raw<float>({1.0f, -2.0f}));
}

TEST_CASE("every stored type is read exactly") {
  using Values = std::vector<double>;
  const auto check = [](const Tensor& t, DType dtype, const Values& values) {
    CHECK(t.dtype() == dtype);
    CHECK(t.doubles() == values);
  };
  check(stored("F32", 2, raw<float>({0.1f, -3})), DType::f32, {0.1f, -3});
  check(stored("F64", 1, raw<double>({0.1})), DType::f64, {0.1});
  // 1, -2, the largest, the smallest normal and subnormal, infinity.
  check(stored("F16", 6, raw<std::uint16_t>({0x3C00, 0xC000, 0x7BFF, 0x0400, 0x0001, 0xFC00})), DType::f32,
        {1, -2, 65504, std::ldexp(1, -14), std::ldexp(1, -24), -INFINITY});
  CHECK(std::isnan(stored("F16", 1, raw<std::uint16_t>({0x7E00})).item()));
  check(stored("BF16", 3, raw<std::uint16_t>({0x3F80, 0xC049, 0x7F80})), DType::f32,
        {1, -3.140625, INFINITY});
  const std::int64_t exact = std::int64_t{1} << 53;
  check(stored("I64", 3, raw<std::int64_t>({-5, exact, -exact})), DType::f64,
        {-5, static_cast<double>(exact), -static_cast<double>(exact)});
  check(stored("U64", 1, raw<std::uint64_t>({7})), DType::f64, {7});
  check(stored("I32", 2, raw<std::int32_t>({INT32_MIN, 16777217})), DType::f64, {INT32_MIN, 16777217});
  check(stored("U32", 1, raw<std::uint32_t>({UINT32_MAX})), DType::f64, {UINT32_MAX});
  check(stored("I16", 1, raw<std::int16_t>({-300})), DType::f32, {-300});
  check(stored("U16", 1, raw<std::uint16_t>({65535})), DType::f32, {65535});
  check(stored("I8", 1, raw<std::int8_t>({-128})), DType::f32, {-128});
  check(stored("U8", 1, raw<std::uint8_t>({255})), DType::f32, {255});
  check(stored("BOOL", 2, raw<std::uint8_t>({0, 1})), DType::f32, {0, 1});

  const auto too_large = [](const std::string& dtype, const std::string& data, const std::string& shown) {
    CHECK_THROWS_WITH(stored(dtype, 1, data), "m.safetensors: tensor \"w\": " + shown +
                                                  " is too large a whole number to be held exactly");
  };
  too_large("I64", raw<std::int64_t>({exact + 1}), "9007199254740993");
  too_large("I64", raw<std::int64_t>({INT64_MIN}), "-9223372036854775808");
  too_large("U64", raw<std::uint64_t>({UINT64_MAX}), "18446744073709551615");
}

TEST_CASE("a file that is not safetensors is refused") {
  refused("", "is not a safetensors file: it has 0 bytes, too few for a header");
  refused("{}", "is not a safetensors file: it has 2 bytes, too few for a header");
  refused("Once upon a time",
          "is not a safetensors file, or is damaged: its header would have 8030046917602012751 bytes");
  refused(raw<std::uint64_t>({100'000'001}) + "{}",
          "is not a safetensors file, or is damaged: its header would have 100000001 bytes");
  refused(file_of("{}", 0).substr(0, 9), "is truncated: the header has 2 bytes, but only 1 are there");
  not_json("");
  not_json("{");
  not_json("{} {}");
  not_json("{\"w\":NaN}");
  not_json("{} // note");
  refused_header("[]", "the header is not a JSON object");
  refused_header("{\"w\xFF\":1}", "the header is not UTF-8 at byte 3");
  not_json(R"({"\uD800":1})");
  refused_header(R"({"a":1,"b":2,"a":3})", "the header has the key \"a\" twice");
  refused_header(R"({"a":{"dtype":"F32","shape":[1],"dtype":"F64"}})",
                 "the header has the key \"dtype\" twice");
  refused_header(R"({"__metadata__":{"k":"1","k":"2"}})", "the header has the key \"k\" twice");
  refused_header(R"({"__metadata__":[]})", "\"__metadata__\" in the header is not a JSON object");
  refused_header(R"({"__metadata__":{"k":1}})", "metadata \"k\" in the header is not a text");
  refused_header(R"({"__metadata__":{}})", "bytes 0 to 15 of the data belong to no tensor");
  const std::string deep = std::string(1000, '[') + std::string(1000, ']');
  not_json(R"({"w":)" + deep + "}");
}

TEST_CASE("a tensor whose header entry is wrong is refused") {
  refused_header(R"({"w":3})", "tensor \"w\": its header entry is not a JSON object");
  refused_fields(R"("shape":[4],"data_offsets":[0,16])", "\"dtype\" is missing in the header");
  refused_fields(R"("dtype":"F32","data_offsets":[0,16])", "\"shape\" is missing in the header");
  refused_fields(R"("dtype":"F32","shape":[4])", "\"data_offsets\" is missing in the header");
  refused_fields(R"("dtype":"F32","shape":[4],"data_offsets":[0,16],"scale":2)",
                 "unknown field \"scale\" in the header");
  const auto with_dtype = [](const std::string& dtype, const std::string& why) {
    refused_fields(R"("dtype":)" + dtype + R"(,"shape":[4],"data_offsets":[0,16])", why);
  };
  with_dtype("32", "dtype is not a text");
  with_dtype("\"F8_E4M3\"", "dtype \"F8_E4M3\" is not one that Spool reads");
  with_dtype("\"f32\"", "dtype \"f32\" is not one that Spool reads");
  const auto with_shape = [](const std::string& shape, const std::string& why) {
    refused_fields(R"("dtype":"F32","shape":)" + shape + R"(,"data_offsets":[0,16])", why);
  };
  with_shape("4", "shape is not a list");
  with_shape("[-4]", "-4 in shape is not a whole number from 0 to 2^63-1");
  with_shape("[4.0]", "4E0 in shape is not a whole number from 0 to 2^63-1");
  with_shape("[\"4\"]", "\"4\" in shape is not a whole number from 0 to 2^63-1");
  with_shape("[9223372036854775808]", "9223372036854775808 in shape is not a whole number from 0 to 2^63-1");
  with_shape("[5]", "shape [5] of F32 does not fit data_offsets [0, 16]");
  with_shape("[]", "shape [] of F32 does not fit data_offsets [0, 16]");
  with_shape("[0]", "shape [0] of F32 does not fit data_offsets [0, 16]");
  // 2^62 elements of 4 bytes are 2^64 bytes, which would wrap to 0.
  with_shape("[4611686018427387904]", "shape [4611686018427387904] of F32 does not fit data_offsets [0, 16]");
  with_shape("[4294967296,4294967296,1]", "shape [4294967296, 4294967296, 1]: too many elements");
  with_shape("[1,1,1,1,1,1,1,1,4]", "a shape has at most 8 axes, not 9");
  const auto with_offsets = [](const std::string& offsets, const std::string& why) {
    refused_fields(R"("dtype":"F32","shape":[4],"data_offsets":)" + offsets, why);
  };
  with_offsets("{}", "data_offsets is not a list");
  with_offsets("[0]", "data_offsets must be two numbers, not 1");
  with_offsets("[0,16,32]", "data_offsets must be two numbers, not 3");
  with_offsets("[-16,0]", "-16 in data_offsets is not a whole number from 0 to 2^63-1");
  with_offsets("[16,0]", "data_offsets [16, 0] run backwards");
  with_offsets(
      "[0,17]",
      "data_offsets [0, 17] reach past the end of the data, which has 16 bytes: the file is truncated or "
      "damaged");
  with_offsets("[0,15]", "shape [4] of F32 does not fit data_offsets [0, 15]");
}

TEST_CASE("every byte of the data belongs to one tensor") {
  const auto two = [](int a_begin, int a_end, int b_begin, int b_end) {
    return fmt::format(R"({{"a":{{"dtype":"U8","shape":[{}],"data_offsets":[{},{}]}},)"
                       R"("b":{{"dtype":"U8","shape":[{}],"data_offsets":[{},{}]}}}})",
                       a_end - a_begin, a_begin, a_end, b_end - b_begin, b_begin, b_end);
  };
  CHECK(parse(file_of(two(8, 16, 0, 8), 16)).tensors.size() == 2);
  CHECK(parse(file_of(two(0, 16, 16, 16), 16)).tensors.at("b").size() == 0);
  refused_header(two(0, 8, 7, 16), "tensors \"a\" and \"b\" overlap in the data");
  refused_header(two(0, 16, 0, 16), "tensors \"a\" and \"b\" overlap in the data");
  refused_header(two(0, 16, 4, 4), "tensors \"a\" and \"b\" overlap in the data");
  refused_header(two(0, 4, 8, 16), "bytes 4 to 7 of the data belong to no tensor");
  refused_header(two(1, 4, 4, 16), "bytes 0 to 0 of the data belong to no tensor");
  refused_header(two(0, 4, 4, 12), "bytes 12 to 15 of the data belong to no tensor");
}

TEST_CASE("names and texts that the format can't hold are not written") {
  const Scratch scratch;
  const std::string path = scratch / "m";
  const Tensor t({1});
  CHECK_THROWS_WITH(write_safetensors(path, {{"a\xFF", t}}), path + ": tensor name \"a\\xff\" is not UTF-8");
  CHECK_THROWS_WITH(write_safetensors(path, {{"__metadata__", t}}),
                    path + ": a tensor can't be called \"__metadata__\"");
  CHECK_THROWS_WITH(write_safetensors(path, {}, {{"k", "\x80"}}), path + ": metadata \"\\x80\" is not UTF-8");
  CHECK(!std::filesystem::exists(path));
}

TEST_CASE("a damaged file is refused or read, and never worse") {
  const Scratch scratch;
  write_safetensors(scratch / "m", {{"weight", Tensor({2, 3})}, {"bias", Tensor({3}, DType::f64)}},
                    {{"k", "v"}});
  const std::string good = bytes_of(scratch / "m");
  const auto survives = [](const std::string& bytes) {
    try {
      parse(bytes);
      return true;
    } catch (const FileError& e) {
      CHECK(std::string(e.what()).find('\n') == std::string::npos);
      return false;
    }
  };
  REQUIRE(survives(good));
  for (std::size_t size = 0; size < good.size(); ++size) CHECK(!survives(good.substr(0, size)));
  CHECK(!survives(good + '\0'));
  // Damage in the data can't be seen; all other damage is seen, or gives another valid header.
  const std::size_t data_begin = good.size() - 6 * 4 - 3 * 8;
  for (std::size_t i = 0; i < data_begin; ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bytes = good;
      bytes[i] = static_cast<char>(bytes[i] ^ (1 << bit));
      survives(bytes);
    }
    for (const char c : {'\0', '"', '{', '}', '[', ']', ',', ':', '-', '9', '\\', '\xFF'}) {
      std::string bytes = good, longer = good;
      bytes[i] = c;
      longer.insert(i, 1, c);
      survives(bytes);
      survives(longer);
    }
  }
}

TEST_CASE("an independent reader and writer agree with ours") {
  if (std::system("python3 -c pass 2>/dev/null") != 0) {
    WARN("skipped: no python3");
    return;
  }
  const Scratch scratch;
  write_safetensors(scratch / "ours",
                    {{"a", Tensor({2, 2}, {1, 2, 3, 4.5})}, {"b", Tensor({}, {0.1}, DType::f64)}},
                    {{"who", "spool"}});
  // Reads our file by the format's description alone, and writes the same tensors in its own layout.
  const std::string script = scratch.file("peer.py", R"(
import json, struct, sys
raw = open(sys.argv[1], "rb").read()
(n,) = struct.unpack("<Q", raw[:8])
header, data = json.loads(raw[8:8 + n]), raw[8 + n:]
assert n % 8 == 0 and header.pop("__metadata__") == {"who": "spool"}
out, entries = b"", {}
for name in sorted(header, reverse=True):
    begin, end = header[name]["data_offsets"]
    code = {"F32": "f", "F64": "d"}[header[name]["dtype"]]
    values = struct.unpack(f"<{(end - begin) // struct.calcsize(code)}{code}", data[begin:end])
    assert values == {"a": (1, 2, 3, 4.5), "b": (0.1,)}[name]
    assert header[name]["shape"] == {"a": [2, 2], "b": []}[name]
    entries["their." + name] = {"dtype": "F64", "shape": header[name]["shape"],
                                "data_offsets": [len(out), len(out) + 8 * len(values)]}
    out += struct.pack(f"<{len(values)}d", *values)
text = json.dumps(entries, indent=1).encode()
open(sys.argv[2], "wb").write(struct.pack("<Q", len(text)) + text + out)
)");
  REQUIRE(std::system(
              fmt::format("python3 {} {} {}", script, scratch / "ours", scratch / "theirs").c_str()) == 0);
  const Safetensors theirs = read_safetensors(scratch / "theirs");
  CHECK(theirs.tensors ==
        std::map<std::string, Tensor>{{"their.a", Tensor({2, 2}, {1, 2, 3, 4.5}, DType::f64)},
                                      {"their.b", Tensor({}, {0.1}, DType::f64)}});
}
