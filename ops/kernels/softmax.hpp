// Softmax and its relatives over any axes of an array. All work relative to the largest element of a row, so
// nothing overflows. Where infinity would meet infinity: elements of +inf share the weight equally, and a row
// that is -inf throughout has no weight at all.
#pragma once

#include <spool/ops/kernels/reduce.hpp>

#include <cmath>
#include <limits>

namespace spool::kernels {

/// One row of an array: its elements, wherever they lie, and their maximum.
template <class T>
class Row {
 public:
  Row(const Folding& f, const T* x, std::int64_t base) : f_(f), x_(x), base_(base), max_(Max<T>::start()) {
    for_each([&](std::int64_t i) { max_ = Max<T>::take(max_, x[i]); });
  }

  template <class F>
  void for_each(F&& use) const {
    for_each_run(f_.folded, [&](std::int64_t offset, std::int64_t size, std::int64_t stride) {
      for (std::int64_t i = 0; i < size; ++i) use(base_ + offset + i * stride);
    });
  }

  T max() const { return max_; }
  bool weightless() const { return max_ == -std::numeric_limits<T>::infinity(); }
  /// Element i less the maximum; 0 where both are the same infinity.
  T below_max(std::int64_t i) const { return x_[i] == max_ ? T(0) : x_[i] - max_; }

  T weight(std::int64_t i) const {
    using std::exp;
    return exp(below_max(i));
  }

  /// The log of the sum of all weights. Those of the maximum are 1 and are counted, so that the digits of a
  /// sum barely above 1 are not lost: they are all there is in the log of a near certain probability.
  T log_sum() const {
    using std::log1p;
    Wide<T> above_one = -1;
    Wide<T> others = 0;
    for_each([&](std::int64_t i) {
      if (x_[i] == max_)
        above_one += 1;
      else
        others += static_cast<Wide<T>>(weight(i));
    });
    return static_cast<T>(log1p(above_one + others));
  }

 private:
  const Folding& f_;
  const T* x_;
  std::int64_t base_;
  T max_;
};

template <class T, class F>
void for_each_row(const Folding& f, const T* x, F&& use) {
  for_each_offset(f.kept, [&](std::int64_t base) { use(Row<T>(f, x, base)); });
}

template <class T>
void softmax(const Folding& f, const T* x, T* out) {
  for_each_row(f, x, [&](const Row<T>& row) {
    Wide<T> sum = 0;
    row.for_each([&](std::int64_t i) {
      out[i] = row.weight(i);
      sum += static_cast<Wide<T>>(out[i]);
    });
    const T scale = row.weightless() ? T(0) : static_cast<T>(1 / sum);
    row.for_each([&](std::int64_t i) { out[i] *= scale; });
  });
}

template <class T>
void log_softmax(const Folding& f, const T* x, T* out) {
  for_each_row(f, x, [&](const Row<T>& row) {
    const T log_sum = row.weightless() ? std::numeric_limits<T>::infinity() : row.log_sum();
    row.for_each([&](std::int64_t i) { out[i] = row.below_max(i) - log_sum; });
  });
}

template <class T>
void logsumexp(const Folding& f, const T* x, T* out) {
  for_each_row(f, x, [&](const Row<T>& row) { *out++ = row.max() + row.log_sum(); });
}

}  // namespace spool::kernels
