#include <spool/graph/error.hpp>
#include <spool/io/chart.hpp>
#include <spool/io/svg.hpp>
#include <spool/io/utf8.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <iterator>
#include <numeric>
#include <optional>
#include <utility>

namespace spool {

namespace {

// Each stands out, by three to one at least, from both papers below.
constexpr std::array colours{"#3d7fc4", "#cf6a17", "#2c9160", "#c2559a", "#8a6bd1", "#8a7a2e"};

// One axis: the values it shows, and the round ones among them.
struct Axis {
  double low = 0, high = 1;
  bool log = false;
  double step = 0.2;  // between ticks, where these are equally far apart
  std::vector<double> ticks = {};

  double place(double v) const {  // 0 at the low end, 1 at the high end
    if (!log) return (v - low) / (high - low);
    return (std::log(v) - std::log(low)) / (std::log(high) - std::log(low));
  }
  bool shows(double v) const { return std::abs(v) < 1e300 && (!log || v > 1e-300); }
};

// 1, 2 or 5 times a power of ten, so that about `count` of them fill the span.
double round_step(double span, int count) {
  const double raw = span / count, power = std::pow(10, std::floor(std::log10(raw)));
  const double digits = raw / power;
  return power * (digits <= 1 ? 1 : digits <= 2 ? 2 : digits <= 5 ? 5 : 10);
}

void add_ticks(Axis& axis, int count) {
  axis.step = round_step(axis.high - axis.low, count);
  if (axis.log && axis.high / axis.low >= 10) {
    axis.step = 0;
    const int first = static_cast<int>(std::floor(std::log10(axis.low)));
    const int last = static_cast<int>(std::ceil(std::log10(axis.high)));
    const int every = (last - first) / 8 + 1;
    for (int power = first; power <= last; power += every)
      for (const int digit : {1, 2, 5})
        if (digit == 1 || last - first <= 3) axis.ticks.push_back(digit * std::pow(10, power));
  } else {
    const double first = std::ceil(axis.low / axis.step - 1e-9);
    for (double i = first; i * axis.step <= axis.high + 1e-9 * axis.step; ++i)
      axis.ticks.push_back(i * axis.step);
  }
  std::erase_if(axis.ticks, [&](double t) {
    const double place = axis.place(t);
    return place < -1e-9 || place > 1 + 1e-9;
  });
}

// The axis over all values that can be shown. A y axis grows to whole steps.
Axis axis_over(std::span<const Series> series,
               std::initializer_list<std::vector<double> Series::*> all_values, bool log, bool whole_steps,
               int count) {
  Axis axis{.log = log};
  double low = INFINITY, high = -INFINITY;
  for (const Series& s : series)
    for (const auto values : all_values)
      for (const double v : s.*values)
        if (axis.shows(v)) low = std::min(low, v), high = std::max(high, v);
  if (low > high) low = log ? 0.1 : 0, high = 1;
  if (high - low <= 1e-12 * std::max(std::abs(low), std::abs(high))) {  // one value: room on both sides
    const double room = low == 0 ? 1 : std::abs(low) / 2;
    low -= room, high += room;
  }
  if (whole_steps && !log) {
    const double step = round_step(high - low, count);
    low = step * std::floor(low / step + 1e-9), high = step * std::ceil(high / step - 1e-9);
  }
  axis.low = low, axis.high = high;
  add_ticks(axis, count);
  return axis;
}

// The same values in the middle of `times` as long an axis.
void widen(Axis& axis, double times, int count) {
  const double middle = std::midpoint(axis.low, axis.high), half = (axis.high / 2 - axis.low / 2) * times;
  axis.low = middle - half, axis.high = middle + half;
  axis.ticks.clear();
  add_ticks(axis, count);
}

// As many digits as tell neighbouring ticks apart.
std::string tick_label(const Axis& axis, double v) {
  if (axis.step == 0) return fmt::format("{:g}", v);
  if (std::abs(v) < axis.step / 2) return "0";
  const double largest = std::max(std::abs(axis.low), std::abs(axis.high));
  const int decimals = std::max(0, -static_cast<int>(std::floor(std::log10(axis.step) + 1e-9)));
  if (largest < 1e6 && decimals <= 4) return fmt::format("{:.{}f}", v, decimals);
  const int digits = static_cast<int>(std::log10(largest / axis.step)) + 2;
  return fmt::format("{:.{}g}", v, std::min(digits, 15));
}

class Drawing {
 public:
  Drawing(std::span<const Series> series, const ChartOptions& options)
      : series_(series),
        options_(options),
        x_count_(std::max(2, options.width / 90)),
        y_count_(std::max(2, options.height / 60)),
        x_(axis_over(series, {&Series::x}, false, false, x_count_)),
        y_(axis_over(series, {&Series::y, &Series::low, &Series::high}, options.log_y, true, y_count_)) {
    for (const Series& s : series) check(s);
  }

