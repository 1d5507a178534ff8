#include <spool/graph/error.hpp>
#include <spool/optim/clip.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace spool {

void check(const Clip& clip) {
  const auto refuse = [](const char* what, double value, const char* rule) {
    throw TapeError(fmt::format("clip: {} is {}; it must be {}", what, value, rule));
  };
  if (!(clip.value >= 0)) refuse("value", clip.value, "at least 0");
  if (!(clip.max_norm >= 0)) refuse("max_norm", clip.max_norm, "at least 0");
  if (!(clip.norm_type > 0)) refuse("norm_type", clip.norm_type, "above 0");
}

double grad_norm(std::span<const Tensor> grads, double norm_type) {
  check({.norm_type = norm_type});
  double largest = 0;
  for (const Tensor& g : grads)
    g.visit([&](auto elements) {
      for (const auto x : elements)
        if (std::isnan(x) || std::abs(x) > largest) largest = std::abs(x);  // NaN stays
    });
  if (largest == 0 || !std::isfinite(largest) || std::isinf(norm_type)) return largest;

  // Elements are divided by the largest, so that no power overflows and not all underflow.
  double sum = 0;
  for (const Tensor& g : grads)
    g.visit([&](auto elements) {
      for (const auto x : elements) {
        const double ratio = std::abs(x) / largest;
        sum += norm_type == 2 ? ratio * ratio : std::pow(ratio, norm_type);
      }
    });
  return largest * std::pow(sum, 1 / norm_type);
}

double clip_grad_norm(std::span<Tensor> grads, double max_norm, double norm_type) {
  check({.max_norm = max_norm, .norm_type = norm_type});
  const double norm = grad_norm(grads, norm_type);
  const double scale = max_norm / (norm + 1e-6);
  if (!std::isfinite(norm) || scale >= 1) return norm;
  for (Tensor& g : grads)
    g.visit([&]<class T>(std::span<T> elements) {
      for (T& x : elements) x = static_cast<T>(x * scale);
    });
  return norm;
}

void clip_grad_value(std::span<Tensor> grads, double value) {
  check({.value = value});
  for (Tensor& g : grads)
    g.visit([&]<class T>(std::span<T> elements) {
      for (T& x : elements) x = static_cast<T>(std::clamp<double>(x, -value, value));
    });
}

}  // namespace spool
