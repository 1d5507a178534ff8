// Packing a matrix into panels, and products of rows with it. A panel is [k][width], one after the other; the
// last one may be one vector wide instead of two, and its columns past n are zeros.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "spool/ops/kernels/packed.cpp"
#include <spool/ops/kernels/packed.hpp>
#include <spool/ops/kernels/simd.hpp>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <spool/ops/kernels/packed_tile.hpp>

#include <type_traits>

#ifndef SPOOL_PACKED_FUNCTIONS
#define SPOOL_PACKED_FUNCTIONS
namespace spool::kernels {

/// The functions that are compiled for each instruction set.
template <class T>
struct PackedFunctions {
  decltype(&panels<T>) panels;
  decltype(&packed_size<T>) packed_size;
  decltype(&pack<T>) pack;
  decltype(&rows_product<T>) rows_product;
};

}  // namespace spool::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace spool::kernels {
namespace HWY_NAMESPACE {
namespace {

template <class T>
constexpr Int k_block = 256 * 4 / static_cast<Int>(sizeof(T));
constexpr Int m_block = 128;

template <class T>
struct Panel {
  Int column, columns, width;  // width is in elements: one or two vectors

  Panel(Int index, Int n)
      : column(index * panel_width<T>),
        columns(std::min(n - column, panel_width<T>)),
        width(columns > lanes<T> ? panel_width<T> : lanes<T>) {}
};

template <class T>
Int panels(Int n) {
  return (n + panel_width<T> - 1) / panel_width<T>;
}

template <class T>
Int packed_size(Int k, Int n) {
  return k * ((n + lanes<T> - 1) / lanes<T> * lanes<T>);
}

/// to[j][i] = from[i][j] for a square of as many elements as 128 bits hold.
template <class T>
constexpr Int square = HWY_TARGET == HWY_SCALAR ? 1 : 16 / static_cast<Int>(sizeof(T));

template <class T>
void transpose_square(const T* from, Int from_next, T* to, Int to_next) {
#if HWY_TARGET == HWY_SCALAR
  static_cast<void>(from_next), static_cast<void>(to_next);
  *to = *from;
#else
  const hn::CappedTag<T, 16 / sizeof(T)> d;
  if constexpr (sizeof(T) == 4) {
    const auto r0 = hn::LoadU(d, from), r1 = hn::LoadU(d, from + from_next);
    const auto r2 = hn::LoadU(d, from + 2 * from_next), r3 = hn::LoadU(d, from + 3 * from_next);
    const auto a = hn::InterleaveLower(d, r0, r2), b = hn::InterleaveUpper(d, r0, r2);
    const auto e = hn::InterleaveLower(d, r1, r3), f = hn::InterleaveUpper(d, r1, r3);
    hn::StoreU(hn::InterleaveLower(d, a, e), d, to);
    hn::StoreU(hn::InterleaveUpper(d, a, e), d, to + to_next);
    hn::StoreU(hn::InterleaveLower(d, b, f), d, to + 2 * to_next);
    hn::StoreU(hn::InterleaveUpper(d, b, f), d, to + 3 * to_next);
  } else {
    const auto r0 = hn::LoadU(d, from), r1 = hn::LoadU(d, from + from_next);
    hn::StoreU(hn::InterleaveLower(d, r0, r1), d, to);
    hn::StoreU(hn::InterleaveUpper(d, r0, r1), d, to + to_next);
  }
#endif
}

template <class T>
void pack_panel(const T* b, Int ldb, bool transposed, Int k, const Panel<T>& p, T* to) {
  if (p.columns < p.width) std::fill_n(to, k * p.width, T(0));
  if (!transposed) {
    for (Int i = 0; i < k; ++i) std::copy_n(b + i * ldb + p.column, p.columns, to + i * p.width);
    return;
  }
  b += p.column * ldb;
  const Int k_even = k / square<T> * square<T>, j_even = p.columns / square<T> * square<T>;
  for (Int i = 0; i < k_even; i += square<T>)
    for (Int j = 0; j < j_even; j += square<T>)
      transpose_square(b + j * ldb + i, ldb, to + i * p.width + j, p.width);
  for (Int i = 0; i < k; ++i)
    for (Int j = i < k_even ? j_even : 0; j < p.columns; ++j) to[i * p.width + j] = b[j * ldb + i];
}

template <class T>
void pack(const T* b, Int ldb, bool transposed, Int k, Int n, Int first, Int last, T* packed) {
  for (Int p = first; p < last; ++p)
    pack_panel(b, ldb, transposed, k, Panel<T>(p, n), packed + p * panel_width<T> * k);
}

/// How many panels a tile of so many rows may span, 4, 2 or 1: few rows need several to keep the processor
/// busy.
Int panels_at_once(Int height, Int panels) {
  Int at_once = 4;
  while (at_once > 1 && (at_once > panels || height * at_once * panel_vectors > most_vectors)) at_once /= 2;
  return at_once;
}

template <class T>
TileFunction<T> tile_for(Int height, Int panels, bool narrow) {
  const auto i = static_cast<std::size_t>(height - 1);
  if (narrow) return tiles<T, 1, 1, false>[i];
  return panels == 1   ? tiles<T, 1, panel_vectors, false>[i]
         : panels == 2 ? tiles<T, 2, panel_vectors, false>[i]
                       : tiles<T, 4, panel_vectors, false>[i];
}

template <class T>
struct Product {
  const T* const* a;
  const T* packed;
  const T* const* add;
  T* const* c;
  Int k, n, first, last;
};

/// Rows [row, row + m), over k in [from, from + k).
template <class T>
void product_block(const Product<T>& o, Int row, Int m, Int from, Int k) {
  const Even heights(m, most_rows);
  const T* const* begin = from > 0 ? o.c : o.add;
  for (Int p = o.first, at_once = 1; p < o.last; p += at_once) {
    const Panel<T> panel(p, o.n);
    const bool whole = panel.columns == panel_width<T>;
    at_once = panels_at_once(heights.size(0), std::min(o.last, o.n / panel_width<T>) - p);
    const T* right = o.packed + p * panel_width<T> * o.k + from * panel.width;
    Int i = row;
    for (Int piece = 0; piece < heights.pieces; ++piece) {
      const Int height = heights.size(piece);
      const Tile<T> t{.rows = o.a + i,
                      .from = from,
                      .left = nullptr,
                      .right = right,
                      .right_next = panel_width<T> * o.k,
                      .k = k,
                      .add = begin ? begin + i : nullptr,
                      .c = o.c + i,
                      .column = panel.column};
      const auto run = tile_for<T>(height, at_once, panel.width == lanes<T>);
      if (whole)
        run(t);
      else
        edge_tile(run, t, height, panel.columns);
      i += height;
    }
  }
}

template <class T>
void rows_product(const T* const* a, const T* packed, const T* const* add, T* const* c, Int m, Int k, Int n,
                  Int first, Int last) {
  const Product<T> product{a, packed, add, c, k, n, first, last};
  const Even row_blocks(m, m_block), k_blocks(k, k_block<T>);
  Int row = 0;
  for (Int i = 0; i < row_blocks.pieces; ++i) {
    const Int rows = row_blocks.size(i);
    if (k == 0) product_block(product, row, rows, 0, 0);
    Int from = 0;
    for (Int b = 0; b < k_blocks.pieces; ++b) {
      product_block(product, row, rows, from, k_blocks.size(b));
      from += k_blocks.size(b);
    }
    row += rows;
  }
}

template <class T>
constexpr PackedFunctions<T> functions{panels<T>, packed_size<T>, pack<T>, rows_product<T>};

const PackedFunctions<float>& float_functions() { return functions<float>; }
const PackedFunctions<double>& double_functions() { return functions<double>; }

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
const PackedFunctions<T>& functions() {
  if constexpr (std::is_same_v<T, float>)
    return HWY_DYNAMIC_DISPATCH(float_functions)();
  else
    return HWY_DYNAMIC_DISPATCH(double_functions)();
}

}  // namespace

template <class T>
std::int64_t panels(std::int64_t n) {
  return functions<T>().panels(n);
}

template <class T>
std::int64_t packed_size(std::int64_t k, std::int64_t n) {
  return functions<T>().packed_size(k, n);
}

template <class T>
void pack(const T* b, std::int64_t ldb, bool transposed, std::int64_t k, std::int64_t n, std::int64_t first,
          std::int64_t last, T* packed) {
  functions<T>().pack(b, ldb, transposed, k, n, first, last, packed);
}

template <class T>
void rows_product(const T* const* a, const T* packed, const T* const* add, T* const* c, std::int64_t m,
                  std::int64_t k, std::int64_t n, std::int64_t first, std::int64_t last) {
  functions<T>().rows_product(a, packed, add, c, m, k, n, first, last);
}

#define SPOOL_INSTANTIATE(T)                                                                         \
  template std::int64_t panels<T>(std::int64_t);                                                     \
  template std::int64_t packed_size<T>(std::int64_t, std::int64_t);                                  \
  template void pack<T>(const T*, std::int64_t, bool, std::int64_t, std::int64_t, std::int64_t,      \
                        std::int64_t, T*);                                                           \
  template void rows_product<T>(const T* const*, const T*, const T* const*, T* const*, std::int64_t, \
                                std::int64_t, std::int64_t, std::int64_t, std::int64_t);
SPOOL_INSTANTIATE(float)
SPOOL_INSTANTIATE(double)

}  // namespace spool::kernels
#endif
