// Clipping: keeps gradients from being too large, element by element or by the norm of all of them together.
// Works on gradients in host memory; an Optimizer does this by itself when it has been given a Clip.
#pragma once

#include <spool/graph/tensor.hpp>

#include <limits>
#include <span>

namespace spool {

/// What an optimiser clips before it updates: first elements, then the norm. By default nothing.
struct Clip {
  static constexpr double none = std::numeric_limits<double>::infinity();
  double value = none;     ///< each element into [-value, value]
  double max_norm = none;  ///< then all gradients scaled so that their norm is at most this
  double norm_type = 2;    ///< p of that norm; infinity for the largest absolute value
};

/// Throws TapeError unless value and max_norm are at least 0 and norm_type is above 0.
void check(const Clip& clip);

/// The p-norm of all elements of all gradients as one vector. Right as long as the result fits into a double,
/// however large or small the elements are.
double grad_norm(std::span<const Tensor> grads, double norm_type = 2);
/// The same of tensors that lie anywhere; null pointers are left out.
double grad_norm(std::span<const Tensor* const> grads, double norm_type = 2);

/// Scales all gradients by max_norm / (norm + 1e-6) where that is below 1 (Pascanu et al. 2013, algorithm 1).
/// Returns the norm from before. Gradients whose norm is not finite are left as they are.
double clip_grad_norm(std::span<Tensor> grads, double max_norm, double norm_type = 2);

/// Moves each element into [-value, value]. NaN stays NaN.
void clip_grad_value(std::span<Tensor> grads, double value);

}  // namespace spool
