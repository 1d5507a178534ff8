// Sums, norms and extremes of rows and of columns, in vectors. Like the loops in reduce.hpp, of which they
// are the quick form for the common shapes: float is summed in double, NaN wins over all numbers, and the
// order of additions depends on sizes only.
#pragma once

#include <spool/ops/kernels/reduce.hpp>

#include <cstdint>

namespace spool::kernels {

enum class FoldOp : std::uint8_t { sum, norm, max, min };

template <class T>
struct FoldKernels {
  /// out[i * out_stride] = fold of x[i * stride], ..., x[i * stride + size - 1]
  void (*rows)(const T* x, std::int64_t rows, std::int64_t size, std::int64_t stride, T* out,
               std::int64_t out_stride);
  /// out[j] = fold of x[j], x[j + columns], ..., x[j + (rows - 1) * columns]
  void (*columns)(const T* x, std::int64_t rows, std::int64_t columns, T* out);
};

/// For the instructions that this processor has.
template <class T>
FoldKernels<T> fold_kernels(FoldOp op);

/// What fold() of reduce.hpp does.
template <FoldOp op, class Fold, class T>
void fold_quickly(std::span<const std::int64_t> dims, std::span<const std::int64_t> axes, const T* x,
                  T* out) {
  static const FoldKernels<T> kernels = fold_kernels<T>(op);
  const Folding f(dims, axes);
  if (f.folded.size() == 1 && f.folded[0].stride == 1 && f.kept.size() <= 1)
    return kernels.rows(x, f.kept.empty() ? 1 : f.kept[0].size, f.folded[0].size, f.folded[0].size, out, 1);
  if (f.folded.size() == 1 && !f.kept.empty() && f.kept[0].stride == 1 && f.kept.size() <= 2) {
    const Extent outer = f.kept.size() == 2 ? f.kept[1] : Extent{1, 0};
    for (std::int64_t o = 0; o < outer.size; ++o)
      kernels.columns(x + o * outer.stride, f.folded[0].size, f.kept[0].size, out + o * f.kept[0].size);
    return;
  }
  fold<Fold>(dims, axes, x, out);
}

/// The same of a planned run's tile (graph/op.hpp): of each row.
template <FoldOp op, class Fold, class Tile>
void fold_tile(const Tile& t) {
  using T = std::remove_reference_t<decltype(*t.out)>;
  static const FoldKernels<T> kernels = fold_kernels<T>(op);
  const auto& x = *t.in[0];
  if (x.step == 1) return kernels.rows(x.data, t.rows, t.cols, x.stride, t.out, t.out_stride);
  for (std::int64_t r = 0; r < t.rows; ++r) {  // one element throughout the row
    typename Fold::Partial partial = Fold::start();
    for (std::int64_t i = 0; i < t.cols; ++i) partial = Fold::take(partial, x.data[r * x.stride]);
    t.out[r * t.out_stride] = Fold::finish(partial);
  }
}

}  // namespace spool::kernels
