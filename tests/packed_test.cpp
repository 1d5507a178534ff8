// Packed products against plain loops, in every instruction set that was compiled and that this machine has.
// All buffers have their exact sizes, so that the address sanitizer sees whatever is touched beside them.
#include <spool/ops/kernels/packed.hpp>
#include <spool/ops/kernels/simd.hpp>

#include <fmt/format.h>
#include <hwy/highway.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <random>
#include <vector>

#include "catch.hpp"

using namespace spool;
using Int = std::int64_t;

namespace {

/// Calls f with each instruction set in turn being the one that kernels choose.
template <class F>
void each_target(F&& f) {
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    INFO("for " << hwy::TargetName(target));
    f();
  }
  hwy::SetSupportedTargetsForTest(0);
}

template <class T>
struct Aligned {
  struct Free {
    void operator()(T* p) const { ::operator delete(p, std::align_val_t(64)); }
  };
  std::unique_ptr<T[], Free> data;

  explicit Aligned(Int n)
      : data(static_cast<T*>(::operator new(static_cast<std::size_t>(n) * sizeof(T), std::align_val_t(64)))) {
    std::fill_n(data.get(), n, std::numeric_limits<T>::quiet_NaN());
  }
};

/// Rows at odd places, in any order, each of its exact length.
template <class T>
struct Rows {
  std::vector<std::unique_ptr<T[]>> rows;
  std::vector<T*> pointers;
  std::vector<const T*> reading;
  Int n;

  Rows(Int m, Int columns, std::mt19937& random) : n(columns) {
    for (Int i = 0; i < m; ++i) {
      const auto shift = static_cast<Int>(random() % 4);
      rows.push_back(std::make_unique<T[]>(static_cast<std::size_t>(n + shift)));
      pointers.push_back(rows.back().get() + shift);
      for (Int j = 0; j < n; ++j) pointers.back()[j] = value(random);
    }
    reading.assign(pointers.begin(), pointers.end());
  }
  static T value(std::mt19937& random) { return static_cast<T>(random() % 2001) / T(1000) - T(1); }

  T at(Int i, Int j) const { return pointers[static_cast<std::size_t>(i)][j]; }
};

/// A sum and a bound of the rounding errors on the way.
struct Sum {
  double value, bound;

  template <class T>
  void add(T a, T b) {
    const double product = static_cast<double>(a) * static_cast<double>(b);
    value += product;
    bound += std::fabs(product) + std::fabs(value);
  }
  template <class T>
  bool agrees(T x) const {
    return std::fabs(static_cast<double>(x) - value) <=
           bound * 2 * static_cast<double>(std::numeric_limits<T>::epsilon());
  }
};

template <class T>
std::vector<T> some(Int n, std::mt19937& random) {
  std::vector<T> v(static_cast<std::size_t>(n));
  for (T& x : v) x = Rows<T>::value(random);
  return v;
}

template <class T>
bool same_bits(const Rows<T>& a, const Rows<T>& b) {
  for (std::size_t i = 0; i < a.pointers.size(); ++i)
    if (a.n > 0 && std::memcmp(a.pointers[i], b.pointers[i], static_cast<std::size_t>(a.n) * sizeof(T)) != 0)
      return false;
  return true;
}

struct Shape {
  Int m, k, n;
};

