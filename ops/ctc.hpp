// Connectionist temporal classification (Graves, Fernandez, Gomez and Schmidhuber, ICML 2006): the loss of a
// labelling without alignment, in log space, and best-path decoding. The loss is made of public ops, one
// recurrence over the frames for all sequences and labels at once, so it differentiates to any order.
// Not here: beam search.
#pragma once

#include <spool/graph/op.hpp>
#include <spool/graph/tape.hpp>
#include <spool/ops/loss.hpp>

#include <span>
#include <vector>

namespace spool {

struct CtcOptions {
  int blank = 0;                          ///< the class that stands for no label
  Reduction reduction = Reduction::mean;  ///< mean: each loss by its target length, then over the batch
  bool zero_infinity = false;             ///< a target that does not fit its frames costs 0, not infinity
};

/// -log p(target | frames), summed over all alignments (eq. 6 to 8 of the paper, in log space).
///
///   log_probs       [T, B, C]  log-probabilities, as log_softmax gives them
///   targets         [B, S]     whole numbers 0..C-1 without the blank; past its length a row may hold
///   anything input_lengths   [B]        frames that count, 0..T target_lengths  [B]        labels that
///   count, 0..S (0: all frames are blank)
///
/// Result: [] or, for Reduction::none, [B]. Targets and lengths are data, free to change between runs; a
/// number out of range is a TapeError then. A target that no alignment fits gives infinity and gradient 0.
/// As PyTorch's ctc_loss, but the gradient with respect to log_probs is the true one (PyTorch's assumes that
/// they come from log_softmax; with respect to the logits both agree). ShapeError for other shapes.
Var ctc_loss(Operand log_probs, Operand targets, Operand input_lengths, Operand target_lengths,
             const CtcOptions& options = {});

/// Best-path decoding (section 3.2): the likeliest class of each frame, repeats merged, blanks dropped.
/// log_probs [T, B, C] (logits serve as well); lengths default to T for all. One list of labels a sequence.
/// ShapeError for other shapes or lengths outside 0..T.
std::vector<std::vector<int>> ctc_greedy_decode(const Tensor& log_probs,
                                                std::span<const int> input_lengths = {}, int blank = 0);

}  // namespace spool
