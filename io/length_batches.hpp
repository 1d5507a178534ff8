// Batches of sequences of similar lengths, so that little is computed on padding; and the padding itself, as
// `lengths` of unroll() and of the recurrent layers want it:
//
//   const LengthBatches batches(lengths, {.size = 32, .seed = 1});
//   for (std::uint64_t n = 0; n < batches.size(); ++n) {
//     const PaddedIds words = pad(sentences, batches.at(n));
//     const Var xs = embedding(tape.tokens(words.shape, words.ids));                  // [T,B,D]
//     lstm.unroll(xs, {.lengths = tape.tokens({words.shape[1]}, words.lengths)});
//   }
#pragma once

#include <spool/graph/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace spool {

struct LengthBatchOptions {
  std::int64_t size = 32;  ///< B, sequences in a batch; the last of an epoch's may have less
  std::uint64_t seed = 0;
  bool shuffle = true;  ///< anew in each epoch; otherwise the shortest come first, always the same
};

/// In each epoch the sequences are put in random order, then sorted by their lengths (so that which ones of a
/// length come together is random), cut into batches, and the batches put in random order. The seed and the
/// number of the step decide, and nothing else: the number is all there is to save and restore.
class LengthBatches {
 public:
  /// ShapeError for no sequences, a negative length, and a size below 1.
  LengthBatches(std::vector<std::int64_t> lengths, LengthBatchOptions options);

  std::uint64_t size() const;  ///< batches in one epoch
  /// The positions of the sequences in the batch of training step 0, 1, 2, ...: epoch follows epoch without
  /// end. One thread at a time may ask, and what is given stands until another epoch is asked for.
  std::span<const std::size_t> at(std::uint64_t step) const;

 private:
  void order(std::uint64_t epoch) const;

  std::vector<std::int64_t> lengths_;
  LengthBatchOptions options_;
  // Of the epoch that was asked for last.
  mutable std::uint64_t epoch_;
  mutable std::vector<std::size_t> sequences_;
  mutable std::vector<std::size_t> begins_;  // of the batches in it, in the order of steps
};

/// The size of each sequence.
std::vector<std::int64_t> lengths_of(std::span<const std::vector<int>> sequences);
std::vector<std::int64_t> lengths_of(std::span<const std::vector<std::string>> sequences);

struct PadOptions {
  int value = 0;                 ///< what stands after a sequence's end
  std::int64_t multiple_of = 1;  ///< T is rounded up to that: fewer shapes mean fewer plans
};

/// Sequences side by side.
struct PaddedIds {
  Shape shape;               ///< [T,B], T the longest length, at least 1
  std::vector<int> ids;      ///< row-major: the first of each sequence, then the second, ...
  std::vector<int> lengths;  ///< [B]
};

/// The chosen sequences, padded at their ends. ShapeError for a position that is not there, for no positions,
/// and a multiple below 1.
PaddedIds pad(std::span<const std::vector<int>> sequences, std::span<const std::size_t> chosen,
              const PadOptions& options = {});
/// All of them.
PaddedIds pad(std::span<const std::vector<int>> sequences, const PadOptions& options = {});

struct PaddedRows {
  Tensor values;             ///< [T,B,D...]
  std::vector<int> lengths;  ///< [B]
};

/// The same for series of vectors, [T_i,D...] each. ShapeError too unless all have the same D.
PaddedRows pad(std::span<const Tensor> series, std::span<const std::size_t> chosen,
               const PadOptions& options = {});
/// All of them.
PaddedRows pad(std::span<const Tensor> series, const PadOptions& options = {});

}  // namespace spool
