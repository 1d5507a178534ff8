#include <spool/graph/error.hpp>
#include <spool/io/file.hpp>
#include <spool/io/series_windows.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace spool {

SeriesWindows::SeriesWindows(const std::string& origin, std::vector<double> values,
                             const SeriesWindowOptions& options)
    : seen(options.seen), ahead(options.ahead), logs(options.logs), series(std::move(values)) {
  if (seen < 1 || ahead < 1)
    throw ShapeError(
        fmt::format("SeriesWindows: needs a step seen and one ahead at least, not {} and {}", seen, ahead));
  const std::size_t N = series.size(), first = N * 3 / 5, second = N * 4 / 5;
  const auto windows_of = [&](std::size_t begin, std::size_t end) {  // whose steps ahead lie in there
    Starts starts;
    for (std::size_t i = std::max(begin, seen); i < end && ahead <= end - i; ++i) starts.push_back(i - seen);
    if (starts.empty())
      fail_file(origin, fmt::format("{} rows are too few to forecast {} from {}", N, ahead, seen));
    return starts;
  };
  train = windows_of(0, first);
  validation = windows_of(first, second);
  test = windows_of(second, N);
  for (double& x : series) {
    if (!std::isfinite(x)) fail_file(origin, fmt::format("{} is not finite", x));
    if (logs && x <= 0) fail_file(origin, fmt::format("{} has no logarithm", x));
    if (logs) x = std::log(x);
  }
  double squares = 0;
  for (std::size_t i = ahead; i < first; ++i) squares += std::pow(series[i] - series[i - ahead], 2);
  if (squares == 0) fail_file(origin, "the series never changes");
  if (!std::isfinite(squares)) fail_file(origin, "the series changes by more than can be squared");
  unit = std::sqrt(squares / static_cast<double>(first - ahead));
}

Tensor SeriesWindows::steps(std::span<const std::size_t> starts, std::size_t begin, std::size_t count) const {
  for (const std::size_t start : starts)
    if (start >= series.size() || start + seen > series.size() || begin + count > series.size() - start)
      throw ShapeError(
          fmt::format("SeriesWindows: steps {} to {} of a window at {} are outside a series of {}", begin,
                      begin + count, start, series.size()));
  Tensor out({std::ssize(starts), static_cast<std::int64_t>(count)});
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t start = starts[i / count];
    out.set(i, (series[start + begin + i % count] - series[start + seen - 1]) / unit);
  }
  return out;
}

double SeriesWindows::original(std::size_t start, double x) const {
  const double value = series[start + seen - 1] + x * unit;
  return logs ? std::exp(value) : value;
}

}  // namespace spool
