// PNG: what was written comes back; files of other programs, and every cut and broken file is a FileError.
#include <spool/spool.hpp>

#include <cmath>

#include "catch.hpp"
#include "error_text.hpp"
#include "scratch.hpp"

using namespace spool;

namespace {

std::string refusal(const std::string& bytes) {
  return text_of<FileError>([&] { parse_png(bytes, "a.png"); });
}

// A file made by another program: 2 x 2 pixels of a palette with a transparent entry (red, green / blue,
// clear).
std::string palette_file() {
  const auto chunk = [](const std::string& type, const std::string& data) {
    std::uint32_t crc = 0xFFFFFFFF;
    for (const char c : type + data) {
      crc ^= static_cast<unsigned char>(c);
      for (int k = 0; k < 8; ++k) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
    }
    const auto word = [](std::uint32_t v) {
      std::string s;
      for (int shift = 24; shift >= 0; shift -= 8) s += static_cast<char>(v >> shift);
      return s;
    };
    return word(static_cast<std::uint32_t>(data.size())) + type + data + word(~crc);
  };
  using namespace std::string_literals;
  // The data is a zlib stream with one stored block of two rows: filter 0, two pixels of 4 bits.
  return "\x89PNG\r\n\x1A\n" + chunk("IHDR", "\0\0\0\2\0\0\0\2\x04\3\0\0\0"s) +
         chunk("PLTE", "\xFF\0\0\0\xFF\0\0\0\xFF\x10\x20\x30"s) + chunk("tRNS", "\xFF\xFF\xFF\0"s) +
         chunk("IDAT", "\x78\x01\x01\x04\0\xFB\xFF\0\x01\0\x23\0\x2A\0\x25"s) + chunk("IEND", "");
}

}  // namespace

TEST_CASE("pixels come back as they were written") {
  const Scratch scratch;
  Tensor pixels(Shape{3, 2, 3});
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels.set(i, static_cast<double>(i * 15) / 255);
  write_png(scratch / "a.png", pixels);
  CHECK(read_png(scratch / "a.png") == pixels);

  const Tensor grey({1, 3}, {-1, 0.2, 7});
  const Tensor back = parse_png(encode_png(grey), "grey", Pixel::grey);
  CHECK(back == Tensor({1, 3, 1}, {0, 51 / 255.0, 1}));
  CHECK(parse_png(encode_png(grey), "grey").shape() == Shape{1, 3, 3});

  const Tensor clear({1, 2, 4}, {1, 0, 0, 1, 0, 1, 0, 0});
  CHECK(parse_png(encode_png(clear), "clear", Pixel::rgba) == clear);
  CHECK(parse_png(encode_png(clear), "clear") ==
        Tensor({1, 2, 3}, {1, 0, 0, 1, 1, 1}));  // white shows through
}

TEST_CASE("palettes are looked up") {
  CHECK(parse_png(palette_file(), "p", Pixel::rgba) ==
        Tensor({2, 2, 4}, {1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 1, 1, 16 / 255., 32 / 255., 48 / 255., 0}));
  CHECK(parse_png(palette_file(), "p") == Tensor({2, 2, 3}, {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1}));
}

TEST_CASE("broken PNG files are refused, wherever they are cut") {
  CHECK(refusal("") == "a.png: is empty");
  CHECK(refusal("GIF89a") == "a.png: is not a PNG file");
  const std::string whole = encode_png(Tensor(Shape{9, 9, 3}));
  for (std::size_t n = 4; n + 13 < whole.size();
       ++n) {  // the end of the data and its empty last chunk may lack
    CAPTURE(n);
    CHECK(refusal(whole.substr(0, n)).starts_with("a.png: is a damaged or truncated PNG file: "));
  }
  std::string flipped = whole;
  flipped[whole.find("IDAT") + 8] ^= 0x10;  // in the compressed pixels
  CHECK(refusal(flipped).starts_with("a.png: is a damaged or truncated PNG file: "));
  CHECK(text_of<FileError>([] { read_png("/no/such/a.png"); }) ==
        "/no/such/a.png: No such file or directory");
}

TEST_CASE("a header that claims too many pixels costs no memory") {
  std::string bytes = palette_file();
  bytes[17] = bytes[21] = 0x0D;  // 852 thousand by 852 thousand
  CHECK(refusal(bytes).starts_with("a.png: is a damaged or truncated PNG file: "));
}

TEST_CASE("what is no picture is not written") {
  CHECK(shape_error([] {
          encode_png(Tensor(Shape{3, 2, 2}));
        }) == "a PNG picture is of pixels [H,W] or [H,W,C] with 1, 3 or 4 channels, not [3, 2, 2]");
  CHECK(shape_error([] {
          encode_png(Tensor(Shape{0, 2}));
        }) == "a PNG picture is of pixels [H,W] or [H,W,C] with 1, 3 or 4 channels, not [0, 2]");
  CHECK(shape_error([] { encode_png(Tensor(Shape{4})); }) ==
        "a PNG picture is of pixels [H,W] or [H,W,C] with 1, 3 or 4 channels, not [4]");
  CHECK(shape_error([] {
          encode_png(Tensor({1, 1}, {NAN}));
        }) == "a PNG picture can't show NaN: give these pixels a colour");
}
