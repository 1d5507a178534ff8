// Pictures in the size that a model wants: what read_png (png.hpp) leaves as it is.
#pragma once

#include <spool/graph/tensor.hpp>

namespace spool {

/// The picture [H,W,C], scaled to fit a square of `size` pixels and put in its middle, on white:
/// [size,size,C] f32. A new pixel is the mean of the area that it covers, so that small things do not vanish
/// as pictures shrink. ShapeError for another shape, no pixels, and a size below 1.
Tensor fit_square(const Tensor& pixels, std::int64_t size);

}  // namespace spool
