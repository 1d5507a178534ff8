#include <spool/graph/error.hpp>
#include <spool/io/text_batches.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace spool {

TextSplit split_text(std::span<const int> ids, double train, double validation, double test) {
  const bool negative = !(train >= 0 && validation >= 0 && test >= 0);
  if (negative || std::abs(train + validation + test - 1) > 1e-6)
    throw ShapeError(
        fmt::format("a split of {}, {}, {}: the fractions must not be negative and must add up to 1", train,
                    validation, test));
  // The small term is there because sums such as 0.7 + 0.1 come out just below the number they stand for.
  const auto cut = [&](double fraction) {
    const double position = fraction * static_cast<double>(ids.size());
    return std::min(static_cast<std::size_t>(position + 1e-9 * (position + 1)), ids.size());
  };
  const std::size_t a = cut(train), b = test > 0 ? cut(train + validation) : ids.size();
  const TextSplit out{ids.first(a), ids.subspan(a, b - a), ids.subspan(b)};
  const auto check = [&](const char* name, std::span<const int> part, double fraction) {
    if (fraction > 0 && part.empty())
      throw ShapeError(
          fmt::format("a split of {}, {}, {} leaves no {} part of a text of {} symbols: use a longer "
                      "text or other fractions",
                      train, validation, test, name, ids.size()));
  };
  check("training", out.train, train);
  check("validation", out.validation, validation);
  check("test", out.test, test);
  return out;
}

TextBatches::TextBatches(std::span<const int> ids, TextBatchOptions options) : options_(options) {
  const std::int64_t length = static_cast<std::int64_t>(ids.size()), b = options.streams, t = options.steps;
  if (b < 1 || t < 1) throw ShapeError(fmt::format("{} streams of {} steps: both must be positive", b, t));
  if ((length - 1) / b < t)
    throw ShapeError(
        fmt::format("a text of {} symbols is too short for {} streams of {} steps: use fewer streams, "
                    "fewer steps or a longer text",
                    length, b, t));
  const std::int64_t windows = (length - 1) / b / t, stride = (length - 1) / b;
  windows_ = static_cast<std::uint64_t>(windows);
  rows_.reserve(static_cast<std::size_t>((windows * t + 1) * b));
  for (std::int64_t step = 0; step <= windows * t; ++step)
    for (std::int64_t stream = 0; stream < b; ++stream)
      rows_.push_back(ids[static_cast<std::size_t>(stream * stride + step)]);
}

TextBatch TextBatches::at(std::uint64_t step) const {
  const auto row = static_cast<std::size_t>(options_.streams);
  const std::size_t count = static_cast<std::size_t>(options_.steps) * row;
  const std::uint64_t window = step % windows_;
  const std::span<const int> from = std::span(rows_).subspan(window * count);
  return {{options_.steps, options_.streams}, from.first(count), from.subspan(row, count), window == 0};
}

}  // namespace spool
