// FlushDenormals: while it lives, numbers too small for a normal float count as 0 in this thread. A recurrent
// net's states decay into them, and processors handle them up to a hundred times slower.
#pragma once

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

#include <cstdint>

namespace spool::run {

class FlushDenormals {
 public:
#if defined(__SSE2__)
  explicit FlushDenormals(bool on) : before_(_mm_getcsr()) {
    if (on) _mm_setcsr(before_ | 0x8040U);  // FTZ and DAZ
  }
  ~FlushDenormals() { _mm_setcsr(before_); }
#elif defined(__aarch64__)
  explicit FlushDenormals(bool on) {
    asm volatile("mrs %0, fpcr" : "=r"(before_));
    if (on) asm volatile("msr fpcr, %0" : : "r"(before_ | (1ULL << 24)));  // FZ
  }
  ~FlushDenormals() { asm volatile("msr fpcr, %0" : : "r"(before_)); }
#else
  explicit FlushDenormals(bool) {}
#endif
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
#if defined(__SSE2__)
  unsigned before_;
#elif defined(__aarch64__)
  std::uint64_t before_ = 0;
#endif
};

}  // namespace spool::run
