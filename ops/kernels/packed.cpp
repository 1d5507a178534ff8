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
  decltype(&rows_product_as_is<T>) rows_product_as_is;
  decltype(&packing_pays<T>) packing_pays;
};

}  // namespace spool::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace spool::kernels {
namespace HWY_NAMESPACE {
namespace {

// A block of k has all rows of a block of m take it in, panel by panel. Long blocks save passes over c; the
// first level of cache has room for about 32 KB of a panel, and 512 bits are served well from the second one
// too.
template <class T>
constexpr Int k_block = (panel_vectors == 4 ? 2048 : 1024) / static_cast<Int>(sizeof(T));
constexpr Int m_block = panel_vectors == 4 ? 256 : 128;

// A matrix that the second level of cache has no room for: tiles fetch the next panel while they work, and
// share that between so many of them that memory is busy all the time.
constexpr Int large_bytes = panel_vectors == 4 ? 1 << 20 : 1 << 19;
constexpr Int fetching_tiles = panel_vectors == 4 ? 8 : 4;
constexpr Int fetch_distance = 32;  // rows of the panel, when one tile is all that uses it
constexpr Int streamed_rows = 3;    // so few wait for memory anyway, which does better undisturbed

template <class T>
struct Panel {
  Int column, columns;
  int vectors;
  Int width;

