// PNG files, through libpng: pictures as tensors of pixels. Not here: other formats; sizes are never changed.
#pragma once

#include <spool/graph/tensor.hpp>

#include <string>
#include <string_view>

namespace spool {

/// What a pixel is; the number is that of its channels.
enum class Pixel : std::uint8_t { grey = 1, rgb = 3, rgba = 4 };

/// The picture as [H,W,C] f32 in 0..1, row 0 at the top; C as asked for. Values are sRGB with 8 bits, as they
/// stand in most files; 16 bits are rounded to 8. What a palette names is looked up, grey becomes colour and
/// colour grey as asked; where a picture is transparent and `rgba` was not asked for, white shows through.
/// Throws FileError "path: what is wrong" when the file is missing, unreadable, empty, not PNG, truncated or
/// damaged.
Tensor read_png(const std::string& path, Pixel as = Pixel::rgb);
/// The same from bytes in memory; `origin` stands for the path in messages.
Tensor parse_png(std::string_view bytes, const std::string& origin, Pixel as = Pixel::rgb);

/// The bytes of a PNG file of 8 bits a channel: pixels [H,W] (grey) or [H,W,C], C in 1, 3, 4, in 0..1.
/// Numbers beyond are cut off. Throws ShapeError for other shapes and for NaN.
std::string encode_png(const Tensor& pixels);
/// Writes that file in one step (see AtomicFile). Throws FileError when it can't be written.
void write_png(const std::string& path, const Tensor& pixels);

}  // namespace spool
