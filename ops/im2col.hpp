// Sliding windows: im2col lays out what each window of an image sees, col2im adds it back. Both are linear
// and each is the other's gradient, so whatever is built of them (convolution, pooling) has gradients of any
// order. Any number of spatial axes from one to three.
#pragma once

#include <spool/graph/op.hpp>
#include <spool/graph/tape.hpp>

#include <initializer_list>
#include <span>
#include <string>

namespace spool {

/// Windows along one axis: `kernel` taps that are `dilation` apart, the windows `stride` apart, over an axis
/// with `padding` on both sides.
struct Window {
  std::int64_t kernel = 1, stride = 1, padding = 0, dilation = 1;

  std::int64_t span() const { return dilation * (kernel - 1) + 1; }  ///< From the first tap to the last.
  /// How many windows there are along an axis of this size: floor((size + 2 padding - span) / stride) + 1.
  std::int64_t count(std::int64_t size) const { return (size + 2 * padding - span()) / stride + 1; }
};

/// Why these windows do not fit the spatial axes of an image [B, C, sizes...]; empty when they do.
std::string window_mistake(const Shape& image, std::span<const Window> windows);

/// [B, C, sizes...] -> [C, kernels..., B, counts...]: element [c, k.., b, l..] is x[b, c, l * stride -
/// padding
/// + k * dilation ..], or `fill` where that lies outside. (As torch.nn.functional.unfold, with the axes in
/// the order in which a product with a weight [O, C * kernels...] takes them all at once.) ShapeError for
/// windows that do not fit.
Var im2col(Operand x, std::span<const Window> windows, double fill = 0);
Var im2col(Operand x, std::initializer_list<Window> windows, double fill = 0);

/// The adjoint of im2col: [C, kernels..., B, counts...] -> [B, C, sizes...]; elements that come from the same
/// place are added, in a fixed order. ShapeError when x is not what im2col makes of such an image.
Var col2im(Operand x, std::span<const std::int64_t> sizes, std::span<const Window> windows);
Var col2im(Operand x, std::initializer_list<std::int64_t> sizes, std::initializer_list<Window> windows);

}  // namespace spool
