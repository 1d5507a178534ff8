#include <spool/ops/kernels/gemm.hpp>

#include <cblas.h>

#include <algorithm>
#include <mutex>

namespace spool::kernels {

namespace {

// The plain interpreter is one thread, and planned runs have their own: OpenBLAS starts none.
std::once_flag one_thread;

// OpenBLAS refuses leading dimensions of 0, so empty products are settled before it.
template <class T, class Call>
void through_blas(const Gemm& g, T* c, Call&& call) {
  std::call_once(one_thread, [] { openblas_set_num_threads(1); });
  if (g.m == 0 || g.n == 0) return;
  if (g.k == 0) {
    std::fill_n(c, g.m * g.n, T(0));
    return;
  }
  const auto lda = static_cast<blasint>(g.ta ? g.m : g.k), ldb = static_cast<blasint>(g.tb ? g.k : g.n);
  call(g.ta ? CblasTrans : CblasNoTrans, g.tb ? CblasTrans : CblasNoTrans, static_cast<blasint>(g.m),
       static_cast<blasint>(g.n), static_cast<blasint>(g.k), lda, ldb, static_cast<blasint>(g.n));
}

}  // namespace

void gemm(const Gemm& g, const float* a, const float* b, float* c) {
  through_blas(g, c, [&](auto ta, auto tb, auto m, auto n, auto k, auto lda, auto ldb, auto ldc) {
    cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1.0F, a, lda, b, ldb, 0.0F, c, ldc);
  });
}

void gemm(const Gemm& g, const double* a, const double* b, double* c) {
  through_blas(g, c, [&](auto ta, auto tb, auto m, auto n, auto k, auto lda, auto ldb, auto ldc) {
    cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, 1.0, a, lda, b, ldb, 0.0, c, ldc);
  });
}

}  // namespace spool::kernels
