// A series of numbers cut into windows, to forecast the end of each from its beginning. Parts to train,
// validate and test on follow each other in time.
#pragma once

#include <spool/graph/tensor.hpp>

#include <span>
#include <string>
#include <vector>

namespace spool {

struct SeriesWindowOptions {
  std::size_t seen = 0, ahead = 0;  ///< steps of a window: those that are read, and those to forecast
  bool logs = false;  ///< take logarithms first, for a series that grows by a share of what it is
};

/// All windows of a series, each named by the position of its first step. What a model gets are differences
/// to the last step seen, divided by `unit`, the root mean square of differences over `ahead` steps in the
/// training part. Three fifths of the series train, a fifth validates, and the last fifth tests; a window
/// belongs to the part that holds all of its steps ahead, so that nothing of a later part is learnt from.
struct SeriesWindows {
  using Starts = std::vector<std::size_t>;

  /// ShapeError unless at least one step is seen and one ahead. FileError "origin: why" when the series is
  /// too short, never changes, changes by more than can be squared, holds what is not finite, or has no
  /// logarithm.
  SeriesWindows(const std::string& origin, std::vector<double> values, const SeriesWindowOptions& options);

  /// [B,seen]: what is read of these windows.
  Tensor past(std::span<const std::size_t> starts) const { return steps(starts, 0, seen); }
  /// [B,ahead]: what is to be forecast.
  Tensor future(std::span<const std::size_t> starts) const { return steps(starts, seen, ahead); }
  /// [B,count]: `count` steps from step `begin` of each window. ShapeError for steps outside the series.
  Tensor steps(std::span<const std::size_t> starts, std::size_t begin, std::size_t count) const;
  /// The value in the series' own units that stands as x in the window.
  double original(std::size_t start, double x) const;

  std::size_t seen, ahead;
  bool logs;
  std::vector<double> series;  ///< or its logarithms
  double unit = 0;
  Starts train, validation, test;
};

}  // namespace spool
