#include <spool/graph/error.hpp>
#include <spool/io/length_batches.hpp>
#include <spool/ops/philox.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace spool {

namespace {

// Of the longest of the chosen, rounded up; checks what pad() is given.
template <class LengthOf>
std::int64_t padded_length(std::size_t count, std::span<const std::size_t> chosen, const PadOptions& options,
                           const LengthOf& length) {
  if (chosen.empty()) throw ShapeError("pad: no sequences are chosen");
  if (options.multiple_of < 1)
    throw ShapeError(fmt::format("pad: multiple_of is {}; it must be at least 1", options.multiple_of));
  std::int64_t longest = 1;
  for (const std::size_t i : chosen) {
    if (i >= count) throw ShapeError(fmt::format("pad: there is no sequence {} among {}", i, count));
    longest = std::max(longest, length(i));
  }
  return (longest + options.multiple_of - 1) / options.multiple_of * options.multiple_of;
}

template <class T>
std::vector<std::int64_t> sizes(std::span<const std::vector<T>> sequences) {
  std::vector<std::int64_t> lengths;
  for (const std::vector<T>& s : sequences) lengths.push_back(std::ssize(s));
  return lengths;
}

// 0, 1, 2, ...
std::vector<std::size_t> positions(std::size_t count) {
  std::vector<std::size_t> all(count);
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all;
}

}  // namespace

LengthBatches::LengthBatches(std::vector<std::int64_t> lengths, LengthBatchOptions options)
    : lengths_(std::move(lengths)), options_(options), sequences_(lengths_.size()) {
  if (options_.size < 1)
    throw ShapeError(fmt::format("LengthBatches: {} sequences in a batch; at least 1", options_.size));
  if (lengths_.empty()) throw ShapeError("LengthBatches: there are no sequences");
  for (std::size_t i = 0; i < lengths_.size(); ++i)
    if (lengths_[i] < 0)
      throw ShapeError(fmt::format("LengthBatches: sequence {} has the length {}", i, lengths_[i]));
  order(0);
}

std::uint64_t LengthBatches::size() const { return begins_.size(); }

std::span<const std::size_t> LengthBatches::at(std::uint64_t step) const {
  if (const std::uint64_t epoch = step / size(); epoch != epoch_ && options_.shuffle) order(epoch);
  const std::size_t begin = begins_[step % size()];
  const auto count = static_cast<std::size_t>(options_.size);
  return std::span(sequences_).subspan(begin, std::min(count, sequences_.size() - begin));
}

void LengthBatches::order(std::uint64_t epoch) const {
  epoch_ = epoch;
  begins_.clear();
  for (std::size_t i = 0; i < sequences_.size(); i += static_cast<std::size_t>(options_.size))
    begins_.push_back(i);
  std::iota(sequences_.begin(), sequences_.end(), std::size_t{0});
  Philox random(options_.seed, static_cast<std::uint32_t>(epoch));
  if (options_.shuffle) random.shuffle(std::span(sequences_));
  std::ranges::stable_sort(sequences_, {}, [&](std::size_t i) { return lengths_[i]; });
  if (options_.shuffle) random.shuffle(std::span(begins_));
}

std::vector<std::int64_t> lengths_of(std::span<const std::vector<int>> sequences) { return sizes(sequences); }
std::vector<std::int64_t> lengths_of(std::span<const std::vector<std::string>> sequences) {
  return sizes(sequences);
}

PaddedIds pad(std::span<const std::vector<int>> sequences, std::span<const std::size_t> chosen,
              const PadOptions& options) {
  const std::int64_t steps = padded_length(sequences.size(), chosen, options,
                                           [&](std::size_t i) { return std::ssize(sequences[i]); });
  const std::size_t batch = chosen.size();
  PaddedIds out{
      {steps, std::ssize(chosen)}, std::vector(static_cast<std::size_t>(steps) * batch, options.value), {}};
  for (std::size_t b = 0; b < batch; ++b) {
    const std::vector<int>& s = sequences[chosen[b]];
    for (std::size_t t = 0; t < s.size(); ++t) out.ids[t * batch + b] = s[t];
    out.lengths.push_back(static_cast<int>(s.size()));
  }
  return out;
}

PaddedIds pad(std::span<const std::vector<int>> sequences, const PadOptions& options) {
  return pad(sequences, positions(sequences.size()), options);
}

PaddedRows pad(std::span<const Tensor> series, std::span<const std::size_t> chosen,
               const PadOptions& options) {
  const auto length = [&](std::size_t i) {
    const Shape &shape = series[i].shape(), &first = series[chosen[0]].shape();
    if (shape.rank() < 1 || first.rank() != shape.rank() || first.with(0, shape[0]) != shape)
      throw ShapeError(
          fmt::format("pad: series {} is {}, and series {} is {}; only their first axis, time, may differ",
                      chosen[0], first.text(), i, shape.text()));
    return shape[0];
  };
  const std::int64_t steps = padded_length(series.size(), chosen, options, length);
  const Tensor& first = series[chosen[0]];
  PaddedRows out{Tensor(first.shape().with(0, steps).inserted(1, std::ssize(chosen)), first.dtype()), {}};
  const auto row = static_cast<std::size_t>(first.shape().without(0).size());
  for (std::size_t i = 0; options.value != 0 && i < out.values.size(); ++i) out.values.set(i, options.value);
  for (std::size_t b = 0; b < chosen.size(); ++b) {
    const Tensor& s = series[chosen[b]];
    for (std::size_t i = 0; i < s.size(); ++i)
      out.values.set((i / row * chosen.size() + b) * row + i % row, s.at(i));
    out.lengths.push_back(static_cast<int>(s.shape()[0]));
  }
  return out;
}

PaddedRows pad(std::span<const Tensor> series, const PadOptions& options) {
  return pad(series, positions(series.size()), options);
}

}  // namespace spool
