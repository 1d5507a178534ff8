#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "spool/ops/kernels/random.cpp"
#include <spool/ops/kernels/random.hpp>
#include <spool/ops/kernels/simd.hpp>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <spool/ops/kernels/vector_math.hpp>

#include <algorithm>
#include <bit>
#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace spool::kernels {
namespace HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_SCALAR
const RandomKernels* kernels() { return nullptr; }
#else

using D = hn::ScalableTag<std::uint64_t>;
using V = hn::Vec<D>;
using Stream = RandomKernels::Stream;
constexpr D d;
constexpr hn::Repartition<std::uint32_t, D> d32;
constexpr hn::Repartition<std::int32_t, D> di;
constexpr hn::Repartition<float, D> df;

/// The two keys of each round.
using Keys = std::array<std::array<std::uint64_t, 2>, 10>;
Keys keys_of(const Stream& s) {
  Keys keys;
  auto [first, second] = s.key;
  for (auto& key : keys) {
    key = {first, second};
    first += 0x9E3779B9;
    second += 0xBB67AE85;
  }
  return keys;
}

/// One block of Philox4x32-10 in each lane of 64 bits. A word is the lower half of its lane; what stands
/// above it means nothing.
struct Blocks {
  V word0, word1, word2, word3;

  HWY_INLINE Blocks(const Stream& s, const Keys& keys, V number)
      : word0(number),
        word1(hn::Set(d, s.counter[0])),
        word2(hn::Set(d, s.counter[1])),
        word3(hn::Set(d, s.counter[2])) {
    const auto by0 = hn::Set(d32, 0xD2511F53), by2 = hn::Set(d32, 0xCD9E8D57);
    for (const auto& key : keys) {
      const V product0 = hn::MulEven(hn::BitCast(d32, word0), by0);
      const V product2 = hn::MulEven(hn::BitCast(d32, word2), by2);
      word0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(product2), word1), hn::Set(d, key[0]));
      word1 = product2;
      word2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(product0), word3), hn::Set(d, key[1]));
      word3 = product0;
    }
  }

  /// All 64 bits of an element: two words, the higher one first.
  HWY_INLINE V even() const { return joined(word0, word1); }
  HWY_INLINE V odd() const { return joined(word2, word3); }

 private:
  static HWY_INLINE V joined(V high, V low) {
    return hn::Or(hn::ShiftLeft<32>(high), hn::And(low, hn::Set(d, 0xFFFFFFFF)));
  }
};

/// Elements from f(block): a vector of floats, which has a block's two elements in each 64 bits.
template <class F>
HWY_INLINE void for_all(const Stream& s, std::int64_t size, float* out, F f) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(df));
  const Keys keys = keys_of(s);
  V number = hn::Iota(d, 0);
  for (std::int64_t i = 0; i < size; i += lanes) {
    const auto v = f(Blocks(s, keys, number));
    number = hn::Add(number, hn::Set(d, hn::Lanes(d)));
    if (i + lanes <= size)
      hn::StoreU(v, df, out + i);
    else
      store_first(df, v, out + i, static_cast<std::size_t>(size - i));
  }
}

void uniform(const Stream& s, std::int64_t size, float* out) {
  for_all(s, size, out, [](const Blocks& b) HWY_ATTR {
    const V even = hn::ShiftRight<32>(b.even()), odd = hn::ShiftLeft<32>(b.word2);
    const auto bits = hn::ShiftRight<8>(hn::BitCast(d32, hn::Or(even, odd)));
    return hn::Mul(hn::ConvertTo(df, hn::BitCast(di, bits)), hn::Set(df, 0x1p-24f));
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
  const V end = hn::Set(d, static_cast<std::uint64_t>(limit) << 11);
  const std::uint64_t bits = std::bit_cast<std::uint32_t>(value);
  const V yes_even = hn::Set(d, bits), yes_odd = hn::Set(d, bits << 32);
  for_all(s, size, out, [=](const Blocks& b) HWY_ATTR {
    const V even = hn::IfThenElseZero(hn::Lt(b.even(), end), yes_even);
    return hn::BitCast(df, hn::Or(even, hn::IfThenElseZero(hn::Lt(b.odd(), end), yes_odd)));
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
