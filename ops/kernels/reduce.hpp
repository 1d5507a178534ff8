// Loops over arrays whose axes are divided into kept and folded ones. Float is summed in double: a sum of a
// million floats then keeps all of float's digits, and the loops stay bound by memory. The order of additions
// depends on sizes only.
#pragma once

#include <boost/container/small_vector.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>

namespace spool::kernels {

struct Extent {
  std::int64_t size, stride;
};
using Extents = boost::container::small_vector<Extent, 8>;

/// An array's axes, neighbours of one sort merged, the fastest first. Axes of size 1 are left out.
struct Folding {
  Extents kept, folded;

  Folding(std::span<const std::int64_t> dims, std::span<const std::int64_t> axes) {
    std::int64_t stride = 1;
    const Extents* last = nullptr;
    for (std::size_t i = dims.size(); i-- > 0; stride *= dims[i]) {
      if (dims[i] == 1) continue;
      const bool is_folded = std::ranges::find(axes, static_cast<std::int64_t>(i)) != axes.end();
      Extents& sort = is_folded ? folded : kept;
      if (last == &sort)
        sort.back().size *= dims[i];
      else
        sort.push_back({dims[i], stride});
      last = &sort;
    }
  }
};

/// Calls f(offset) for every combination of indices, in row-major order.
template <class F>
void for_each_offset(std::span<const Extent> extents, F&& f) {
  std::int64_t count = 1, offset = 0;
  for (const Extent& e : extents) count *= e.size;
  std::array<std::int64_t, 8> at{};
  for (std::int64_t n = 0; n < count; ++n) {
    f(offset);
    for (std::size_t i = 0; i < extents.size(); ++i) {
      offset += extents[i].stride;
      if (++at[i] < extents[i].size) break;
      offset -= extents[i].stride * extents[i].size;
      at[i] = 0;
    }
  }
}

/// The same in runs: f(offset, size, stride) for every run along the fastest extent.
template <class F>
void for_each_run(std::span<const Extent> extents, F&& f) {
  const Extent fastest = extents.empty() ? Extent{1, 0} : extents.front();
  for_each_offset(extents.empty() ? extents : extents.subspan(1),
                  [&](std::int64_t offset) { f(offset, fastest.size, fastest.stride); });
}

template <class T>
using Wide = std::conditional_t<std::is_same_v<T, float>, double, T>;

// A fold: how it starts, takes one element, joins two partial results, and what it gives in the end.
template <class T>
struct Sum {
  using Partial = Wide<T>;
  static Partial start() { return 0; }
  static Partial take(Partial a, T x) { return a + static_cast<Partial>(x); }
  static Partial join(Partial a, Partial b) { return a + b; }
  static T finish(Partial a) { return static_cast<T>(a); }
};

template <class T>
struct Norm : Sum<T> {
  using Partial = Wide<T>;
  static Partial take(Partial a, T x) { return a + static_cast<Partial>(x) * static_cast<Partial>(x); }
  static T finish(Partial a) {
    using std::sqrt;
    return static_cast<T>(sqrt(a));
  }
};

/// NaN wins over all numbers.
template <class T>
struct Max {
  using Partial = T;
  static T start() { return -std::numeric_limits<T>::infinity(); }
  static T take(T a, T x) { return x > a || x != x ? x : a; }
  static T join(T a, T b) { return take(a, b); }
  static T finish(T a) { return a; }
};

template <class T>
struct Min {
  using Partial = T;
  static T start() { return std::numeric_limits<T>::infinity(); }
  static T take(T a, T x) { return x < a || x != x ? x : a; }
  static T join(T a, T b) { return take(a, b); }
  static T finish(T a) { return a; }
};

// Elements of one result lie side by side: eight independent chains hide the latency of an addition and let
// the compiler use vectors without reordering anything.
template <class Fold, class T>
void fold_runs(const Folding& f, const T* x, T* out) {
  constexpr std::int64_t lanes = 8;
  for_each_offset(f.kept, [&](std::int64_t base) {
    std::array<typename Fold::Partial, lanes> partial;
    partial.fill(Fold::start());
    for_each_run(f.folded, [&](std::int64_t offset, std::int64_t size, std::int64_t) {
      const T* const run = x + base + offset;
      const std::int64_t whole = size - size % lanes;
      for (std::int64_t i = 0; i < whole; i += lanes)
        for (std::int64_t j = 0; j < lanes; ++j) {
          auto& p = partial[static_cast<std::size_t>(j)];
          p = Fold::take(p, run[i + j]);
        }
      for (std::int64_t i = whole; i < size; ++i) {
        auto& p = partial[static_cast<std::size_t>(i - whole)];
        p = Fold::take(p, run[i]);
      }
    });
    for (std::size_t half = lanes / 2; half > 0; half /= 2)
      for (std::size_t j = 0; j < half; ++j) partial[j] = Fold::join(partial[j], partial[j + half]);
    *out++ = Fold::finish(partial[0]);
  });
}

// Elements of neighbouring results lie side by side: a block of results grows row by row.
template <class Fold, class T>
void fold_columns(const Folding& f, const T* x, T* out) {
  constexpr std::int64_t block = 64;
  std::array<typename Fold::Partial, block> partial;
  for_each_run(f.kept, [&](std::int64_t base, std::int64_t columns, std::int64_t) {
    for (std::int64_t first = 0; first < columns; first += block) {
      const std::int64_t width = std::min(block, columns - first);
      std::fill_n(partial.begin(), width, Fold::start());
      for_each_offset(f.folded, [&](std::int64_t offset) {
        const T* const row = x + base + offset + first;
        for (std::int64_t j = 0; j < width; ++j) {
          auto& p = partial[static_cast<std::size_t>(j)];
          p = Fold::take(p, row[j]);
        }
      });
      for (std::int64_t j = 0; j < width; ++j) *out++ = Fold::finish(partial[static_cast<std::size_t>(j)]);
    }
  });
}

/// Folds the given axes of x; out has the elements of the kept axes.
template <class Fold, class T>
void fold(std::span<const std::int64_t> dims, std::span<const std::int64_t> axes, const T* x, T* out) {
  const Folding f(dims, axes);
  const bool runs = !f.folded.empty() && (f.kept.empty() || f.folded.front().stride < f.kept.front().stride);
  runs ? fold_runs<Fold>(f, x, out) : fold_columns<Fold>(f, x, out);
}

}  // namespace spool::kernels
