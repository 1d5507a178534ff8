// A text as batches for a language model: it is cut into B parts of equal length, read side by side in
// windows of T steps, each symbol with the one that follows it as target. A model carries its state from
// window to window, so that it reads B parts of the text from their beginning to their end.
#pragma once

#include <spool/graph/shape.hpp>

#include <array>
#include <span>
#include <vector>

namespace spool {

/// Three consecutive parts of a text.
struct TextSplit {
  std::span<const int> train, validation, test;
};

/// Cuts at floor(n * train) and floor(n * (train + validation)). Throws ShapeError unless the fractions are
/// not negative and add up to 1, and when a part whose fraction is above 0 comes out empty.
TextSplit split_text(std::span<const int> ids, double train, double validation, double test);

struct TextBatchOptions {
  std::int64_t streams = 50;  ///< B, the parts read side by side
  std::int64_t steps = 50;    ///< T, the length of a window
};

/// One window. The spans point into the TextBatches that gave it.
struct TextBatch {
  Shape shape;             ///< [T,B]
  std::span<const int> x;  ///< row-major: all streams of the first step, then of the second, ...
  std::span<const int> y;  ///< the symbols that follow those of x
  bool first;              ///< the streams begin here: start from the zero state
};

class TextBatches {
 public:
  /// Throws ShapeError when the text is too short for one window, or a size is not positive. A rest too short
  /// for a further window is left out.
  TextBatches(std::span<const int> ids, TextBatchOptions options);

  std::uint64_t size() const { return windows_; }  ///< windows in one epoch
  /// The batch of training step 0, 1, 2, ...: epoch follows epoch without end. So the number of the step is
  /// all there is to save and restore.
  TextBatch at(std::uint64_t step) const;

 private:
  TextBatchOptions options_;
  std::uint64_t windows_;
  std::vector<int> rows_;  // row t holds symbol t of every stream; one row more than there are inputs
};

}  // namespace spool
