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

template <class T>
void check_long_product(const std::vector<Int>& lengths, Int m, Int n, bool accumulate,
                        std::mt19937& random) {
  INFO(fmt::format("m {} n {} runs {} accumulate {} bytes {}", m, n, fmt::join(lengths, ","), accumulate,
                   sizeof(T)));
  std::vector<std::vector<T>> buffers;
  std::vector<kernels::Run<T>> runs;
  for (const Int rows : lengths) {
    const Int lda = m + static_cast<Int>(random() % 3), ldb = n + static_cast<Int>(random() % 3);
    buffers.push_back(some<T>(rows == 0 ? 0 : (rows - 1) * lda + m, random));
    buffers.push_back(some<T>(rows == 0 ? 0 : (rows - 1) * ldb + n, random));
    runs.push_back({buffers[buffers.size() - 2].data(), lda, buffers.back().data(), ldb, rows});
  }
  const Int parts = kernels::long_parts<T>(m, n), ldc = n + static_cast<Int>(random() % 3);
  const auto start = some<T>(m == 0 ? 0 : (m - 1) * ldc + n, random);
  const auto scratch_size = static_cast<std::size_t>(kernels::long_scratch<T>(m, n));
  auto c = start, pieces = start;
  {
    std::vector<T> scratch(scratch_size);
    kernels::long_product<T>(runs, m, n, ldc, c.data(), accumulate, 0, parts, scratch.data());
  }
  Int wrong = 0, touched = 0;
  for (Int i = 0; i < m; ++i)
    for (Int j = 0; j < std::min(ldc, i + 1 < m ? ldc : n); ++j) {
      const auto at = static_cast<std::size_t>(i * ldc + j);
      if (j >= n) {
        touched += c[at] != start[at];
        continue;
      }
      Sum sum{accumulate ? static_cast<double>(start[at]) : 0, 0};
      for (const auto& r : runs)
        for (Int k = 0; k < r.rows; ++k) sum.add(r.a[k * r.lda + i], r.b[k * r.ldb + j]);
      wrong += !sum.agrees(c[at]);
    }
  CHECK(wrong == 0);
  CHECK(touched == 0);

  for (Int p = 0, count = 0; p < parts; p += count) {
    count = std::min<Int>(parts - p, 1 + static_cast<Int>(random() % 3));
    std::vector<T> scratch(scratch_size);
    kernels::long_product<T>(runs, m, n, ldc, pieces.data(), accumulate, p, p + count, scratch.data());
  }
  CHECK((c.empty() || std::memcmp(c.data(), pieces.data(), c.size() * sizeof(T)) == 0));
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

TEMPLATE_TEST_CASE("long product over runs", "[packed]", float, double) {
  std::mt19937 random(2);
  each_target([&] {
    check_long_product<TestType>({}, 5, 40, true, random);
    check_long_product<TestType>({0, 0}, 40, 5, false, random);
    check_long_product<TestType>({3}, 0, 7, false, random);
    check_long_product<TestType>({3}, 7, 0, false, random);
    check_long_product<TestType>({700}, 65, 20, false, random);
    check_long_product<TestType>({1, 300, 1}, 270, 9, true, random);
    for (int i = 0; i < 20; ++i) {
      std::vector<Int> lengths(random() % 8);
      for (Int& n : lengths) n = static_cast<Int>(random() % (i % 4 == 0 ? 200 : 20));
      check_long_product<TestType>(lengths, 1 + static_cast<Int>(random() % 90),
                                   1 + static_cast<Int>(random() % 90), random() % 2 == 0, random);
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
