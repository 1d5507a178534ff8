// A line chart as SVG text, for loss curves, forecasts and tracks: named series, bands, round ticks, a
// legend; it follows the reader's light or dark theme. No other kinds of charts.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace spool {

struct Series {
  std::string name = {};
  std::vector<double>
      x = {},
      y = {};  ///< A line breaks at a point that is not finite, or not positive on a log axis.
  /// One for each point, or none: a band of the line's colour reaches from `low` to `high`.
  std::vector<double> low = {}, high = {};
};

struct ChartOptions {
  std::string title = {}, x_label = {}, y_label = {};
  bool log_y = false;
  bool mark_first = false;    ///< a large dot where each series begins
  bool equal_scales = false;  ///< a unit of x is as long as one of y; not on a log axis
  int width = 760, height = 420;
};

/// The chart as a whole SVG file. More points than pixels are thinned without losing a peak; a point that has
/// no neighbours is a dot. A legend has the names, unless all are empty. Throws ShapeError when a series has
/// not as many x as y, or a band of another size.
std::string line_chart(std::span<const Series> series, const ChartOptions& options = {});

}  // namespace spool
