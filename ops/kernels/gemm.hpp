// c = op(a) op(b) for row-major matrices, op(x) being x or its transpose. c is [m, n] and is overwritten; a
// is [m, k], or [k, m] when ta; b is [k, n], or [n, k] when tb. float and double go to OpenBLAS.
#pragma once

#include <cstdint>

namespace spool::kernels {

struct Gemm {
  bool ta, tb;
  std::int64_t m, n, k;
};

void gemm(const Gemm& g, const float* a, const float* b, float* c);
void gemm(const Gemm& g, const double* a, const double* b, double* c);

/// The same in plain loops, for any scalar.
template <class T>
void gemm_plain(const Gemm& g, const T* a, const T* b, T* c) {
  for (std::int64_t i = 0; i < g.m; ++i)
    for (std::int64_t j = 0; j < g.n; ++j) {
      T sum = T(0);
      for (std::int64_t p = 0; p < g.k; ++p)
        sum += (g.ta ? a[p * g.m + i] : a[i * g.k + p]) * (g.tb ? b[j * g.k + p] : b[p * g.n + j]);
      c[i * g.n + j] = sum;
    }
}

}  // namespace spool::kernels