template <class T>
void check_rows_product(const Shape& s, bool transposed, bool add, std::mt19937& random) {
  INFO(
      fmt::format("m {} k {} n {} transposed {} add {} bytes {}", s.m, s.k, s.n, transposed, add, sizeof(T)));
  const Int ldb = (transposed ? s.k : s.n) + static_cast<Int>(random() % 3), height = transposed ? s.n : s.k;
  const auto b = some<T>(height == 0 ? 0 : (height - 1) * ldb + (transposed ? s.k : s.n),
                         random);  // the last row ends it
  const auto w = [&](Int k, Int j) {
    return b[static_cast<std::size_t>(transposed ? j * ldb + k : k * ldb + j)];
  };
  const Rows<T> a(s.m, s.k, random), start(s.m, s.n, random);
  const Int panels = kernels::panels<T>(s.n);
  Aligned<T> packed(kernels::packed_size<T>(s.k, s.n));
  const Int middle = panels == 0 ? 0 : static_cast<Int>(random() % static_cast<std::uint32_t>(panels + 1));
  kernels::pack(b.data(), ldb, transposed, s.k, s.n, middle, panels, packed.data.get());
  kernels::pack(b.data(), ldb, transposed, s.k, s.n, Int(0), middle, packed.data.get());

  Rows<T> c(s.m, s.n, random);
  kernels::rows_product(a.reading.data(), packed.data.get(), add ? start.reading.data() : nullptr,
                        c.pointers.data(), s.m, s.k, s.n, 0, panels);
  Int wrong = 0;
  for (Int i = 0; i < s.m; ++i)
    for (Int j = 0; j < s.n; ++j) {
      Sum sum{add ? static_cast<double>(start.at(i, j)) : 0, 0};
      for (Int k = 0; k < s.k; ++k) sum.add(a.at(i, k), w(k, j));
      wrong += !sum.agrees(c.at(i, j));
    }
  CHECK(wrong == 0);

  // The same in pieces of rows and of panels, adding in place.
  Rows<T> pieces(s.m, s.n, random);
  for (Int i = 0; i < s.m; ++i)
    std::copy_n(start.reading[static_cast<std::size_t>(i)], s.n,
                pieces.pointers[static_cast<std::size_t>(i)]);
  for (Int i = 0, rows = 0; i < s.m; i += rows) {
    rows = std::min<Int>(s.m - i, 1 + static_cast<Int>(random() % 17));
    for (Int p = 0, count = 0; p < panels; p += count) {
      count = std::min<Int>(panels - p, 1 + static_cast<Int>(random() % 6));
      T* const* out = pieces.pointers.data() + i;
      kernels::rows_product(a.reading.data() + i, packed.data.get(), add ? out : nullptr, out, rows, s.k, s.n,
                            p, p + count);
    }
  }
  CHECK(same_bits(c, pieces));
  if (transposed) return;

  // And the same bits from the matrix as it lies, in pieces of panels.
  Rows<T> as_is(s.m, s.n, random);
  for (const auto& [first, last] : {std::pair(middle, panels), std::pair(Int(0), middle)})
    kernels::rows_product_as_is(a.reading.data(), b.data(), ldb, add ? start.reading.data() : nullptr,
                                as_is.pointers.data(), s.m, s.k, s.n, first, last);
  CHECK(same_bits(c, as_is));
}

// c, and what is beside it in its rows, against sums in double.
template <class T>
void check_result(const std::vector<T>& c, const std::vector<T>& start, Int m, Int n, Int ldc,
                  const std::vector<const T*>& a, const std::vector<const T*>& b, bool accumulate) {
  Int wrong = 0, touched = 0;
  for (Int i = 0; i < m; ++i)
    for (Int j = 0; j < std::min(ldc, i + 1 < m ? ldc : n); ++j) {
      const auto at = static_cast<std::size_t>(i * ldc + j);
      if (j >= n) {
        touched += c[at] != start[at];
        continue;
      }
      Sum sum{accumulate ? static_cast<double>(start[at]) : 0, 0};
      for (std::size_t k = 0; k < a.size(); ++k) sum.add(a[k][i], b[k][j]);
      wrong += !sum.agrees(c[at]);
    }
  CHECK(wrong == 0);
  CHECK(touched == 0);
}

// Products with a right side of each of these widths, and the columns' sums.
template <class T>
void check_long_product(Int rows, Int m, const std::vector<Int>& widths, bool accumulate,
                        std::mt19937& random) {
  INFO(fmt::format("m {} n {} rows {} accumulate {} bytes {}", m, fmt::join(widths, ","), rows, accumulate,
                   sizeof(T)));
  const auto gap = [&] { return static_cast<Int>(random() % 3); };
  const auto rows_of = [&](const std::vector<T>& from, Int stride) {
    std::vector<const T*> at;
    for (Int i = 0; i < rows; ++i) at.push_back(from.data() + i * stride);
    std::ranges::shuffle(at, random);
    return at;
  };
  const Int lda = m + gap();
  const auto left = some<T>(rows * lda, random);
  const std::vector<const T*> a = rows_of(left, lda);
  struct Side {
    Int n, ldc;
    std::vector<T> elements, start, c, pieces;
    std::vector<const T*> b;
  };
  std::vector<Side> sides;
  for (const Int n : widths) {
    Side s{n, n + gap(), {}, {}, {}, {}, {}};
    const Int ldb = n + gap();
    s.elements = some<T>(rows * ldb, random);
    s.b = rows_of(s.elements, ldb);
    s.c = s.pieces = s.start = some<T>(m == 0 ? 0 : (m - 1) * s.ldc + n, random);
    sides.push_back(std::move(s));
  }
  const auto start = some<T>(m, random);
  auto sums = start, sums_in_pieces = start;
  std::vector<kernels::LongRight<T>> all, in_pieces;
  for (Side& s : sides) {
    all.push_back({s.b.data(), s.n, s.c.data(), s.ldc});
    in_pieces.push_back({s.b.data(), s.n, s.pieces.data(), s.ldc});
  }
  const Int parts = kernels::long_parts<T>(m, widths.size() == 1 ? widths[0] : 0);
  std::vector<T> scratch(static_cast<std::size_t>(kernels::long_scratch<T>(m)));
  kernels::long_product<T>({a.data(), rows, m, all, sums.data(), accumulate}, 0, parts, scratch.data());
  for (const Side& s : sides) check_result(s.c, s.start, m, s.n, s.ldc, a, s.b, accumulate);
  const T one = 1;
  check_result(sums, start, m, 1, 1, a, std::vector<const T*>(a.size(), &one), accumulate);

  for (Int p = 0, count = 0; p < parts; p += count) {
    count = std::min<Int>(parts - p, 1 + static_cast<Int>(random() % 3));
    kernels::long_product<T>({a.data(), rows, m, in_pieces, sums_in_pieces.data(), accumulate}, p, p + count,
                             scratch.data());
  }
  for (const Side& s : sides) CHECK(s.c == s.pieces);
  CHECK(sums == sums_in_pieces);
}

}  // namespace

