// The innermost loops of packed products: a tile of R rows and V vectors of columns of each of P panels is
// kept in registers while k runs. Compiled once for each instruction set (see hwy/foreach_target.h), hence
// the unusual guard.
#if defined(SPOOL_PACKED_TILE) == defined(HWY_TARGET_TOGGLE)
#ifdef SPOOL_PACKED_TILE
#undef SPOOL_PACKED_TILE
#else
#define SPOOL_PACKED_TILE
#endif

#include <spool/ops/kernels/simd.hpp>

#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#if HWY_COMPILER_CLANG
#define SPOOL_UNROLL _Pragma("unroll")
#else
#define SPOOL_UNROLL _Pragma("GCC unroll 16")
#endif

HWY_BEFORE_NAMESPACE();
namespace spool::kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Int = std::int64_t;

template <class T>
constexpr Int lanes = static_cast<Int>(hn::MaxLanes(hn::ScalableTag<T>()));

constexpr int panel_vectors = 2;
template <class T>
constexpr Int panel_width = panel_vectors* lanes<T>;

// With R x 2 accumulators, 2 vectors of W and a broadcast element, as many rows as there are registers for.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
constexpr int most_rows = 12;
constexpr int most_vectors = 24;  // accumulators in a tile
#else
constexpr int most_rows = 6;
constexpr int most_vectors = 12;
#endif

/// n things in the fewest pieces of at most `most`, as even as can be: the size of piece i is size(i).
struct Even {
  Int pieces, each, more;  // the first `more` pieces have one more

  Even(Int n, Int most) : pieces((n + most - 1) / most), each(0), more(0) {
    if (pieces > 0) each = n / pieces, more = n % pieces;
  }
  Int size(Int i) const { return each + (i < more); }
};

/// What a tile works on. Its left operand is either rows that lie anywhere, or packed: [k][R].
template <class T>
struct Tile {
  const T* const* rows;  // R rows of the left operand; element k of the tile is column from + k
  Int from;
  const T* left;   // or the packed left operand, when rows is null
  const T* right;  // a panel [k][V * lanes]
  Int right_next;  // from there to the next panel
  Int k;
  const T* const* add;  // R rows to begin with, or null
  T* const* c;          // R rows
  Int column;           // of add and c
};

template <class T, int R, int P, int V, bool Packed>
void tile(const Tile<T>& t) {
  const hn::ScalableTag<T> d;
  using Vec = hn::Vec<decltype(d)>;
  constexpr Int width = V * lanes<T>;
  Vec sum[R][P * V];
  SPOOL_UNROLL for (int i = 0; i < R; ++i) {
    SPOOL_UNROLL for (int j = 0; j < P * V; ++j) {
      sum[i][j] = t.add ? hn::LoadU(d, t.add[i] + t.column + j * lanes<T>) : hn::Zero(d);
    }
  }
  const T* row[R];
  SPOOL_UNROLL for (int i = 0; i < R; ++i) row[i] = Packed ? t.left + i : t.rows[i] + t.from;
  const T* right = t.right;
  const Int next = t.right_next, n = t.k;
  for (Int k = 0; k < n; ++k) {
    Vec w[P * V];
    SPOOL_UNROLL for (int p = 0; p < P; ++p) {
      SPOOL_UNROLL for (int j = 0; j < V; ++j) w[p * V + j] = hn::Load(d, right + p * next + j * lanes<T>);
    }
    SPOOL_UNROLL for (int i = 0; i < R; ++i) {
      const Vec x = hn::Set(d, Packed ? row[0][k * R + i] : row[i][k]);
      SPOOL_UNROLL for (int j = 0; j < P * V; ++j) sum[i][j] = hn::MulAdd(x, w[j], sum[i][j]);
    }
    right += width;
  }
  SPOOL_UNROLL for (int i = 0; i < R; ++i) {
    SPOOL_UNROLL for (int j = 0; j < P * V; ++j) hn::StoreU(sum[i][j], d, t.c[i] + t.column + j * lanes<T>);
  }
}

template <class T>
using TileFunction = void (*)(const Tile<T>&);

template <class T, int P, int V, bool Packed, int... R>
constexpr auto tiles_of(std::integer_sequence<int, R...>) {
  return std::array<TileFunction<T>, sizeof...(R)>{tile<T, R + 1, P, V, Packed>...};
}

/// tiles<...>[R - 1] is for R rows. A tile of several panels has room for fewer rows.
template <class T, int P, int V, bool Packed>
constexpr auto tiles =
    tiles_of<T, P, V, Packed>(std::make_integer_sequence<int, std::min(most_rows, most_vectors / (P * V))>());

/// A tile at the right edge: `columns` of its V vectors exist.
template <class T>
void edge_tile(TileFunction<T> whole, Tile<T> t, Int height, Int columns) {
  HWY_ALIGN T buffer[most_rows * panel_width<T>];
  T* c[most_rows];
  const T* add[most_rows];
  for (Int i = 0; i < height; ++i) {
    add[i] = c[i] = buffer + i * panel_width<T>;
    if (t.add == nullptr) continue;
    std::fill_n(std::copy_n(t.add[i] + t.column, columns, c[i]), panel_width<T> - columns, T(0));
  }
  T* const* to = t.c;
  const Int column = t.column;
  t.add = t.add ? add : nullptr;
  t.c = c;
  t.column = 0;
  whole(t);
  for (Int i = 0; i < height; ++i) std::copy_n(c[i], columns, to[i] + column);
}

}  // namespace HWY_NAMESPACE
}  // namespace spool::kernels
HWY_AFTER_NAMESPACE();

#endif
