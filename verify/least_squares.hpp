// Linear regression solved directly: a baseline for models of numbers.
#pragma once

#include <spool/graph/tensor.hpp>

namespace spool {

/// Ridge regression of several columns at once: the weights W [D,K], f64, that minimise the mean over rows of
/// |x W - y|^2 plus ridge |W|^2, for x [N,D] and y [N,K]; from (x'x / N + ridge I) W = x'y / N. ShapeError
/// where the rows differ in number or there are none, for other ranks, and for a ridge that is not above 0;
/// TapeError where columns of x depend on each other and the ridge is lost in rounding.
Tensor least_squares(const Tensor& x, const Tensor& y, double ridge);

}  // namespace spool