  std::string svg() {
    out_ = detail::svg_head(options_.width, options_.height, options_.title);
    put("<text class=\"title\" x=\"{}\" y=\"24\">{}</text>\n", left_,
        detail::svg_fitted(options_.title, right() - left_, detail::svg_title_scale));
    legend();
    if (options_.equal_scales && !options_.log_y) equalise();
    axes();
    for (std::size_t i = 0; i < series_.size(); ++i) band(series_[i], i);
    for (std::size_t i = 0; i < series_.size(); ++i) line(series_[i], i);
    return out_ + "</svg>\n";
  }

 private:
  struct Point {
    double x, y;
  };

  static void check(const Series& s) {
    if (s.x.size() != s.y.size())
      throw ShapeError(fmt::format("series {} has {} x and {} y: a point needs both", in_quotes(s.name),
                                   s.x.size(), s.y.size()));
    for (const auto* side : {&s.low, &s.high})
      if (side->size() != (s.low.empty() && s.high.empty() ? 0 : s.x.size()))
        throw ShapeError(fmt::format("series {} has {} points and a band of {} low and {} high values",
                                     in_quotes(s.name), s.x.size(), s.low.size(), s.high.size()));
  }

  template <class... A>
  void put(fmt::format_string<A...> format, A&&... a) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<A>(a)...);
  }

  double bottom() const { return options_.height - 46.0; }
  double right() const { return options_.width - 20.0; }
  double px(double x) const { return left_ + x_.place(x) * (right() - left_); }
  double py(double y) const { return bottom() - y_.place(y) * (bottom() - top_); }

  // The axis whose unit is longer grows on both sides.
  void equalise() {
    const double x_unit = (right() - left_) / (x_.high - x_.low),
                 y_unit = (bottom() - top_) / (y_.high - y_.low);
    if (x_unit > y_unit)
      widen(x_, x_unit / y_unit, x_count_);
    else
      widen(y_, y_unit / x_unit, y_count_);
  }

  static const char* colour(std::size_t i) { return colours[i % colours.size()]; }

  // Past six series the colours come again, dashed.
  static std::string stroke(std::size_t i) {
    const std::size_t round = i / colours.size();
    return fmt::format("stroke=\"{}\"{}", colour(i),
                       round == 0 ? "" : fmt::format(" stroke-dasharray=\"{} 3\"", 3 * round));
  }

  // A row between title and plot that wraps; the plot begins below it.
  void legend() {
    double x = left_, y = options_.title.empty() ? 18 : 44;
    top_ = y - 4;
    if (std::ranges::all_of(series_, [](const Series& s) { return s.name.empty(); })) return;
    for (std::size_t i = 0; i < series_.size(); ++i) {
      const std::string name = detail::svg_cut(series_[i].name, right() - left_ - 24);
      const double width = 44 + detail::svg_text_width(name);
      if (x > left_ && x + width > right()) x = left_, y += 18;
      put("<path class=\"line\" {} d=\"M{:.1f} {:.1f}h18\"/>", stroke(i), x, y - 4);
      put("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", x + 24, y, detail::svg_escaped(name));
      x += width;
    }
    top_ = y + 14;
  }

