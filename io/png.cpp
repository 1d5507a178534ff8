#include <spool/graph/error.hpp>
#include <spool/io/atomic_file.hpp>
#include <spool/io/file.hpp>
#include <spool/io/png.hpp>

#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

namespace spool {

namespace {

png_uint_32 format_of(std::int64_t channels) {
  return channels == 1 ? PNG_FORMAT_GRAY : channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_RGBA;
}

struct Image : png_image {
  Image() : png_image{} { version = PNG_IMAGE_VERSION; }
  ~Image() { png_image_free(this); }
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;
};

}  // namespace

Tensor parse_png(std::string_view bytes, const std::string& origin, Pixel as) {
  if (bytes.empty()) fail_file(origin, "is empty");
  if (!bytes.starts_with("\x89PNG")) fail_file(origin, "is not a PNG file");
  const auto damaged = [&](std::string_view why) {
    fail_file(origin, fmt::format("is a damaged or truncated PNG file: {}", why));
  };
  Image image;
  if (png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()) == 0) damaged(image.message);
  // No more than 1032 bytes come out of one that is compressed, and a pixel takes a bit at least.
  const double pixels = static_cast<double>(image.width) * image.height;
  if (pixels > 8.0 * 1032 * static_cast<double>(bytes.size()))
    damaged(fmt::format("{} bytes can't hold {} x {} pixels", bytes.size(), image.width, image.height));

  const auto channels = static_cast<std::int64_t>(as);
  image.format = format_of(channels);
  std::vector<png_byte> buffer(PNG_IMAGE_SIZE(image));
  const png_color white{255, 255, 255};
  if (png_image_finish_read(&image, &white, buffer.data(), 0, nullptr) == 0) damaged(image.message);
  Tensor result(Shape{image.height, image.width, channels});
  std::ranges::transform(buffer, result.as<float>().begin(),
                         [](png_byte v) { return static_cast<float>(v) / 255; });
  return result;
}

Tensor read_png(const std::string& path, Pixel as) { return parse_png(read_file(path), path, as); }

std::string encode_png(const Tensor& pixels) {
  const Shape& shape = pixels.shape();
  const std::int64_t channels = shape.rank() == 3 ? shape[2] : 1;
  if ((shape.rank() != 2 && shape.rank() != 3) || shape.size() == 0 ||
      (channels != 1 && channels != 3 && channels != 4))
    throw ShapeError(fmt::format(
        "a PNG picture is of pixels [H,W] or [H,W,C] with 1, 3 or 4 channels, not {}", shape.text()));
  std::vector<png_byte> buffer;
  buffer.reserve(pixels.size());
  pixels.visit([&](auto values) {
    for (const auto v : values) {
      if (std::isnan(v)) throw ShapeError("a PNG picture can't show NaN: give these pixels a colour");
      buffer.push_back(static_cast<png_byte>(std::lround(std::clamp<double>(v, 0, 1) * 255)));
    }
  });
  Image image;
  image.height = static_cast<png_uint_32>(shape[0]);
  image.width = static_cast<png_uint_32>(shape[1]);
  image.format = format_of(channels);
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::string bytes(size, '\0');
  if (png_image_write_to_memory(&image, bytes.data(), &size, 0, buffer.data(), 0, nullptr) == 0)
    throw ShapeError(fmt::format("a picture {} is no PNG file: {}", shape.text(), image.message));
  bytes.resize(size);
  return bytes;
}

void write_png(const std::string& path, const Tensor& pixels) { write_file(path, encode_png(pixels)); }

}  // namespace spool
