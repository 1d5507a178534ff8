#include <spool/graph/error.hpp>
#include <spool/graph/run/divide.hpp>
#include <spool/optim/clip.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

namespace spool {

void check(const Clip& clip) {
  const auto refuse = [](const char* what, double value, const char* rule) {
    throw TapeError(fmt::format("clip: {} is {}; it must be {}", what, value, rule));
  };
  if (!(clip.value >= 0)) refuse("value", clip.value, "at least 0");
  if (!(clip.max_norm >= 0)) refuse("max_norm", clip.max_norm, "at least 0");
  if (!(clip.norm_type > 0)) refuse("norm_type", clip.norm_type, "above 0");
}

namespace {

// In double the squares of floats neither overflow nor underflow. Eight chains of additions make vector code.
double sum_of_squares(std::span<const float> x) {
  constexpr std::size_t chains = 8;
  std::array<double, chains> sums{};
  std::size_t i = 0;
  for (; i + chains <= x.size(); i += chains)
    for (std::size_t j = 0; j < chains; ++j)
      sums[j] += static_cast<double>(x[i + j]) * static_cast<double>(x[i + j]);
  for (; i < x.size(); ++i) sums[i % chains] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

using Pointers = std::span<const Tensor* const>;

// Of floats: the sums of pieces, added up in their order.
double euclidean_norm(Pointers grads) {
  std::array<double, run::most_pieces> sums{};
  run::divide(
      grads.size(), [&](std::size_t i) { return grads[i] == nullptr ? 0 : grads[i]->size(); },
      [&](std::size_t piece, std::size_t i, std::size_t begin, std::size_t end) {
        sums[piece] += sum_of_squares(grads[i]->as<float>().subspan(begin, end - begin));
      });
  return std::sqrt(std::accumulate(sums.begin(), sums.end(), 0.0));
}

// Calls f with the elements of each gradient.
template <class F>
void visit_all(Pointers grads, F&& f) {
  for (const Tensor* g : grads)
    if (g != nullptr) g->visit(f);
}

// Any norm. Elements are divided by the largest, so that no power overflows and not all underflow.
double scaled_norm(Pointers grads, double norm_type) {
  double largest = 0;
  visit_all(grads, [&](auto elements) {
    for (const auto x : elements)
      if (std::isnan(x) || std::abs(x) > largest) largest = std::abs(x);  // NaN stays
  });
  if (largest == 0 || !std::isfinite(largest) || std::isinf(norm_type)) return largest;
  double sum = 0;
  visit_all(grads, [&](auto elements) {
    for (const auto x : elements) {
      const double ratio = std::abs(x) / largest;
      sum += norm_type == 2 ? ratio * ratio : std::pow(ratio, norm_type);
    }
  });
  return largest * std::pow(sum, 1 / norm_type);
}

}  // namespace

double grad_norm(Pointers grads, double norm_type) {
  check({.norm_type = norm_type});
  const bool floats =
      std::ranges::all_of(grads, [](const Tensor* g) { return g == nullptr || g->dtype() == DType::f32; });
  return norm_type == 2 && floats ? euclidean_norm(grads) : scaled_norm(grads, norm_type);
}

double grad_norm(std::span<const Tensor> grads, double norm_type) {
  std::vector<const Tensor*> pointers;
  for (const Tensor& g : grads) pointers.push_back(&g);
  return grad_norm(pointers, norm_type);
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