  void axes() {
    for (const double t : y_.ticks) {
      put("<path class=\"grid\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>", left_, py(t), right());
      put("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", left_ - 8, py(t) + 4,
          tick_label(y_, t));
    }
    for (const double t : x_.ticks) {
      put("<path class=\"axis\" d=\"M{:.1f} {:.1f}v5\"/>", px(t), bottom());
      put("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n", px(t), bottom() + 19,
          tick_label(x_, t));
    }
    put("<path class=\"axis\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>\n", left_, bottom(), right());
    put("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n", (left_ + right()) / 2,
        bottom() + 38, detail::svg_fitted(options_.x_label, right() - left_));
    put("<text transform=\"translate(16 {:.1f}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
        (top_ + bottom()) / 2, detail::svg_fitted(options_.y_label, options_.height));
  }

  // The points in pixels; of those that share a column of pixels only the first, the lowest, the highest and
  // the last, which draw the same.
  static std::vector<Point> thinned(const std::vector<Point>& points) {
    std::vector<Point> out;
    for (auto from = points.begin(); from != points.end();) {
      const auto to = std::find_if(from, points.end(),
                                   [&](const Point& p) { return std::floor(p.x) != std::floor(from->x); });
      auto [low, high] =
          std::minmax_element(from, to, [](const Point& a, const Point& b) { return a.y < b.y; });
      std::array keep{from, std::min(low, high), std::max(low, high), to - 1};
      std::transform(keep.begin(), std::unique(keep.begin(), keep.end()), std::back_inserter(out),
                     [](auto p) { return *p; });
      from = to;
    }
    return out;
  }

  void dot(Point p, double radius, std::size_t i) {
    put("<circle class=\"dot\" fill=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\"/>\n", colour(i), p.x, p.y,
        radius);
  }

  // Its upper side, and back along the lower one; in parts where it has no numbers.
  void band(const Series& s, std::size_t i) {
    std::vector<Point> up, down;
    const auto finish = [&] {
      if (up.empty()) return;
      put("<path class=\"band\" fill=\"{}\" d=\"", colour(i));
      const char* letter = "M";
      std::vector<Point> outline = thinned(up), back = thinned(down);
      outline.insert(outline.end(), back.rbegin(), back.rend());
      for (const Point& p : outline) put("{}{:.1f} {:.1f}", std::exchange(letter, "L"), p.x, p.y);
      put("Z\"/>\n");
      up.clear(), down.clear();
    };
    for (std::size_t k = 0; k < s.low.size(); ++k) {
      if (x_.shows(s.x[k]) && y_.shows(s.low[k]) && y_.shows(s.high[k]))
        up.push_back({px(s.x[k]), py(s.high[k])}), down.push_back({px(s.x[k]), py(s.low[k])});
      else
        finish();
    }
    finish();
  }

  void line(const Series& s, std::size_t i) {
    put("<path class=\"line\" {} d=\"", stroke(i));
    std::vector<Point> run, alone;
    std::optional<Point> first;
    const auto finish = [&] {
      if (!first && !run.empty()) first = run[0];
      if (run.size() == 1) alone.push_back(run[0]), run.clear();
      const char* letter = "M";
      for (const Point& p : thinned(run)) put("{}{:.1f} {:.1f}", std::exchange(letter, "L"), p.x, p.y);
      run.clear();
    };
    for (std::size_t k = 0; k < s.x.size(); ++k) {
      if (x_.shows(s.x[k]) && y_.shows(s.y[k]))
        run.push_back({px(s.x[k]), py(s.y[k])});
      else
        finish();
    }
    finish();
    put("\" stroke-linecap=\"round\"/>\n");
    for (const Point& p : alone) dot(p, 2.5, i);
    if (options_.mark_first && first) dot(*first, 5, i);
  }

  std::span<const Series> series_;
  const ChartOptions& options_;
  int x_count_, y_count_;  // of ticks
  Axis x_, y_;
  static constexpr double left_ = 68;
  double top_ = 0;
  std::string out_;
};

}  // namespace

std::string line_chart(std::span<const Series> series, const ChartOptions& options) {
  return Drawing(series, options).svg();
}

}  // namespace spool
