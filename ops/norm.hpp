// Normalisation, composed of reductions and element-wise ops. Scale (weight) and shift (bias) may be left
// out.
#pragma once

#include <spool/graph/op.hpp>
#include <spool/graph/tape.hpp>

namespace spool {

/// (x - mean) / sqrt(variance + eps) * weight + bias over the last `axes` axes, weight and bias being of
/// their shape (Ba, Kiros, Hinton 2016). ShapeError when the axes do not exist or shapes differ.
Var layer_norm(Operand x, int axes = 1, Operand weight = 1, Operand bias = 0, double eps = 1e-5);

/// x [B, C, ...] normalised with the mean and variance of each group of C / groups channels of an example,
/// over all other axes, times weight [C] plus bias [C] (Wu, He 2018). ShapeError for a rank below 2, groups
/// that do not divide C, and weights of another shape.
Var group_norm(Operand x, std::int64_t groups, Operand weight = 1, Operand bias = 0, double eps = 1e-5);

/// Statistics of a batch: each of shape [C].
struct BatchStatistics {
  Var mean;
  Var variance;  ///< unbiased, as running averages want it
};

struct BatchNormed {
  Var y;
  BatchStatistics batch;
};

/// For training: x [B, C, ...] normalised with the mean and (biased) variance of each channel over all other
/// axes, times weight [C] plus bias [C] (Ioffe, Szegedy 2015). ShapeError for a rank below 2, weights of
/// another shape, or fewer than two elements in a channel.
BatchNormed batch_norm(Operand x, Operand weight = 1, Operand bias = 0, double eps = 1e-5);
/// For use: with given statistics, such as running averages of those above.
Var batch_norm(Operand x, const BatchStatistics& statistics, Operand weight = 1, Operand bias = 0,
               double eps = 1e-5);

}  // namespace spool
