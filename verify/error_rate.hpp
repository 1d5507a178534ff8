// Error rates of recognised or generated sequences, by edit distance: word, label, phoneme and character
// error rates differ only in what a symbol is.
#pragma once

#include <cstdint>
#include <functional>
#include <ranges>

namespace spool {

/// The fewest edits that turn a reference into a hypothesis (Levenshtein 1966). Where several sets of edits
/// are as few, the one with the most substitutions counts.
struct Edits {
  std::int64_t substitutions = 0, deletions = 0, insertions = 0;
  std::int64_t total() const { return substitutions + deletions + insertions; }
  friend bool operator==(const Edits&, const Edits&) = default;
};

namespace detail {
Edits count_edits(std::size_t hypothesis, std::size_t reference,
                  const std::function<bool(std::size_t, std::size_t)>& equal);
}  // namespace detail

/// Of any two random-access ranges whose elements can be compared.
template <std::ranges::random_access_range H, std::ranges::random_access_range R>
Edits count_edits(const H& hypothesis, const R& reference) {
  const auto h = std::ranges::begin(hypothesis);
  const auto r = std::ranges::begin(reference);
  return detail::count_edits(std::ranges::size(hypothesis), std::ranges::size(reference),
                             [&](std::size_t i, std::size_t j) {
                               return h[static_cast<std::ptrdiff_t>(i)] == r[static_cast<std::ptrdiff_t>(j)];
                             });
}

/// The error rate of a whole set, added up sequence by sequence.
class ErrorRate {
 public:
  template <std::ranges::random_access_range H, std::ranges::random_access_range R>
  void add(const H& hypothesis, const R& reference) {
    add(count_edits(hypothesis, reference), std::ranges::size(reference));
  }
  void add(const Edits& edits, std::size_t reference_length);

  /// All edits by all symbols of the references: not a share, since insertions can bring it above 1. 0 where
  /// there are neither; infinite where there are edits alone.
  double rate() const;
  /// The share of sequences with any error; 0 of none.
  double sequence_rate() const;
  const Edits& edits() const { return edits_; }
  std::int64_t symbols() const { return symbols_; }
  std::int64_t sequences() const { return sequences_; }

 private:
  Edits edits_;
  std::int64_t symbols_ = 0, sequences_ = 0, wrong_ = 0;
};

}  // namespace spool
