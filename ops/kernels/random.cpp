#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "spool/ops/kernels/random.cpp"
#include <spool/ops/kernels/random.hpp>
#include <spool/ops/kernels/simd.hpp>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace spool::kernels {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR
const RandomKernels* kernels() { return nullptr; }
#else

using D = hn::ScalableTag<std::uint32_t>;
using V = hn::Vec<D>;
using Stream = RandomKernels::Stream;
constexpr D d;
constexpr hn::Repartition<std::uint64_t, D> d64;
constexpr hn::Rebind<float, D> df;

/// The 64 bits of a product of each lane and a constant.
HWY_INLINE void multiply(V x, V by, V& high, V& low) {
  const auto odd_lanes = hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(d64, x)));
  const auto even = hn::MulEven(x, by), odd = hn::MulEven(odd_lanes, by);
  high = hn::OddEven(hn::BitCast(d, odd), hn::BitCast(d, hn::ShiftRight<32>(even)));
  low = hn::OddEven(hn::BitCast(d, hn::ShiftLeft<32>(odd)), hn::BitCast(d, even));
}

/// One block of Philox4x32-10 in each lane.
struct Blocks {
  V word0, word1, word2, word3;

  HWY_INLINE Blocks(const Stream& s, std::uint32_t first)
      : word0(hn::Iota(d, first)),
        word1(hn::Set(d, s.counter[0])),
        word2(hn::Set(d, s.counter[1])),
        word3(hn::Set(d, s.counter[2])) {
    std::uint32_t key0 = s.key[0], key1 = s.key[1];
    const V by0 = hn::Set(d, 0xD2511F53), by2 = hn::Set(d, 0xCD9E8D57);
    for (int round = 0; round < 10; ++round) {
      V high0, low0, high2, low2;
      multiply(word0, by0, high0, low0);
      multiply(word2, by2, high2, low2);
      word0 = hn::Xor(hn::Xor(high2, word1), hn::Set(d, key0));
      word1 = low2;
      word2 = hn::Xor(hn::Xor(high0, word3), hn::Set(d, key1));
      word3 = low0;
      key0 += 0x9E3779B9;
      key1 += 0xBB67AE85;
    }
  }
};

/// Elements from f(high words, low words) of their blocks.
template <class F>
HWY_INLINE void for_all(const Stream& s, std::int64_t size, float* out, F f) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t i = 0; i < size; i += 2 * lanes) {
    const Blocks b(s, static_cast<std::uint32_t>(i / 2));
    const auto even = f(b.word0, b.word1), odd = f(b.word2, b.word3);
    if (i + 2 * lanes <= size) {
      hn::StoreInterleaved2(even, odd, df, out + i);
    } else {
      HWY_ALIGN float all[2 * hn::MaxLanes(df)];
      hn::StoreInterleaved2(even, odd, df, all);
      std::copy_n(all, size - i, out + i);
    }
  }
}

void uniform(const Stream& s, std::int64_t size, float* out) {
  for_all(s, size, out, [](V high, V) HWY_ATTR {
    const hn::RebindToSigned<D> di;
    return hn::Mul(hn::ConvertTo(df, hn::BitCast(di, hn::ShiftRight<8>(high))), hn::Set(df, 0x1p-24f));
  });
}

// The 53 highest bits of the two words, as a fraction, are below p exactly where all 64 bits are below a
// limit.
void bernoulli(const Stream& s, double p, float value, std::int64_t size, float* out) {
  const double limit = std::ceil(p * 0x1p53);
  if (limit >= 0x1p53) {
    std::fill_n(out, size, value);
    return;
  }
  const std::uint64_t bits = static_cast<std::uint64_t>(limit) << 11;
  const V limit_high = hn::Set(d, static_cast<std::uint32_t>(bits >> 32));
  const V limit_low = hn::Set(d, static_cast<std::uint32_t>(bits));
  const auto yes = hn::Set(df, value);
  for_all(s, size, out, [=](V high, V low) HWY_ATTR {
    const auto below =
        hn::Or(hn::Lt(high, limit_high), hn::And(hn::Eq(high, limit_high), hn::Lt(low, limit_low)));
    return hn::IfThenElseZero(hn::RebindMask(df, below), yes);
  });
}

constexpr RandomKernels all{uniform, bernoulli};
const RandomKernels* kernels() { return &all; }
#endif

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace spool::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace spool::kernels {

HWY_EXPORT(kernels);

const RandomKernels* random_kernels() { return HWY_DYNAMIC_DISPATCH(kernels)(); }

}  // namespace spool::kernels
#endif
