// Losses: what training makes small. Formulas and option names are PyTorch's, with two differences: classes
// are the LAST axis (a caller with PyTorch's [N, C, d...] permutes first), and a mean over nothing is 0, not
// NaN, so that a batch whose targets are all ignored leaves the weights alone. All are made of public ops.
#pragma once

#include <spool/graph/op.hpp>
#include <spool/graph/tape.hpp>

#include <optional>

namespace spool {

/// How the losses of single elements become one number.
enum class Reduction {
  none,       ///< they don't: the result keeps the shape
  sum,        ///< their sum
  mean,       ///< the sum divided by the number of elements
  batch_mean  ///< the sum divided by the size of the first axis
};

/// As said above; a mean over nothing is 0.
Var reduced(Operand losses, Reduction reduction);

/// A target that counts for nothing, unless the options name another: for padding, and for what has no class.
inline constexpr int ignore_index = -100;

struct NllOptions {
  std::optional<Var> weight = {};                   ///< [V], one for each class; without it all 1
  std::int64_t ignore_index = spool::ignore_index;  ///< elements with this target count for nothing
  Reduction reduction = Reduction::mean;  ///< mean divides by the sum of the counted elements' weights
};

struct CrossEntropyOptions {
  std::optional<Var> weight = {};
  std::int64_t ignore_index = spool::ignore_index;
  double label_smoothing = 0;  ///< 0..1: this share of each target is spread evenly over all classes
  Reduction reduction = Reduction::mean;
};

/// -log p of each target class: logits [..., V], targets [...] whole numbers 0..V-1 or ignore_index -> [] (or
/// [...] for Reduction::none). Logits may be -inf for classes that are masked out; a target there costs
/// infinity. A target out of range is a TapeError when the tape runs, since targets are data. ShapeError when
/// the shapes do not fit, TapeError for a smoothing outside 0..1.
/// Smoothing: Szegedy et al. 2016, section 7, with weights as in PyTorch's cross_entropy.
Var cross_entropy(Operand logits, Operand targets, const CrossEntropyOptions& options = {});

/// The same for log-probabilities [..., V]: -weight[target] * log_probs[target].
Var nll_loss(Operand log_probs, Operand targets, const NllOptions& options = {});

// For the losses below both operands have one shape; ShapeError otherwise, since a broadcast here is nearly
// always a mistake. A number may stand for the target.

/// (x - target)^2
Var mse_loss(Operand x, Operand target, Reduction reduction = Reduction::mean);
/// |x - target|; the gradient at 0 is 0.
Var l1_loss(Operand x, Operand target, Reduction reduction = Reduction::mean);

struct HuberOptions {
  double delta = 1;  ///< where the parabola becomes a line; > 0
  Reduction reduction = Reduction::mean;
};
/// d^2 / 2 for |d| <= delta, else delta (|d| - delta / 2), with d = x - target (Huber 1964).
Var huber_loss(Operand x, Operand target, const HuberOptions& options = {});

struct SmoothL1Options {
  double beta = 1;  ///< >= 0; 0 gives l1_loss
  Reduction reduction = Reduction::mean;
};
/// huber_loss with delta = beta, divided by beta (Girshick 2015).
Var smooth_l1_loss(Operand x, Operand target, const SmoothL1Options& options = {});

struct BceOptions {
  std::optional<Var> weight = {};  ///< of the elements; broadcasts to x
  Reduction reduction = Reduction::mean;
};
/// -(target log x + (1 - target) log(1 - x)) of probabilities x. As PyTorch, logarithms stop at -100 and the
/// gradient's denominator x (1 - x) at 1e-12. A probability outside 0..1 is a TapeError when the tape runs.
Var binary_cross_entropy(Operand x, Operand target, const BceOptions& options = {});

struct BceWithLogitsOptions {
  std::optional<Var> weight = {};      ///< of the elements; broadcasts to x
  std::optional<Var> pos_weight = {};  ///< of the positive term; broadcasts to x
  Reduction reduction = Reduction::mean;
};
/// binary_cross_entropy of sigmoid(x), accurate for logits of any size.
Var bce_with_logits(Operand x, Operand target, const BceWithLogitsOptions& options = {});

struct KlDivOptions {
  bool log_target = false;  ///< the target holds log p instead of p
  Reduction reduction = Reduction::mean;
};
/// p (log p - x) for log-probabilities x and a target p; 0 (with gradient 0) where p is 0. The divergence of
/// whole distributions is the batch_mean of rows; mean divides by the elements, as PyTorch's does.
Var kl_div(Operand x, Operand target, const KlDivOptions& options = {});

}  // namespace spool
