// A series of numbers cut into windows, to forecast the end of each from its beginning. It is no part of the
// library.
#pragma once

#include <spool/spool.hpp>

#include <span>
#include <string>
#include <vector>

namespace examples {

struct WindowOptions {
  std::size_t seen = 0, ahead = 0;  ///< steps of a window: those read, and those to forecast
  bool logs = false;                ///< of the series' logarithms: a step changes it by a share of what it is
};

/// Windows, each known by the position where it starts. Numbers are told as their difference to the last one
/// seen, in units of what such differences are like in the training part (root of the mean square of
/// differences over `ahead` steps). Parts follow each other in time, three fifths to train and a fifth each
/// to validate and to test; what lies ahead of a window is all in its part, so that nothing of a later part
/// is ever learnt from.
struct Windows {
  using Starts = std::vector<std::size_t>;

  /// FileError "origin: why" when the series is too short, or never changes, or by too much, or has no
  /// logarithm.
  Windows(const std::string& origin, std::vector<double> values, const WindowOptions& options);

  /// Steps of windows: what was seen [B,seen], what came [B,ahead], and `count` steps from any [B,count].
  spool::Tensor past(std::span<const std::size_t> starts) const { return steps(starts, 0, seen); }
  spool::Tensor future(std::span<const std::size_t> starts) const { return steps(starts, seen, ahead); }
  spool::Tensor steps(std::span<const std::size_t> starts, std::size_t begin, std::size_t count) const;
  /// A number of a window as it stands in the series.
  double original(std::size_t start, double x) const;

  std::size_t seen, ahead;
  bool logs;
  std::vector<double> series;  ///< or its logarithms
  double unit = 0;
  Starts train, validation, test;
};

}  // namespace examples