TEMPLATE_TEST_CASE("rows times a packed matrix", "[packed]", float, double) {
  std::mt19937 random(1);
  each_target([&] {
    for (const Shape& s : std::vector<Shape>{{0, 5, 5},
                                             {5, 0, 40},
                                             {5, 5, 0},
                                             {1, 1, 1},
                                             {25, 128, 65},
                                             {1, 70, 300},
                                             {3, 64, 17},
                                             {13, 300, 33},
                                             {130, 20, 48},
                                             {2, 600, 144}})
      check_rows_product<TestType>(s, s.m % 2 == 0, s.k % 3 == 0, random);
    for (int i = 0; i < 30; ++i) {
      const auto most = [&](std::uint32_t n) { return static_cast<Int>(random() % n); };
      const Shape s{most(40), most(i % 3 == 0 ? 600 : 40), most(150)};
      check_rows_product<TestType>(s, random() % 2 == 0, random() % 2 == 0, random);
    }
  });
}

TEMPLATE_TEST_CASE("long products and the sums of columns", "[packed]", float, double) {
  std::mt19937 random(2);
  each_target([&] {
    check_long_product<TestType>(0, 5, {40}, true, random);
    check_long_product<TestType>(0, 40, {5, 9}, false, random);
    check_long_product<TestType>(3, 0, {7}, false, random);
    check_long_product<TestType>(3, 7, {0}, false, random);
    check_long_product<TestType>(300, 90, {}, false, random);
    check_long_product<TestType>(700, 65, {20}, false, random);
    check_long_product<TestType>(302, 270, {9, 70, 1}, true, random);
    for (int i = 0; i < 20; ++i) {
      std::vector<Int> widths(random() % 4);
      for (Int& n : widths) n = 1 + static_cast<Int>(random() % 90);
      check_long_product<TestType>(static_cast<Int>(random() % (i % 4 == 0 ? 400 : 60)),
                                   1 + static_cast<Int>(random() % 90), widths, random() % 2 == 0, random);
    }
  });
}

TEST_CASE("an element has the same bits however many rows stand beside it", "[packed]") {
  std::mt19937 random(3);
  const Int k = 700, n = 160, most = 30;
  const auto b = some<float>(k * n, random);
  const Rows<float> a(most, k, random);
  each_target([&] {
    Aligned<float> packed(kernels::packed_size<float>(k, n));
    kernels::pack(b.data(), n, false, k, n, Int(0), kernels::panels<float>(n), packed.data.get());
    Rows<float> all(most, n, random), some_rows(most, n, random);
    kernels::rows_product<float>(a.reading.data(), packed.data.get(), nullptr, all.pointers.data(), most, k,
                                 n, 0, kernels::panels<float>(n));
    for (Int m = 1; m <= most; ++m) {
      kernels::rows_product<float>(a.reading.data() + most - m, packed.data.get(), nullptr,
                                   some_rows.pointers.data() + most - m, m, k, n, 0,
                                   kernels::panels<float>(n));
      CHECK(std::memcmp(all.pointers.back(), some_rows.pointers.back(),
                        static_cast<std::size_t>(n) * sizeof(float)) == 0);
    }
    CHECK(same_bits(all, some_rows));
  });
}
