// What the pictures that are SVG files share: head and style, text that may stand in XML, pixels inside. For
// io/ itself; a program calls line_chart(), heat_map(), image_panel() and panels().
#pragma once

#include <spool/graph/tensor.hpp>

#include <string>
#include <string_view>

namespace spool::detail {

/// From "<svg" to the paper: the text of a picture begins with it, and ends with "</svg>\n".
std::string svg_head(int width, int height, std::string_view title);

/// Text as it may stand in XML: what XML 1.0 can't hold at all becomes a question mark.
std::string svg_escaped(std::string_view text);

/// About the width in pixels of a text in the style's font; wide for the scripts of East Asia.
double svg_text_width(std::string_view text);

/// The text itself, or so much of its beginning, and "…", as is no wider than that many pixels; empty when
/// not even that fits. A title's letters are `scale` times as large.
std::string svg_cut(std::string_view text, double width, double scale = 1);
/// The same, escaped.
std::string svg_fitted(std::string_view text, double width, double scale = 1);
constexpr double svg_title_scale = 1.3;

/// An <image> of pixels [H,W,C] (see encode_png) in that place; each pixel is a sharp rectangle.
std::string svg_image(const Tensor& pixels, double x, double y, double width, double height);

}  // namespace spool::detail
