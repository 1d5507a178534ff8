#include <spool/io/png.hpp>
#include <spool/io/svg.hpp>
#include <spool/io/utf8.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace spool::detail {

namespace {

constexpr const char* style = R"(<style>
text { font: 12px system-ui, sans-serif; fill: #333 }
.title { font-size: 15px; font-weight: 600 }
.paper { fill: #fff }
.grid { stroke: #e3e3e3 }
.axis { stroke: #999 }
.line { fill: none; stroke-width: 1.7; stroke-linejoin: round }
.band { fill-opacity: 0.25 }
@media (prefers-color-scheme: dark) {
text { fill: #d0d0d0 }
.paper { fill: #15171c }
.grid { stroke: #2b2e36 }
.axis { stroke: #777 }
}
</style>
)";

// In pixels, and rather too much.
double width_of(char32_t c) {
  constexpr std::u32string_view wide = U"mwMW@%…";
  return c >= 0x2E80 ? 13 : wide.find(c) != wide.npos ? 12 : c >= U'A' && c <= U'Z' ? 9 : 7;
}

// RFC 4648, section 4.
std::string base64(std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
    unsigned group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (k < have ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) out += k <= have ? digits[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

// Each pixel repeated until there are as many as in its place on a screen: some programs would blur what they
// enlarge, whatever image-rendering says.
Tensor enlarged(const Tensor& pixels, double width, double height) {
  const Shape& shape = pixels.shape();
  if (shape.rank() < 2 || shape.size() == 0) return pixels;  // encode_png says what is wrong
  const std::int64_t H = shape[0], W = shape[1], C = shape.size() / (H * W);
  const auto times = [](double place, std::int64_t size) {
    return std::max<std::int64_t>(1, std::llround(std::ceil(place / static_cast<double>(size))));
  };
  const std::int64_t down = times(height, H), right = times(width, W);
  Tensor out(shape.with(0, H * down).with(1, W * right));
  std::size_t to = 0;
  for (std::int64_t r = 0; r < H * down; ++r)
    for (std::int64_t c = 0; c < W * right; ++c)
      for (std::int64_t k = 0; k < C; ++k)
        out.set(to++, pixels.at(static_cast<std::size_t>((r / down * W + c / right) * C + k)));
  return out;
}

}  // namespace

std::string svg_escaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t begin = i;
    const auto c = next_code_point(text, i);
    if (!c) ++i;
    if (!c || (*c < 0x20 && *c != '\t' && *c != '\n') || *c == 0xFFFE || *c == 0xFFFF)
      out += '?';
    else if (*c == '&')
      out += "&amp;";
    else if (*c == '<')
      out += "&lt;";
    else if (*c == '>')
      out += "&gt;";
    else
      out += text.substr(begin, i - begin);
  }
  return out;
}

double svg_text_width(std::string_view text) {
  double width = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto c = next_code_point(text, i);
    if (!c) ++i;
    width += width_of(c.value_or(U'?'));
  }
  return width;
}

std::string svg_cut(std::string_view text, double width, double scale) {
  if (scale * svg_text_width(text) <= width) return std::string(text);
  double used = scale * width_of(U'…');
  if (used > width) return {};
  std::size_t end = 0;
  for (std::size_t i = 0; i < text.size(); end = i) {
    const auto c = next_code_point(text, i);
    if (!c) ++i;
    used += scale * width_of(c.value_or(U'?'));
    if (used > width) break;
  }
  return std::string(text.substr(0, end)) + "…";
}

std::string svg_fitted(std::string_view text, double width, double scale) {
  return svg_escaped(svg_cut(text, width, scale));
}

std::string svg_head(int width, int height, std::string_view title) {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
      "role=\"img\">\n<title>{2}</title>\n{3}<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n",
      width, height, svg_escaped(title), style);
}

std::string svg_image(const Tensor& pixels, double x, double y, double width, double height) {
  return fmt::format(
      "<image x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" preserveAspectRatio=\"none\" "
      "style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{}\"/>\n",
      x, y, width, height, base64(encode_png(enlarged(pixels, width, height))));
}

}  // namespace spool::detail
