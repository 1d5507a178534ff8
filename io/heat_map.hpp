// Pictures of matrices and maps as SVG text: numbers as colours (attention, confusion, spectrograms), pixels
// as they are, and several pictures as the panels of one. They follow the reader's light or dark theme, as
// line_chart() does.
#pragma once

#include <spool/graph/tensor.hpp>

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace spool {

struct HeatMapOptions {
  std::string title = {}, x_label = {}, y_label = {};
  /// One for each row or column, or none. Columns too narrow for their labels have them upright; where even
  /// that does not fit, every second, third, ... is shown. Those that would take more than two fifths of the
  /// picture's width or height are cut, and so is a title that is too long.
  std::vector<std::string> row_labels = {}, column_labels = {};
  std::optional<double> low = {}, high = {};  ///< ends of the colour scale; else the extremes of the data
  bool numbers = false;                       ///< each value is also written into its cell
  bool upwards = false;                       ///< row 0 is at the bottom, as in a spectrogram
  int width = 480, height = 420;              ///< of the whole picture, in pixels
  int left_margin = 0;  ///< at least so many pixels left of the plot, so that those of several maps align
};

/// A matrix [R,C] as a whole SVG file: dark for low and bright for high values, with the scale beside it.
/// What is not finite has no colour. Throws ShapeError when `values` is no matrix or empty, when labels are
/// not as many as rows or columns, and when the plot would have no room even without labels.
std::string heat_map(const Tensor& values, const HeatMapOptions& options = {});

/// Pixels [H,W] (grey) or [H,W,C], C in 1, 3, 4, in 0..1 (see read_png), under a title: a panel for panels().
/// Wider or higher than `size` pixels it never is. Errors as encode_png.
std::string image_panel(const Tensor& pixels, const std::string& title = {}, int size = 160);

/// Several pictures (of line_chart, heat_map, image_panel or panels) in one, `columns` beside each other, row
/// by row; as a whole SVG file. Throws ShapeError when one of them is no such picture, and for columns
/// below 1.
std::string panels(std::span<const std::string> pictures, int columns = 2, const std::string& title = {});

}  // namespace spool
