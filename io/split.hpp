// Splits: which examples to train on, to validate on and to test on, decided by a seed alone, so that every
// run and every machine holds out the same ones. (A text is cut in consecutive parts: split_text in
// text_batches.hpp; a time series too, or its future leaks into its past.)
//
// An example that stands twice in a set may come into two parts, and so may two that tell of each other, such
// as sentences with one translation: drop repeats first, or use grouped_split.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace spool {

/// Positions in a set, in random order within each part.
struct Split {
  std::vector<std::size_t> train, validation, test;
};

struct SplitFractions {
  double train = 0.8, validation = 0.1, test = 0.1;
};

/// Each example in one part. Parts end at floor(count * train) and floor(count * (train + validation)).
/// ShapeError unless the fractions are not negative and add up to 1, and when a part whose fraction is above
/// 0 comes out empty.
Split random_split(std::size_t count, const SplitFractions& fractions, std::uint64_t seed);

/// The same within each class, so that all parts have its share of it; a class of few examples may miss in a
/// part. Classes are whole numbers, one for each example. Errors as above.
Split stratified_split(std::span<const int> classes, const SplitFractions& fractions, std::uint64_t seed);

/// All examples of a group in one part, as in scikit-learn's GroupShuffleSplit, but the fractions are of the
/// examples: parts come as close to the sizes of random_split as whole groups in random order allow. Groups
/// are whole numbers, one for each example. Errors as above.
Split grouped_split(std::span<const int> groups, const SplitFractions& fractions, std::uint64_t seed);

/// Groups for grouped_split: examples that share a key, directly or through others, get one number. They are
/// counted from 0 by their first examples. An example without keys is alone.
std::vector<int> linked_groups(std::span<const std::vector<std::string>> keys);

namespace detail {

/// ShapeError unless the fractions are not negative and add up to 1.
void check_fractions(const SplitFractions& fractions);

/// Where the training and the validation part of `count` things end, as random_split has it.
struct PartEnds {
  std::size_t train, validation;
};
PartEnds part_ends(const SplitFractions& fractions, std::size_t count);

/// ShapeError when a part whose fraction is above 0 is empty. `sizes` are those of the three parts, `whole`
/// and `remedy` complete the message: "... part of {whole}: use {remedy} or other fractions".
void check_parts(const SplitFractions& fractions, const std::array<std::size_t, 3>& sizes,
                 const std::string& whole, const char* remedy);

}  // namespace detail

}  // namespace spool
