// Convolution and pooling over one or two spatial axes, in PyTorch's layout: x [B,C,L] or [B,C,H,W]. Made of
// im2col and matrix products. What has no op here: transposed convolution, ceil_mode.
#pragma once

#include <spool/graph/op.hpp>
#include <spool/graph/tape.hpp>

namespace spool {

/// One number for both axes, or {h, w}.
struct Size2 {
  constexpr Size2(std::int64_t both) : h(both), w(both) {}  // NOLINT: .stride = 2
  constexpr Size2(std::int64_t height, std::int64_t width) : h(height), w(width) {}
  std::int64_t h, w;
};

struct Conv1dOptions {
  std::int64_t stride = 1, padding = 0, dilation = 1;
  std::int64_t groups = 1;  ///< input and output channels fall into this many parts that do not mix
};
struct Conv2dOptions {
  Size2 stride = 1, padding = 0, dilation = 1;
  std::int64_t groups = 1;
};

/// Cross-correlation: y[b,o,l] = bias[o] + sum over c, k of weight[o,c,k] x[b, c, l * stride - padding + k *
/// dilation], with zeros outside. x [B,C,L], weight [O, C/groups, K], bias [O] -> [B, O, floor((L + 2 padding
/// - dilation (K - 1) - 1) / stride) + 1]. ShapeError when sizes do not fit.
Var conv1d(Operand x, Operand weight, const Conv1dOptions& options = {});
Var conv1d(Operand x, Operand weight, Operand bias, const Conv1dOptions& options = {});
/// Likewise over two axes: x [B,C,H,W], weight [O, C/groups, KH, KW], bias [O].
Var conv2d(Operand x, Operand weight, const Conv2dOptions& options = {});
Var conv2d(Operand x, Operand weight, Operand bias, const Conv2dOptions& options = {});

struct Pool1dOptions {
  std::int64_t kernel;
  std::int64_t stride = kernel;  ///< by default windows stand side by side
  std::int64_t padding = 0, dilation = 1;
};
struct Pool2dOptions {
  Size2 kernel;
  Size2 stride = kernel;
  Size2 padding = 0, dilation = 1;
};

/// The largest element of each window; padding never wins. The gradient goes to the first of equals.
/// ShapeError when sizes do not fit, or for padding above half the kernel.
Var max_pool1d(Operand x, const Pool1dOptions& options);
Var max_pool2d(Operand x, const Pool2dOptions& options);
/// The mean of each window: padding counts as zeros, or not at all when not `count_include_pad`. ShapeError
/// as max_pool.
Var avg_pool1d(Operand x, const Pool1dOptions& options, bool count_include_pad = true);
Var avg_pool2d(Operand x, const Pool2dOptions& options, bool count_include_pad = true);

}  // namespace spool
