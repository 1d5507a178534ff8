#include <spool/graph/error.hpp>
#include <spool/io/heat_map.hpp>
#include <spool/io/svg.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <utility>

namespace spool {

namespace {

using Colour = std::array<double, 3>;

// Nine points of viridis (van der Walt and Smith 2015, CC0): brightness rises evenly, also for the
// colour-blind.
constexpr std::array<Colour, 9> scale{{{0.267, 0.005, 0.329},
                                       {0.279, 0.175, 0.483},
                                       {0.230, 0.322, 0.546},
                                       {0.173, 0.449, 0.558},
                                       {0.128, 0.567, 0.551},
                                       {0.158, 0.684, 0.502},
                                       {0.369, 0.789, 0.383},
                                       {0.678, 0.864, 0.190},
                                       {0.993, 0.906, 0.144}}};

Colour colour_of(double place) {  // place 0..1
  const double at = place * (scale.size() - 1);
  const auto i = std::min(static_cast<std::size_t>(at), scale.size() - 2);
  Colour c{};
  for (std::size_t k = 0; k < 3; ++k)
    c[k] = std::lerp(scale[i][k], scale[i + 1][k], at - static_cast<double>(i));
  return c;
}

// Of a picture's width or height, what its labels may take.
constexpr double labels_share = 0.4;

double widest(const std::vector<std::string>& labels) {
  double width = 0;
  for (const std::string& label : labels) width = std::max(width, detail::svg_text_width(label));
  return width;
}

class MapDrawing {
 public:
  MapDrawing(const Tensor& values, const HeatMapOptions& options) : values_(values), options_(options) {
    check();
    rows_ = values.shape()[0], columns_ = values.shape()[1];
    find_ends();
    lay_out();
  }

  std::string svg() {
    out_ = detail::svg_head(options_.width, options_.height, options_.title);
    const double title = detail::svg_title_scale * detail::svg_text_width(options_.title);
    put("<text class=\"title\" x=\"{:.1f}\" y=\"24\">{}</text>\n",
        std::max(8.0, std::min(left_, options_.width - 8 - title)),
        detail::svg_fitted(options_.title, options_.width - 16, detail::svg_title_scale));
    out_ += detail::svg_image(pixels(), left_, top_, right_ - left_, bottom_ - top_);
    column_labels();
    row_labels();
    if (options_.numbers) numbers();
    scale_bar();
    put("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n", (left_ + right_) / 2,
        options_.height - 10.0, detail::svg_fitted(options_.x_label, options_.width - 16));
    put("<text transform=\"translate(16 {:.1f}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
        (top_ + bottom_) / 2, detail::svg_fitted(options_.y_label, options_.height - 16));
    return out_ + "</svg>\n";
  }

 private:
  template <class... A>
  void put(fmt::format_string<A...> format, A&&... a) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<A>(a)...);
  }

  void check() const {
    const Shape& shape = values_.shape();
    if (shape.rank() != 2 || shape.size() == 0)
      throw ShapeError(
          fmt::format("a heat map is of a matrix with rows and columns, not of {}", shape.text()));
    const auto fits = [&](const char* what, const std::vector<std::string>& labels, std::int64_t size) {
      if (!labels.empty() && std::ssize(labels) != size)
        throw ShapeError(fmt::format("a heat map of {} needs {} {} labels or none, not {}", shape.text(),
                                     size, what, labels.size()));
    };
    fits("row", options_.row_labels, shape[0]);
    fits("column", options_.column_labels, shape[1]);
  }

  void find_ends() {
    low_ = INFINITY, high_ = -INFINITY;
    for (const double v : values_.doubles())
      if (std::isfinite(v)) low_ = std::min(low_, v), high_ = std::max(high_, v);
    if (low_ > high_) low_ = 0, high_ = 1;
    low_ = options_.low.value_or(low_), high_ = options_.high.value_or(high_);
  }

  // Margins that hold the labels, which are cut to the room that there is.
  void lay_out() {
    write_ends();
    left_ = options_.y_label.empty() ? 8 : 26;
    right_ = options_.width - std::max(74.0, 34 + widest(ends_));
    top_ = options_.title.empty() ? 12 : 38;
    bottom_ = options_.height - (options_.x_label.empty() ? 8 : 28);
    if (right_ - left_ < least || bottom_ - top_ < least)
      throw ShapeError(fmt::format("a heat map of {} x {} pixels has no room for its cells: make it larger",
                                   options_.width, options_.height));

    row_room_ = longest(options_.row_labels, options_.width, right_ - left_);
    if (!options_.row_labels.empty()) left_ = std::min(left_ + row_room_ + 8, right_ - least);
    left_ = std::max(left_, std::min<double>(options_.left_margin, right_ - least));

    const double high = longest(options_.column_labels, options_.height, bottom_ - top_);
    if (high > 0) lay_out_column_labels(widest(options_.column_labels), high);
  }

