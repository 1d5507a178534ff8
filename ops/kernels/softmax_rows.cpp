#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "spool/ops/kernels/softmax_rows.cpp"
#include <spool/ops/kernels/simd.hpp>
#include <spool/ops/kernels/softmax_rows.hpp>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <spool/ops/kernels/vector_math.hpp>

#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace spool::kernels {
namespace HWY_NAMESPACE {
namespace {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
using Int = std::int64_t;
constexpr D d;

/// A sum of floats in double.
class WideSum {
 public:
  HWY_INLINE WideSum() : low_(hn::Zero(wide_)), high_(low_) {}
  HWY_INLINE void add(V v) {
#if HWY_TARGET == HWY_SCALAR
    low_ = hn::Add(low_, hn::PromoteTo(wide_, v));
#else
    const hn::Half<D> half;
    low_ = hn::Add(low_, hn::PromoteTo(wide_, hn::LowerHalf(half, v)));
    high_ = hn::Add(high_, hn::PromoteTo(wide_, hn::UpperHalf(half, v)));
#endif
  }
  HWY_INLINE double value() const { return hn::GetLane(hn::SumOfLanes(wide_, hn::Add(low_, high_))); }

 private:
  static constexpr hn::ScalableTag<double> wide_{};
  hn::Vec<hn::ScalableTag<double>> low_, high_;
};

// --- one row: past its end lies -infinity, which has no weight

HWY_INLINE Int lanes() { return static_cast<Int>(hn::Lanes(d)); }

HWY_INLINE V load(const float* x, Int i, Int size) {
  if (i + lanes() <= size) return hn::LoadU(d, x + i);
  const auto rest = static_cast<std::size_t>(size - i);
  return hn::IfThenElse(hn::FirstN(d, rest), load_first(d, x + i, rest), hn::Set(d, -vec::infinity));
}

HWY_INLINE void store(V v, float* x, Int i, Int size) {
  if (i + lanes() <= size)
    hn::StoreU(v, d, x + i);
  else
    store_first(d, v, x + i, static_cast<std::size_t>(size - i));
}

/// Not NaN for sure where the row has one, but then the sum of the weights is.
HWY_INLINE float largest(const float* x, Int size) {
  V a = hn::Set(d, -vec::infinity), b = a;
  Int i = 0;
  for (; i + 2 * lanes() <= size; i += 2 * lanes()) {
    a = hn::Max(a, hn::LoadU(d, x + i));
    b = hn::Max(b, hn::LoadU(d, x + i + lanes()));
  }
  for (; i < size; i += lanes()) a = hn::Max(a, load(x, i, size));
  return hn::GetLane(hn::MaxOfLanes(d, hn::Max(a, b)));
}

/// Elements less the maximum; 0 where both are the same infinity.
HWY_INLINE V below(V max, V v) { return hn::IfThenElse(hn::Eq(v, max), hn::Zero(d), hn::Sub(v, max)); }

/// A row that is -infinity throughout has no weight.
HWY_INLINE bool weightless(float max, double sum) { return max == -vec::infinity && !std::isnan(sum); }

/// The log of the sum of all weights, of which those of 1 are counted, as in softmax.hpp.
HWY_INLINE float log_sum(const float* x, Int size, float max) {
  const V m = hn::Set(d, max);
  WideSum others;
  V ones = hn::Zero(d);
  for (Int i = 0; i < size; i += lanes()) {
    const V y = below(m, load(x, i, size));
    const auto is_max = hn::Eq(y, hn::Zero(d));
    ones = hn::Add(ones, hn::IfThenElseZero(is_max, hn::Set(d, 1.0f)));
    others.add(hn::IfThenZeroElse(is_max, vec::exp_not_above_one(d, y)));
  }
  const double above_one = static_cast<double>(hn::GetLane(hn::SumOfLanes(d, ones))) - 1 + others.value();
  return weightless(max, above_one) ? vec::infinity : static_cast<float>(std::log1p(above_one));
}

// --- all rows

void softmax(const float* x, Int rows, Int size, float* out) {
  for (Int r = 0; r < rows; ++r, x += size, out += size) {
    const float max = largest(x, size);
    const V m = hn::Set(d, max);
    WideSum sum;
    for (Int i = 0; i < size; i += lanes()) {
      const V e = vec::exp_not_above_one(d, below(m, load(x, i, size)));
      store(e, out, i, size);
      sum.add(e);
    }
    const double total = sum.value();
    const V scale = hn::Set(d, weightless(max, total) ? 0.0f : static_cast<float>(1 / total));
    for (Int i = 0; i < size; i += lanes()) store(hn::Mul(load(out, i, size), scale), out, i, size);
  }
}

void log_softmax(const float* x, Int rows, Int size, float* out) {
  for (Int r = 0; r < rows; ++r, x += size, out += size) {
    const float max = largest(x, size);
    const V m = hn::Set(d, max), log = hn::Set(d, log_sum(x, size, max));
    for (Int i = 0; i < size; i += lanes()) store(hn::Sub(below(m, load(x, i, size)), log), out, i, size);
  }
}

void logsumexp(const float* x, Int rows, Int size, float* out) {
  for (Int r = 0; r < rows; ++r, x += size) {
    const float max = largest(x, size), sum = log_sum(x, size, max);
    out[r] = max == -vec::infinity ? (std::isnan(sum) ? sum : max) : max + sum;
  }
}

SoftmaxKernels kernels_of() { return {softmax, log_softmax, logsumexp}; }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace spool::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace spool::kernels {

HWY_EXPORT(kernels_of);

SoftmaxKernels softmax_kernels() { return HWY_DYNAMIC_DISPATCH(kernels_of)(); }

}  // namespace spool::kernels
#endif
