// Products of real matrices at the sizes of recurrent models, for float and double, near the processor's
// limit on one thread; callers split the work. Two forms: many rows by a matrix W that was packed before, and
// the long product A^T B whose inner dimension is spread over many runs of rows (a weight's gradient over all
// time steps).
//
// Each element is one sequence of multiply-adds in the order of k. So it has the same bits whichever rows,
// panels or parts a call covers and however many rows stand beside it, and results depend neither on the
// number of threads nor on the batch. The instructions, and with them the rounding and the width of a panel,
// are chosen once, for the processor that the program runs on.
//
// Nothing here allocates, locks or keeps a state, and nothing is read or written beside the given elements.
// Row-major throughout.
#pragma once

#include <cstdint>
#include <span>

namespace spool::kernels {

// W [k, n] lies packed in panels of columns, to be the right operand of many products. A buffer for it starts
// at a multiple of 64 bytes.
template <class T>
std::int64_t panels(std::int64_t n);
template <class T>
std::int64_t packed_size(std::int64_t k, std::int64_t n);  // in elements

/// Packs panels [first, last). W is b [k, n], or the transpose of b [n, k]; ldb is the distance of b's rows.
template <class T>
void pack(const T* b, std::int64_t ldb, bool transposed, std::int64_t k, std::int64_t n, std::int64_t first,
          std::int64_t last, T* packed);

/// c[i][j] = (add ? add[i][j] : 0) + sum over k of a[i][k] W[k][j], for m rows and the columns of panels
/// [first, last). The rows may lie anywhere; add[i] may be c[i], and rows of c overlap no row of a.
template <class T>
void rows_product(const T* const* a, const T* packed, const T* const* add, T* const* c, std::int64_t m,
                  std::int64_t k, std::int64_t n, std::int64_t first, std::int64_t last);

/// The same, and the same bits, with W = b [k, n] as it lies, its rows ldb apart.
template <class T>
void rows_product_as_is(const T* const* a, const T* b, std::int64_t ldb, const T* const* add, T* const* c,
                        std::int64_t m, std::int64_t k, std::int64_t n, std::int64_t first,
                        std::int64_t last);
/// Whether W is better packed for products with so many rows in all, which takes about as long as a few
/// dozen.
template <class T>
bool packing_pays(std::int64_t k, std::int64_t n, std::int64_t rows);

/// The right side of a long product, rows of B [rows, n], and C [m, n].
template <class T>
struct LongRight {
  const T* const* b;
  std::int64_t n;
  T* c;
  std::int64_t ldc;
};
/// Rows of A [rows, m], and what each is multiplied with. They may lie anywhere.
template <class T>
struct LongRows {
  const T* const* a;
  std::int64_t rows, m;
  std::span<const LongRight<T>> rights;
  T* sums;  // of A's columns; may be null
  bool accumulate;
};

/// The work is divided into this many parts: of C's columns or of its rows where there is one right side with
/// n columns, of A's columns where there are several, and n is 0.
template <class T>
std::int64_t long_parts(std::int64_t m, std::int64_t n);
/// How many elements each thread brings along; bounded, whatever the sizes.
template <class T>
std::int64_t long_scratch(std::int64_t m);
/// Parts [first, last) of each C = (accumulate ? C : 0) + A^T B, and of the sums.
template <class T>
void long_product(const LongRows<T>& rows, std::int64_t first, std::int64_t last, T* scratch);

}  // namespace spool::kernels
