// Long products C = A^T B. A block of rows is taken at a time: its left part is packed in panels of some
// columns, each right part panel by panel, and all of this thread's C take the block in.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "spool/ops/kernels/packed_long.cpp"
#include <spool/ops/kernels/packed.hpp>
#include <spool/ops/kernels/simd.hpp>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <spool/ops/kernels/packed_tile.hpp>

#include <type_traits>

#ifndef SPOOL_LONG_FUNCTIONS
#define SPOOL_LONG_FUNCTIONS
namespace spool::kernels {

/// The functions that are compiled for each instruction set.
template <class T>
struct LongFunctions {
  decltype(&long_parts<T>) parts;
  decltype(&long_scratch<T>) scratch;
  decltype(&long_product<T>) product;
};

}  // namespace spool::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace spool::kernels {
namespace HWY_NAMESPACE {
namespace {

// The right panel of a block and the left lines that a tile reads fit into the first cache together.
template <class T>
constexpr Int long_k_block = 128 * 4 / static_cast<Int>(sizeof(T));
constexpr Int long_m_block = 512;
constexpr Int part_rows = 8;

/// Parts are panels of C's columns, or groups of A's columns; each thread packs the other side whole.
template <class T>
bool by_columns(Int m, Int n) {
  return n >= m;
}

template <class T>
Int long_parts(Int m, Int n) {
  if (m == 0) return 0;
  return by_columns<T>(m, n) ? (n + panel_width<T> - 1) / panel_width<T> : (m + part_rows - 1) / part_rows;
}

template <class T>
Int long_scratch(Int m) {
  const Int left = (std::min(m, long_m_block) + left_width<T> - 1) / left_width<T> * left_width<T>;
  return (left + panel_width<T>)*long_k_block<T> + 2 * line<T>;
}

/// Fills up to `width` elements: n that are copied, then zeros.
template <class T>
void copy_filled(const T* from, Int n, Int width, T* to) {
  const hn::ScalableTag<T> d;
  Int i = 0;
  for (; i + lanes<T> <= n; i += lanes<T>) hn::StoreU(hn::LoadU(d, from + i), d, to + i);
  for (; i < n; ++i) to[i] = from[i];
  for (; i < width; ++i) to[i] = T(0);
}

/// sums[i] += column i of the rows, for columns [begin, end).
template <class T>
void add_columns(const T* const* rows, Int count, Int begin, Int end, T* sums) {
  const hn::ScalableTag<T> d;
  constexpr Int width = 4 * lanes<T>;
  Int i = begin;
  for (; i + width <= end; i += width) {
    auto a = hn::LoadU(d, sums + i), b = hn::LoadU(d, sums + i + lanes<T>);
    auto e = hn::LoadU(d, sums + i + 2 * lanes<T>), f = hn::LoadU(d, sums + i + 3 * lanes<T>);
    for (Int k = 0; k < count; ++k) {
      const T* const from = rows[k] + i;
      a = hn::Add(a, hn::LoadU(d, from));
      b = hn::Add(b, hn::LoadU(d, from + lanes<T>));
      e = hn::Add(e, hn::LoadU(d, from + 2 * lanes<T>));
      f = hn::Add(f, hn::LoadU(d, from + 3 * lanes<T>));
    }
    hn::StoreU(a, d, sums + i);
    hn::StoreU(b, d, sums + i + lanes<T>);
    hn::StoreU(e, d, sums + i + 2 * lanes<T>);
    hn::StoreU(f, d, sums + i + 3 * lanes<T>);
  }
  for (Int k = 0; k < count; ++k)
    for (Int j = i; j < end; ++j) sums[j] += rows[k][j];
}

/// Columns [begin, end) of the rows, in panels of some columns. Whole rows are read, in order.
template <class T>
void gather_left(const T* const* rows, Int count, Int begin, Int end, T* to) {
  for (Int k = 0; k < count; ++k, to += left_width<T>)
    for (Int i = begin, panel = 0; i < end; i += left_width<T>, ++panel) {
      const Int columns = std::min(left_width<T>, end - i);
      copy_filled(rows[k] + i, columns, columns, to + panel * left_width<T> * count);
    }
}

template <class T>
TileFunction<T> tile_for(Int rows, Int vectors) {
  const auto i = static_cast<std::size_t>(rows - 1);
  if (vectors == panel_vectors) return tiles<T, 1, panel_vectors, true, 0>[i];
  if constexpr (panel_vectors == 4) {
    if (vectors == 2) return tiles<T, 1, 2, true, 0>[i];
    if (vectors == 3) return tiles<T, 1, 3, true, 0>[i];
  }
  return tiles<T, 1, 1, true, 0>[i];
}

template <class T>
struct Target {
  T* c;
  Int ldc;
  Int i0, i1, j0, j1;  // the part of C
};

/// Rows [i0, i1) of C's panel at column j take in a block of k rows, whose packed operands are given.
template <class T>
void multiply(const Target<T>& o, Int j, Int columns, Int k, bool begun, const T* left, const T* right) {
  const Int vectors = (columns + lanes<T> - 1) / lanes<T>;
  for (Int panel = o.i0; panel < o.i1; panel += left_width<T>, left += left_width<T> * k) {
    const Even heights(std::min(left_width<T>, o.i1 - panel), rows_for(panel_vectors));
    Int i = 0;
    for (Int piece = 0; piece < heights.pieces; ++piece) {
      const Int height = heights.size(piece);
      T* c[most_rows];
      for (Int r = 0; r < height; ++r) c[r] = o.c + (panel + i + r) * o.ldc;
      const Tile<T> t{.rows = nullptr,
                      .from = 0,
                      .left = left + i,
                      .right = right,
                      .right_step = vectors * lanes<T>,
                      .right_next = 0,
                      .k = k,
                      .add = begun ? c : nullptr,
                      .c = c,
                      .column = j};
      const auto run = tile_for<T>(height, vectors);
      if (columns == panel_width<T>)
        run(t);
      else
        edge_tile(run, t, height, columns);
      i += height;
    }
  }
}

/// C's rows [i0, i1) take in k rows of B, and of A, which lie packed in `left`; `right` is room for a panel.
template <class T>
void take_in(const T* const* b, const Target<T>& o, Int k, bool begun, const T* left, T* right) {
  for (Int j = o.j0; j < o.j1; j += panel_width<T>) {
    const Int columns = std::min(panel_width<T>, o.j1 - j);
    const Int width = (columns + lanes<T> - 1) / lanes<T> * lanes<T>;
    for (Int i = 0; i < k; ++i) copy_filled(b[i] + j, columns, width, right + i * width);
    multiply(o, j, columns, k, begun, left, right);
  }
}

/// The first address from p on that is a multiple of 64.
template <class T>
T* aligned(T* p) {
  const auto address = reinterpret_cast<std::uintptr_t>(p);
  return p + (64 - address % 64) % 64 / sizeof(T);
}

template <class T>
void long_product(const LongRows<T>& s, Int first, Int last, T* scratch) {
  const bool columns = s.rights.size() == 1 && by_columns<T>(s.m, s.rights[0].n);
  const Int unit = columns ? panel_width<T> : part_rows;
  const Int begin = first * unit, end = last * unit;
  const Int i0 = columns ? 0 : begin, i1 = columns ? s.m : std::min(end, s.m);
  T* const sums = columns && first > 0 ? nullptr : s.sums;
  if (sums != nullptr && !s.accumulate) std::fill(sums + i0, sums + i1, T(0));
  if (s.rows == 0 && !s.accumulate)
    for (const LongRight<T>& r : s.rights)
      for (Int i = i0; i < i1; ++i)
        std::fill(r.c + i * r.ldc + (columns ? begin : 0),
                  r.c + i * r.ldc + (columns ? std::min(end, r.n) : r.n), T(0));

  const Even k_blocks(s.rows, long_k_block<T>), m_blocks(i1 - i0, long_m_block);
  T* const left = aligned(scratch);
  T* const right = left + long_scratch<T>(s.m) - 2 * line<T> - long_k_block<T> * panel_width<T>;
  for (Int block = 0, row = 0; block < k_blocks.pieces; ++block) {
    const Int k = k_blocks.size(block);
    if (sums != nullptr) add_columns(s.a + row, k, i0, i1, sums);
    for (Int piece = 0, i = i0; piece < m_blocks.pieces && !s.rights.empty(); ++piece) {
      const Int next = i + m_blocks.size(piece);
      gather_left(s.a + row, k, i, next, left);
      for (const LongRight<T>& r : s.rights)
        take_in(r.b + row, {r.c, r.ldc, i, next, columns ? begin : 0, columns ? std::min(end, r.n) : r.n}, k,
                s.accumulate || block > 0, left, right);
      i = next;
    }
    row += k;
  }
}

template <class T>
constexpr LongFunctions<T> functions{long_parts<T>, long_scratch<T>, long_product<T>};

const LongFunctions<float>& float_functions() { return functions<float>; }
const LongFunctions<double>& double_functions() { return functions<double>; }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace spool::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace spool::kernels {

namespace {

HWY_EXPORT(float_functions);
HWY_EXPORT(double_functions);

template <class T>
const LongFunctions<T>& functions() {
  if constexpr (std::is_same_v<T, float>)
    return HWY_DYNAMIC_DISPATCH(float_functions)();
  else
    return HWY_DYNAMIC_DISPATCH(double_functions)();
}

}  // namespace

template <class T>
std::int64_t long_parts(std::int64_t m, std::int64_t n) {
  return functions<T>().parts(m, n);
}

template <class T>
std::int64_t long_scratch(std::int64_t m) {
  return functions<T>().scratch(m);
}

template <class T>
void long_product(const LongRows<T>& rows, std::int64_t first, std::int64_t last, T* scratch) {
  functions<T>().product(rows, first, last, scratch);
}

#define SPOOL_INSTANTIATE(T)                                       \
  template std::int64_t long_parts<T>(std::int64_t, std::int64_t); \
  template std::int64_t long_scratch<T>(std::int64_t);             \
  template void long_product<T>(const LongRows<T>&, std::int64_t, std::int64_t, T*);
SPOOL_INSTANTIATE(float)
SPOOL_INSTANTIATE(double)

}  // namespace spool::kernels
#endif
