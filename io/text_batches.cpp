#include <spool/graph/error.hpp>
#include <spool/io/split.hpp>
#include <spool/io/text_batches.hpp>

#include <fmt/format.h>

namespace spool {

TextSplit split_text(std::span<const int> ids, double train, double validation, double test) {
  const SplitFractions fractions{.train = train, .validation = validation, .test = test};
  detail::check_fractions(fractions);
  const auto [a, b] = detail::part_ends(fractions, ids.size());
  detail::check_parts(fractions, {a, b - a, ids.size() - b}, fmt::format("a text of {} symbols", ids.size()),
                      "a longer text");
  return {ids.first(a), ids.subspan(a, b - a), ids.subspan(b)};
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
