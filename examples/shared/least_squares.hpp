// Linear regression of several columns at once, for baselines. It is no part of the library.
#pragma once

#include <spool/spool.hpp>

namespace examples {

/// W [D,K], f64, that makes the mean over rows of |x W - y|^2, plus ridge |W|^2, least: x [N,D], y [N,K].
/// Solved directly, from (x'x / N + ridge) W = x'y / N. ShapeError where the rows differ, and for a ridge
/// that is not above 0.
spool::Tensor least_squares(const spool::Tensor& x, const spool::Tensor& y, double ridge);

}  // namespace examples
