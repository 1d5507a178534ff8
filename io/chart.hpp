// A line chart as SVG text, for loss curves: named series, round ticks, a legend; it follows the reader's
// light or dark theme. No other kinds of charts.
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
};

struct ChartOptions {
  std::string title = {}, x_label = {}, y_label = {};
  bool log_y = false;
  int width = 760, height = 420;
};

/// The chart as a whole SVG file. More points than pixels are thinned without losing a peak. Throws
/// ShapeError when a series has not as many x as y.
std::string line_chart(std::span<const Series> series, const ChartOptions& options = {});

}  // namespace spool