  // They stand upright, and are `high` then, where columns are narrower than that; unless they are short and
  // can lie with many left out.
  void lay_out_column_labels(double wide, double high) {
    const double column = column_width() - 6;
    const bool lie = wide <= column || high <= column, left_out = !lie && column < 7 && wide <= 48;
    upright_ = !lie && !left_out;
    column_room_ = upright_ ? high : lie ? std::min(wide, column) : wide;
    if (left_out) left_ = std::max(left_, std::min(wide / 2 + 4, right_ - least));  // room for the first
    bottom_ -= upright_ ? high + 8 : 20;
  }

  // How much of a side of the picture its labels take, of which `room` is not yet taken.
  static double longest(const std::vector<std::string>& labels, double side, double room) {
    return std::max(0.0, std::min({widest(labels), labels_share * side, room - least - 20}));
  }
  double column_width() const { return (right_ - left_) / static_cast<double>(columns_); }

  double place(double v) const {
    return high_ > low_ ? std::clamp((v / 2 - low_ / 2) / (high_ / 2 - low_ / 2), 0.0, 1.0) : 0.5;
  }
  std::int64_t shown_row(std::int64_t r) const { return options_.upwards ? rows_ - 1 - r : r; }
  double column_middle(std::int64_t c) const {
    return left_ + (right_ - left_) * (static_cast<double>(c) + 0.5) / static_cast<double>(columns_);
  }
  double row_middle(std::int64_t r) const {
    return top_ + (bottom_ - top_) * (static_cast<double>(shown_row(r)) + 0.5) / static_cast<double>(rows_);
  }
  double at(std::int64_t r, std::int64_t c) const {
    return values_.at(static_cast<std::size_t>(r * columns_ + c));
  }

  Tensor pixels() const {
    Tensor image(Shape{rows_, columns_, 4});
    for (std::int64_t r = 0; r < rows_; ++r)
      for (std::int64_t c = 0; c < columns_; ++c) {
        if (!std::isfinite(at(r, c))) continue;  // stays transparent
        const Colour colour = colour_of(place(at(r, c)));
        const auto pixel = static_cast<std::size_t>((shown_row(r) * columns_ + c) * 4);
        for (std::size_t k = 0; k < 3; ++k) image.set(pixel + k, colour[k]);
        image.set(pixel + 3, 1);
      }
    return image;
  }

  // Every how many labels there is room for one.
  static std::int64_t every(double needed, double cell) {
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(needed / cell - 1e-9)));
  }

  void column_labels() {
    if (options_.column_labels.empty()) return;
    const std::int64_t step = every(upright_ ? 13 : column_room_ + 6, column_width());
    for (std::int64_t c = 0; c < columns_; c += step) {
      const std::string label =
          detail::svg_fitted(options_.column_labels[static_cast<std::size_t>(c)], column_room_);
      if (upright_)
        put("<text transform=\"translate({:.1f} {:.1f}) rotate(-90)\" text-anchor=\"end\">{}</text>\n",
            column_middle(c) + 4, bottom_ + 6, label);
      else
        put("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n", column_middle(c),
            bottom_ + 16, label);
    }
  }

  void row_labels() {
    if (options_.row_labels.empty()) return;
    const std::int64_t step = every(13, (bottom_ - top_) / static_cast<double>(rows_));
    for (std::int64_t r = 0; r < rows_; r += step)
      put("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", left_ - 6, row_middle(r) + 4,
          detail::svg_fitted(options_.row_labels[static_cast<std::size_t>(r)], row_room_));
  }

  // Black on bright cells, white on dark ones.
  void numbers() {
    for (std::int64_t r = 0; r < rows_; ++r)
      for (std::int64_t c = 0; c < columns_; ++c) {
        if (!std::isfinite(at(r, c))) continue;
        put("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\" "
            "style=\"font-size:11px;fill:{}\">{:.3g}</text>\n",
            column_middle(c), row_middle(r) + 4, place(at(r, c)) > 0.6 ? "#000" : "#fff", at(r, c));
      }
  }

  // The numbers beside the scale, from its low end to its high one: with the digits that tell them apart, or
  // one where all are the same.
  void write_ends() {
    const double largest = std::max(std::abs(low_), std::abs(high_));
    for (int digits = 3; digits <= 6; ++digits) {
      ends_.clear();
      for (const double part : {0.0, 0.5, 1.0}) {
        const double v = std::lerp(low_, high_, part);
        ends_.push_back(fmt::format("{:.{}g}", std::abs(v) <= 1e-9 * largest ? 0 : v, digits));
      }
      if (ends_[0] != ends_[1] && ends_[1] != ends_[2]) return;
    }
    if (ends_[0] == ends_[2]) ends_ = {"", fmt::format("{:.3g}", low_ + 0.0), ""};
  }

  void scale_bar() {
    Tensor bar(Shape{64, 1, 3});
    for (std::size_t i = 0; i < 64; ++i) {
      const Colour colour = colour_of(1 - static_cast<double>(i) / 63);
      for (std::size_t k = 0; k < 3; ++k) bar.set(3 * i + k, colour[k]);
    }
    out_ += detail::svg_image(bar, right_ + 12, top_, 10, bottom_ - top_);
    const std::array places{bottom_, (top_ + bottom_) / 2 + 4, top_ + 9};
    for (std::size_t i = 0; i < places.size(); ++i)
      if (!ends_[i].empty())
        put("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", right_ + 26, places[i], ends_[i]);
  }

  static constexpr double least = 8;  // pixels of the plot

  const Tensor& values_;
  const HeatMapOptions& options_;
  std::int64_t rows_ = 0, columns_ = 0;
  double low_ = 0, high_ = 1, left_ = 0, right_ = 0, top_ = 0, bottom_ = 0;
  double row_room_ = 0, column_room_ = 0;  // for a label, whatever its length
  bool upright_ = false;
  std::vector<std::string> ends_;
  std::string out_;
};

