#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "spool/ops/kernels/fold.cpp"
#include <spool/ops/kernels/fold.hpp>
#include <spool/ops/kernels/simd.hpp>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <spool/ops/kernels/vector_math.hpp>

HWY_BEFORE_NAMESPACE();
namespace spool::kernels {
namespace HWY_NAMESPACE {
namespace {

// --- folds: what Sum, Norm, Max and Min of reduce.hpp are, for vectors of partial results

template <class T>
struct SumOf : Sum<T> {
  template <class V>
  static HWY_INLINE V take(V partial, V x) {
    return hn::Add(partial, x);
  }
  template <class V>
  static HWY_INLINE V join(V a, V b) {
    return hn::Add(a, b);
  }
  template <class D, class V>
  static HWY_INLINE Wide<T> all(D d, V v) {
    return hn::GetLane(hn::SumOfLanes(d, v));
  }
};

template <class T>
struct NormOf : SumOf<T> {
  using SumOf<T>::join, SumOf<T>::all;
  template <class V>
  static HWY_INLINE V take(V partial, V x) {
    return hn::MulAdd(x, x, partial);
  }
  static T finish(Wide<T> sum) { return Norm<T>::finish(sum); }
};

template <class T, bool largest>
struct ExtremeOf : std::conditional_t<largest, Max<T>, Min<T>> {
  using Base = std::conditional_t<largest, Max<T>, Min<T>>;
  template <class V>
  static HWY_INLINE V take(V partial, V x) {
    return hn::IfThenElse(hn::Or(largest ? hn::Gt(x, partial) : hn::Lt(x, partial), hn::IsNaN(x)), x,
                          partial);
  }
  template <class V>
  static HWY_INLINE V join(V a, V b) {
    return take(a, b);
  }
  template <class D, class V>
  static HWY_INLINE T all(D d, V v) {
    if (!hn::AllFalse(d, hn::IsNaN(v))) return std::numeric_limits<T>::quiet_NaN();
    return hn::GetLane(largest ? hn::MaxOfLanes(d, v) : hn::MinOfLanes(d, v));
  }
};

// --- loops

/// Loads elements as the partial results' type.
template <class D, class T>
HWY_INLINE hn::Vec<D> load_wide(D d, const T* from) {
  if constexpr (sizeof(T) == sizeof(hn::TFromD<D>))
    return hn::LoadU(d, from);
  else
    return hn::PromoteTo(d, hn::LoadU(hn::Rebind<T, D>(), from));
}

/// The first n, and then what changes no fold.
template <class D, class T>
HWY_INLINE hn::Vec<D> load_wide_first(D d, const T* from, std::size_t n, hn::TFromD<D> start) {
  const hn::Rebind<T, D> narrow;
  const auto v = load_first(narrow, from, n);
  const auto used = hn::FirstN(d, n);
  if constexpr (sizeof(T) == sizeof(hn::TFromD<D>))
    return hn::IfThenElse(used, v, hn::Set(d, start));
  else
    return hn::IfThenElse(used, hn::PromoteTo(d, v), hn::Set(d, start));
}

template <class Fold, class T>
T fold_row(const T* x, std::int64_t size) {
  const hn::ScalableTag<typename Fold::Partial> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto start = hn::Set(d, Fold::start());
  auto a = start, b = start, c = start, e = start;  // four chains hide the latency of an addition
  std::int64_t i = 0;
  for (; i + 4 * lanes <= size; i += 4 * lanes) {
    a = Fold::take(a, load_wide(d, x + i));
    b = Fold::take(b, load_wide(d, x + i + lanes));
    c = Fold::take(c, load_wide(d, x + i + 2 * lanes));
    e = Fold::take(e, load_wide(d, x + i + 3 * lanes));
  }
  for (; i + lanes <= size; i += lanes) a = Fold::take(a, load_wide(d, x + i));
  if (i < size)
    b = Fold::take(b, load_wide_first(d, x + i, static_cast<std::size_t>(size - i), Fold::start()));
  return Fold::finish(Fold::all(d, Fold::join(Fold::join(a, b), Fold::join(c, e))));
}

template <class Fold, class T>
void fold_rows(const T* x, std::int64_t rows, std::int64_t size, std::int64_t stride, T* out,
               std::int64_t out_stride) {
  for (std::int64_t r = 0; r < rows; ++r) out[r * out_stride] = fold_row<Fold>(x + r * stride, size);
}

/// Adds `count` rows to the partial results of some columns, which are a whole number of vectors.
template <class Fold, class T, class P>
HWY_INLINE void take_rows(const T* x, std::int64_t count, std::int64_t stride, std::int64_t columns,
                          P* partial) {
  const hn::ScalableTag<P> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t j = 0; j < columns; j += lanes) {
    auto p = hn::Load(d, partial + j);
    const T* row = x + j;
    if (j + lanes <= columns)
      for (std::int64_t r = 0; r < count; ++r, row += stride) p = Fold::take(p, load_wide(d, row));
    else
      for (std::int64_t r = 0; r < count; ++r, row += stride)
        p = Fold::take(p, load_wide_first(d, row, static_cast<std::size_t>(columns - j), Fold::start()));
    hn::Store(p, d, partial + j);
  }
}

// Several rows at a time, so that partial results are loaded and stored less often; they stay in the first
// cache.
template <class Fold, class T>
void fold_columns(const T* x, std::int64_t rows, std::int64_t columns, T* out) {
  using P = typename Fold::Partial;
  constexpr std::int64_t block = 1024, at_once = 8;
  HWY_ALIGN P partial[block];
  for (std::int64_t first = 0; first < columns; first += block) {
    const std::int64_t width = std::min(block, columns - first);
    std::fill_n(partial,
                std::min(block, width + static_cast<std::int64_t>(hn::MaxLanes(hn::ScalableTag<P>()))),
                Fold::start());
    std::int64_t r = 0;
    for (; r + at_once <= rows; r += at_once)
      take_rows<Fold>(x + r * columns + first, at_once, columns, width, partial);
    take_rows<Fold>(x + r * columns + first, rows - r, columns, width, partial);
    for (std::int64_t j = 0; j < width; ++j) out[first + j] = Fold::finish(partial[j]);
  }
}

template <class T>
FoldKernels<T> kernels_of(FoldOp op) {
  switch (op) {
    case FoldOp::sum:
      return {fold_rows<SumOf<T>, T>, fold_columns<SumOf<T>, T>};
    case FoldOp::norm:
      return {fold_rows<NormOf<T>, T>, fold_columns<NormOf<T>, T>};
    case FoldOp::max:
      return {fold_rows<ExtremeOf<T, true>, T>, fold_columns<ExtremeOf<T, true>, T>};
    case FoldOp::min:
      return {fold_rows<ExtremeOf<T, false>, T>, fold_columns<ExtremeOf<T, false>, T>};
  }
  return {};
}

FoldKernels<float> kernels_f32(FoldOp op) { return kernels_of<float>(op); }
FoldKernels<double> kernels_f64(FoldOp op) { return kernels_of<double>(op); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace spool::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace spool::kernels {

HWY_EXPORT(kernels_f32);
HWY_EXPORT(kernels_f64);

template <>
FoldKernels<float> fold_kernels(FoldOp op) {
  return HWY_DYNAMIC_DISPATCH(kernels_f32)(op);
}
template <>
FoldKernels<double> fold_kernels(FoldOp op) {
  return HWY_DYNAMIC_DISPATCH(kernels_f64)(op);
}

}  // namespace spool::kernels
#endif
