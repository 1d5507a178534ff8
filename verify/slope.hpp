// Numeric slopes: the derivative of a function of one number at 0, with an honest estimate of its own error.
// Central differences at h, h/2, h/4, ... are extrapolated to h = 0 (Richardson's table, stopped as in
// Ridders, "Accurate computation of F'(x) and F'(x)F''(x)", 1982). The difference of the two one-sided slopes
// is extrapolated alike, so that a kink at the point itself shows. Works for double and Quad.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

namespace spool::verify {

/// Extrapolates estimates at h, h/2, h/4, ... whose errors are series in h^first, h^(first+2), ...
template <class T>
class Richardson {
 public:
  explicit Richardson(int first) : first_(std::exp2(first)) {}

  /// `noise` is what rounding may have done to this estimate.
  void add(const T& estimate, double noise) {
    std::vector<T> row{estimate};
    double power = first_;
    if (last_.empty()) best_ = estimate;
    for (std::size_t j = 0; j < last_.size(); ++j, power *= 4) {
      const T better = (row[j] * T(power) - last_[j]) / T(power - 1);
      const double error = std::max({size(better - row[j]), size(better - last_[j]), noise});
      if (error <= error_) {
        best_ = better;
        error_ = error;
      }
      row.push_back(better);
    }
    last_ = std::move(row);
  }

  const T& best() const { return best_; }
  double error() const { return error_; }

 private:
  // NaN counts as infinite: std::max would drop it.
  static double size(const T& x) {
    const double d = std::abs(static_cast<double>(x));
    return std::isnan(d) ? std::numeric_limits<double>::infinity() : d;
  }

  double first_;
  std::vector<T> last_;
  T best_{};
  double error_ = std::numeric_limits<double>::infinity();
};

template <class T>
struct Slope {
  T value{};
  double error = std::numeric_limits<double>::infinity();  ///< estimated
  double jump = 0;  ///< slope to the right minus slope to the left; 0 where they meet
  double jump_error = std::numeric_limits<double>::infinity();
};

/// The slope of f at 0. Starts at each of `steps` in turn, halving eight times, until `enough(value)` bounds
/// both errors; else gives the best that was found. Points where f is not finite count as no information.
template <class T, class F, class Enough>
Slope<T> slope(F&& f, const T& f0, std::span<const double> steps, Enough&& enough) {
  const double epsilon = std::exp2(1 - std::numeric_limits<T>::digits);
  Slope<T> best;
  for (double h : steps) {
    Richardson<T> central(2), jump(1);
    for (int level = 0; level < 9; ++level, h /= 2) {
      const T up = f(T(h)), down = f(T(-h));
      const double size = std::abs(static_cast<double>(up)) + std::abs(static_cast<double>(down));
      const double noise = 2 * epsilon * size / h;
      central.add((up - down) / T(2 * h), noise);
      jump.add((up - f0 - f0 + down) / T(h), 2 * noise);
      const double bound = enough(central.best());
      if (central.error() <= bound && jump.error() <= bound) break;
    }
    if (central.error() < best.error || best.error == std::numeric_limits<double>::infinity())
      best = {central.best(), central.error(), static_cast<double>(jump.best()), jump.error()};
    const double bound = enough(best.value);
    if (best.error <= bound && best.jump_error <= bound) break;
  }
  return best;
}

}  // namespace spool::verify