// The number after ` name="` in the picture's first line, which says how large it is.
int size_in(std::string_view picture, std::string_view name) {
  const std::string_view head = picture.substr(0, picture.find('>'));
  const auto begin = head.find(fmt::format(" {}=\"", name));
  int size = 0;
  if (picture.starts_with("<svg ") && begin != std::string_view::npos)
    for (auto i = begin + name.size() + 3;
         i < head.size() && head[i] >= '0' && head[i] <= '9' && size < 1'000'000; ++i)
      size = 10 * size + (head[i] - '0');
  if (size == 0)
    throw ShapeError("a panel must be a picture that line_chart, heat_map, image_panel or panels made");
  return size;
}

}  // namespace

std::string heat_map(const Tensor& values, const HeatMapOptions& options) {
  return MapDrawing(values, options).svg();
}

std::string image_panel(const Tensor& pixels, const std::string& title, int size) {
  if (size < 1) throw ShapeError(fmt::format("a panel has at least one pixel, not {}", size));
  const Shape& shape = pixels.shape();
  const bool picture = (shape.rank() == 2 || shape.rank() == 3) && shape.size() > 0;
  const auto high = static_cast<double>(picture ? shape[0] : 1),
             wide = static_cast<double>(picture ? shape[1] : 1);
  const double scale_by = size / std::max(high, wide);
  const int top = title.empty() ? 8 : 24;
  const int width = std::max(size, static_cast<int>(detail::svg_text_width(title))) + 16;
  std::string out = detail::svg_head(width, size + top + 8, title);
  out += fmt::format("<text x=\"8\" y=\"16\">{}</text>\n", detail::svg_escaped(title));
  out += detail::svg_image(pixels, 8, top, wide * scale_by, high * scale_by);
  return out + "</svg>\n";
}

std::string panels(std::span<const std::string> pictures, int columns, const std::string& title) {
  if (columns < 1) throw ShapeError(fmt::format("panels need at least one column, not {}", columns));
  const int top = title.empty() ? 0 : 38;
  int width = 1, x = 0, y = top, row_height = 0, in_row = 0;
  std::string body;
  for (const std::string& picture : pictures) {
    if (in_row++ == columns) x = 0, y += row_height, row_height = 0, in_row = 1;
    const int w = size_in(picture, "width"), h = size_in(picture, "height");
    body += fmt::format("<svg x=\"{}\" y=\"{}\" {}", x, y, std::string_view(picture).substr(5));
    x += w, width = std::max(width, x), row_height = std::max(row_height, h);
  }
  std::string out = detail::svg_head(width, std::max(1, y + row_height), title);
  out += fmt::format("<text class=\"title\" x=\"12\" y=\"24\">{}</text>\n", detail::svg_escaped(title));
  return out + body + "</svg>\n";
}

}  // namespace spool