  Panel(Int index, Int n)
      : column(index * panel_width<T>),
        columns(std::min(n - column, panel_width<T>)),
        vectors(static_cast<int>((columns + lanes<T> - 1) / lanes<T>)),
        width(vectors * lanes<T>) {}
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
  for (Int first = 0; first < k_even; first += line<T>)  // each cache line is read once
    for (Int j = 0; j < j_even; j += square<T>)
      for (Int i = first; i < std::min(first + line<T>, k_even); i += square<T>)
        transpose_square(b + j * ldb + i, ldb, to + i * p.width + j, p.width);
  for (Int i = 0; i < k; ++i)
    for (Int j = i < k_even ? j_even : 0; j < p.columns; ++j) to[i * p.width + j] = b[j * ldb + i];
}

template <class T>
void pack(const T* b, Int ldb, bool transposed, Int k, Int n, Int first, Int last, T* packed) {
  for (Int p = first; p < last; ++p)
    pack_panel(b, ldb, transposed, k, Panel<T>(p, n), packed + p * panel_width<T> * k);
}

/// How many whole panels a tile spans. One to three rows need several to keep the processor busy.
Int panels_at_once(Int rows, Int panels) {
  if (panel_vectors > 2 || rows > 3 || panels < 2) return 1;
  return rows == 1 && panels >= 4 ? 4 : 2;
}

/// The tile for so many rows of a panel, or of several whole ones, that fetches so many lines for each k.
template <class T>
TileFunction<T> tile_for(Int rows, Int panels, int vectors, Int lines) {
  const auto i = static_cast<std::size_t>(rows - 1);
  if (vectors == 1) return tiles<T, 1, 1, false, 0>[i];
  if constexpr (panel_vectors == 2) {
    if (panels == 4) return tiles<T, 4, 2, false, 0>[i];
    if (panels == 2) return tiles<T, 2, 2, false, 0>[i];
    return lines == 0 ? tiles<T, 1, 2, false, 0>[i] : tiles<T, 1, 2, false, 1>[i];
  } else {
    if (vectors == 2) return tiles<T, 1, 2, false, 0>[i];
    if (vectors == 3) return tiles<T, 1, 3, false, 0>[i];
    if (lines == 0) return tiles<T, 1, 4, false, 0>[i];
    if (lines == 1) return tiles<T, 1, 4, false, 1>[i];
    return lines == 2 ? tiles<T, 1, 4, false, 2>[i] : tiles<T, 1, 4, false, 4>[i];
  }
}

template <class T>
struct Product {
  const T* const* a;
  const T* right;  // W, packed; or as it lies
  Int ldb;         // the distance of its rows, then
  const T* const* add;
  T* const* c;
  Int k, n, first, last;
};

/// Asks for a piece of each of some rows, as wide as a panel, to be read or written.
template <class T, int write>
void fetch_rows(const T* const* rows, Int count, Int column) {
  for (Int i = 0; i < count; ++i)
    for (Int j = 0; j < panel_width<T>; j += line<T>) __builtin_prefetch(rows[i] + column + j, write, 2);
}

/// Where tiles find their columns of W, and what they fetch ahead.
template <class T>
struct Right {
  const T* data = nullptr;
  Int step = 0, next = 0;
  Int fetching = 0;  // so many tiles fetch ahead, each its part of every row
  const T* ahead = nullptr;
  Int ahead_step = 0, ahead_part = 0;
};

/// Rows from `from` on of a panel that `tiles` will use, a block of k rows.
template <bool AsIs, class T>
HWY_INLINE Right<T> right_of(const Product<T>& o, Int p, const Panel<T>& panel, Int m, Int from, Int k,
                             Int tiles) {
  Right<T> right =
      AsIs ? Right<T>{.data = o.right + from * o.ldb + panel.column, .step = o.ldb, .next = panel_width<T>}
           : Right<T>{.data = o.right + p * panel_width<T> * o.k + from * panel.width,
                      .step = panel.width,
                      .next = panel_width<T> * o.k};
  const bool large = o.k * o.n * static_cast<Int>(sizeof(T)) >= large_bytes;
  if (!large || panel.vectors != panel_vectors || m <= streamed_rows) return right;
  right.fetching = std::min(tiles, fetching_tiles);
  const bool shared = right.fetching > 1;
  const Int part = panel_width<T> / right.fetching;
  if constexpr (AsIs) {
    right.ahead = right.data + (shared ? panel_width<T> : fetch_distance * o.ldb) + line<T> - 1;
    right.ahead_step = o.ldb, right.ahead_part = part;
  } else {
    right.ahead = right.data + (shared ? o.k : fetch_distance) * panel_width<T>;
    right.ahead_step = part, right.ahead_part = part * k;
  }
  return right;
}

/// A block of k rows of a panel of W that is narrower than its vectors, side by side and with zeros.
template <class T>
Right<T> copied_right(const Product<T>& o, const Panel<T>& panel, Int from, Int k, T* copy) {
  const T* const data = o.right + from * o.ldb + panel.column;
  for (Int i = 0; i < k; ++i) {
    T* const end = std::copy_n(data + i * o.ldb, panel.columns, copy + i * panel.width);
    std::fill_n(end, panel.width - panel.columns, T(0));
  }
  return {.data = copy, .step = panel.width};
}

/// A block of rows takes in a block of k of the panels from p on, as many as a tile spans; says how many.
template <bool AsIs, class T>
Int product_panel(const Product<T>& o, Int p, Int row, Int m, Int from, Int k, T* copy) {
  constexpr Int panel_lines = panel_width<T> / line<T>;
  const Panel<T> panel(p, o.n);
  const Int at_once = panels_at_once(m, std::min(o.last, o.n / panel_width<T>) - p);
  const Even heights(m, rows_for(panel.vectors));
  const Right<T> right = k == 0 ? Right<T>{}  // there may be no W
                         : AsIs && panel.columns < panel.width
                             ? copied_right(o, panel, from, k, copy)
                             : right_of<AsIs>(o, p, panel, m, from, k, heights.pieces);
  const T* const* begin = from > 0 ? o.c : o.add;
  const Int first_row = row;
  for (Int piece = 0; piece < heights.pieces; ++piece) {
    const Int height = heights.size(piece);
    const Tile<T> t{.rows = o.a + row,
                    .from = from,
                    .left = nullptr,
                    .right = right.data,
                    .right_step = right.step,
                    .right_next = right.next,
                    .k = k,
                    .add = begin ? begin + row : nullptr,
                    .c = o.c + row,
                    .column = panel.column,
                    .ahead = right.ahead + piece * right.ahead_part,
                    .ahead_step = right.ahead_step};
    const Int lines = piece < right.fetching ? (panel_lines + right.fetching - 1) / right.fetching : 0;
    const bool last = piece + 1 == heights.pieces;
    if (heights.pieces > 1 && !(last && p + 1 == o.last)) {  // for what the next tile adds to and stores
      const Int next = last ? first_row : row + height, count = heights.size(last ? 0 : piece + 1);
      const Int column = panel.column + (last ? panel_width<T> : 0);
      if (begin != nullptr) fetch_rows<T, 0>(begin + next, count, column);
      if (begin != o.c) fetch_rows<T, 1>(o.c + next, count, column);
    }
    const auto run = tile_for<T>(height, at_once, panel.vectors, lines);
    if (panel.columns == panel_width<T>)
      run(t);
    else
      edge_tile(run, t, height, panel.columns);
    row += height;
  }
  return at_once;
}

template <bool AsIs, class T>
void multiply(const Product<T>& product, Int m, T* copy) {
  const Int k = product.k;
  const Even row_blocks(m, m_block);
  // One tile's rows have no use for blocks of k, unless there are copies to make; and an empty k is a block
  // too.
  const bool one_tile = m <= rows_for(panel_vectors) && (!AsIs || product.n % panel_width<T> == 0);
  const Even k_blocks(k, one_tile ? std::max<Int>(k, 1) : k_block<T>);
  Int row = 0;
  for (Int i = 0; i < row_blocks.pieces; ++i) {
    const Int rows = row_blocks.size(i);
    Int from = 0;
    for (Int b = 0; b < std::max<Int>(k_blocks.pieces, 1); ++b) {
      const Int block = k == 0 ? 0 : k_blocks.size(b);
      for (Int p = product.first; p < product.last;)
        p += product_panel<AsIs>(product, p, row, rows, from, block, copy);
      from += block;
    }
    row += rows;
  }
}

template <class T>
void rows_product(const T* const* a, const T* packed, const T* const* add, T* const* c, Int m, Int k, Int n,
                  Int first, Int last) {
  multiply<false, T>({a, packed, 0, add, c, k, n, first, last}, m, nullptr);
}

template <class T>
void rows_product_as_is(const T* const* a, const T* b, Int ldb, const T* const* add, T* const* c, Int m,
                        Int k, Int n, Int first, Int last) {
  HWY_ALIGN T copy[k_block<T> * panel_width<T>];
  multiply<true, T>({a, b, ldb, add, c, k, n, first, last}, m, copy);
}

// As it lies, a matrix that the second level of cache has room for is multiplied at 0.92 to 1 times the speed
// of a packed one. Columns of a larger one come from further away, and some drive each other out.
template <class T>
bool packing_pays(Int k, Int n, Int rows) {
  return rows >= (k * n * static_cast<Int>(sizeof(T)) < large_bytes ? 512 : 16);
}

template <class T>
constexpr PackedFunctions<T> functions{panels<T>,       packed_size<T>,        pack<T>,
                                       rows_product<T>, rows_product_as_is<T>, packing_pays<T>};

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

template <class T>
void rows_product_as_is(const T* const* a, const T* b, std::int64_t ldb, const T* const* add, T* const* c,
                        std::int64_t m, std::int64_t k, std::int64_t n, std::int64_t first,
                        std::int64_t last) {
  functions<T>().rows_product_as_is(a, b, ldb, add, c, m, k, n, first, last);
}

template <class T>
bool packing_pays(std::int64_t k, std::int64_t n, std::int64_t rows) {
  return functions<T>().packing_pays(k, n, rows);
}

#define SPOOL_INSTANTIATE(T)                                                                               \
  template std::int64_t panels<T>(std::int64_t);                                                           \
  template std::int64_t packed_size<T>(std::int64_t, std::int64_t);                                        \
  template void pack<T>(const T*, std::int64_t, bool, std::int64_t, std::int64_t, std::int64_t,            \
                        std::int64_t, T*);                                                                 \
  template void rows_product<T>(const T* const*, const T*, const T* const*, T* const*, std::int64_t,       \
                                std::int64_t, std::int64_t, std::int64_t, std::int64_t);                   \
  template bool packing_pays<T>(std::int64_t, std::int64_t, std::int64_t);                                 \
  template void rows_product_as_is<T>(const T* const*, const T*, std::int64_t, const T* const*, T* const*, \
                                      std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t);
SPOOL_INSTANTIATE(float)
SPOOL_INSTANTIATE(double)

}  // namespace spool::kernels
#endif
