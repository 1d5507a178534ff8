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

// A tile has as many accumulators as leave registers for W's vectors and an element. With 32 registers it is
// 6 rows of 4 vectors: fewer loads than 12 of 2.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
constexpr int panel_vectors = 4;
constexpr int most_sums = 24;
#else
constexpr int panel_vectors = 2;
constexpr int most_sums = 12;
#endif
constexpr int most_rows = 12;  // of any tile

template <class T>
constexpr Int panel_width = panel_vectors* lanes<T>;
template <class T>
constexpr Int line = 64 / static_cast<Int>(sizeof(T));  // elements in a cache line

template <class T>
constexpr Int left_width = 3 * line<T>;  // of a panel of a packed left operand: an odd number of lines

/// Rows of a tile of so many vectors.
constexpr int rows_for(int vectors) { return std::min(most_rows, most_sums / vectors); }

/// n things in the fewest pieces of at most `most`, as even as can be: the size of piece i is size(i).
struct Even {
  Int pieces, each, more;  // the first `more` pieces have one more

  Even(Int n, Int most) : pieces((n + most - 1) / most), each(0), more(0) {
    if (pieces > 0) each = n / pieces, more = n % pieces;
  }
  Int size(Int i) const { return each + (i < more); }
};

/// What a tile works on.
template <class T>
struct Tile {
  const T* const* rows;  // R rows of the left operand; element k of the tile is column from + k
  Int from;
  const T* left;   // or the left operand is packed: R columns of [k][left_width]
  const T* right;  // V * lanes columns of each of k rows
  Int right_step;  // from row to row; with a packed left operand they lie side by side
  Int right_next;  // to the columns of the next panel
  Int k;
  const T* const* add;  // R rows to begin with, or null
  T* const* c;          // R rows
  Int column;           // of add and c

  // What the next tiles need comes into the cache meanwhile: the lines at ahead + k * ahead_step.
  const T* ahead = nullptr;
  Int ahead_step = 0;
};

/// Keeps a loaded vector in its register. Else GCC 12 may make it an operand in memory of each use, loaded
/// each time.
template <class Vec>
HWY_INLINE void load_once([[maybe_unused]] Vec& v) {
#if HWY_COMPILER_GCC_ACTUAL && HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
  asm("" : "+v"(v.raw));
#endif
}

/// R rows by V vectors of P panels; Lines is how many cache lines are fetched ahead for each k.
template <class T, int R, int P, int V, bool Packed, int Lines>
void tile(const Tile<T>& t) {
  const hn::ScalableTag<T> d;
  using Vec = hn::Vec<decltype(d)>;
  Vec sum[R][P * V];
  SPOOL_UNROLL for (int i = 0; i < R; ++i) {
    SPOOL_UNROLL for (int j = 0; j < P * V; ++j) {
      sum[i][j] = t.add ? hn::LoadU(d, t.add[i] + t.column + j * lanes<T>) : hn::Zero(d);
    }
  }
  const T* row[R];
  SPOOL_UNROLL for (int i = 0; i < R; ++i) row[i] = Packed ? t.left + i : t.rows[i] + t.from;
  const T *right = t.right, *ahead = t.ahead;
  const Int width = Packed ? V * lanes<T> : t.right_step, next = t.right_next, n = t.k, step = t.ahead_step;
  for (Int k = 0; k < n; ++k) {
    const Int at = Packed ? k * left_width<T> : k;
    const auto x = [&](int i) HWY_ATTR { return hn::Set(d, Packed ? row[0][at + i] : row[i][at]); };
    const auto w = [&](int j) HWY_ATTR {
      Vec v = hn::LoadU(d, right + j / V * next + j % V * lanes<T>);
      load_once(v);
      return v;
    };
    if constexpr (R > P * V) {  // the fewer of elements and vectors stay in registers
      Vec ws[P * V];
      SPOOL_UNROLL for (int j = 0; j < P * V; ++j) ws[j] = w(j);
      SPOOL_UNROLL for (int i = 0; i < R; ++i) {
        const Vec xi = x(i);
        SPOOL_UNROLL for (int j = 0; j < P * V; ++j) sum[i][j] = hn::MulAdd(xi, ws[j], sum[i][j]);
      }
    } else {
      Vec xs[R];
      SPOOL_UNROLL for (int i = 0; i < R; ++i) xs[i] = x(i);
      SPOOL_UNROLL for (int j = 0; j < P * V; ++j) {
        const Vec wj = w(j);
        SPOOL_UNROLL for (int i = 0; i < R; ++i) sum[i][j] = hn::MulAdd(xs[i], wj, sum[i][j]);
      }
    }
    right += width;
    if constexpr (Lines > 0) {
      SPOOL_UNROLL for (int l = 0; l < Lines; ++l) __builtin_prefetch(ahead + l * line<T>, 0, 2);
      ahead += step;
    }
  }
  T* to[R];
  SPOOL_UNROLL for (int i = 0; i < R; ++i) to[i] = t.c[i] + t.column;
  SPOOL_UNROLL for (int i = 0; i < R; ++i) {
    SPOOL_UNROLL for (int j = 0; j < P * V; ++j) hn::StoreU(sum[i][j], d, to[i] + j * lanes<T>);
  }
}

template <class T>
using TileFunction = void (*)(const Tile<T>&);

template <class T, int P, int V, bool Packed, int Lines, int... R>
constexpr auto tiles_of(std::integer_sequence<int, R...>) {
  return std::array<TileFunction<T>, sizeof...(R)>{tile<T, R + 1, P, V, Packed, Lines>...};
}

/// tiles<...>[R - 1] is for R rows.
template <class T, int P, int V, bool Packed, int Lines>
constexpr auto tiles = tiles_of<T, P, V, Packed, Lines>(std::make_integer_sequence<int, rows_for(P* V)>());

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
