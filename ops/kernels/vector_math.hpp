// Functions of vectors of floats, compiled once for each instruction set (simd.hpp), and loads and stores of
// less than a vector. Errors are at most, in units in the last place (tests/tile_test.cpp measures them):
//
//   exp 1.1, expm1 1.6, log 1, log1p 1.5, tanh 2.5, sigmoid 2.5, softplus 3, sin and cos 2, erf 1.5
//
// for all arguments and results that are normal numbers or 0. A result below the least normal number may be
// 0; where the processor takes such numbers for 0, one below twice the least may be.
//
// Sums of products are explicit: with fused multiply-add where the instruction set has it and rounded twice
// where not, never as the compiler likes, so that an element's bits do not depend on its place.
//
// The method is Cody and Waite's (Software Manual for the Elementary Functions, 1980): take a multiple of a
// constant in two parts from the argument, approximate the rest by a polynomial, scale by a power of 2. The
// polynomials have the least largest relative error (Remez), with coefficients that are floats.
#if defined(SPOOL_OPS_KERNELS_VECTOR_MATH) == defined(HWY_TARGET_TOGGLE)
#ifdef SPOOL_OPS_KERNELS_VECTOR_MATH
#undef SPOOL_OPS_KERNELS_VECTOR_MATH
#else
#define SPOOL_OPS_KERNELS_VECTOR_MATH
#endif

#include <hwy/highway.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace spool::kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// --- less than a vector

/// The first n elements, then zeros. Reads no further.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> load_first(D d, const T* from, std::size_t n) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  return hn::MaskedLoad(hn::FirstN(d, n), d, from);
#else
  HWY_ALIGN T all[hn::MaxLanes(d)] = {};
  for (std::size_t i = 0; i < n; ++i) all[i] = from[i];
  return hn::Load(d, all);
#endif
}

template <class D, class T = hn::TFromD<D>>
HWY_INLINE void store_first(D d, hn::Vec<D> v, T* to, std::size_t n) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  hn::BlendedStore(v, hn::FirstN(d, n), d, to);
#else
  HWY_ALIGN T all[hn::MaxLanes(d)];
  hn::Store(v, d, all);
  for (std::size_t i = 0; i < n; ++i) to[i] = all[i];
#endif
}

namespace vec {

// --- parts

/// c0 + c1 x + c2 x^2 + ...
template <class D, class V, class... Rest>
HWY_INLINE V polynomial(D d, V x, float c0, Rest... rest) {
  if constexpr (sizeof...(rest) == 0)
    return hn::Set(d, c0);
  else
    return hn::MulAdd(polynomial(d, x, rest...), x, hn::Set(d, c0));
}

/// The smaller (at_most) or larger of a limit and x. NaN stays: x86 gives the second operand when one is NaN,
/// ARM gives NaN, and Highway's emulations give the other one.
template <class V>
HWY_INLINE V at_most(V limit, V x) {
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
  return hn::IfThenElse(hn::Gt(x, limit), limit, x);
#else
  return hn::Min(limit, x);
#endif
}
template <class V>
HWY_INLINE V at_least(V limit, V x) {
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
  return hn::IfThenElse(hn::Lt(x, limit), limit, x);
#else
  return hn::Max(limit, x);
#endif
}
template <class D, class V>
HWY_INLINE V limited(D d, float low, float high, V x) {
  return at_most(hn::Set(d, high), at_least(hn::Set(d, low), x));
}

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float ln2_high = 0.693145751953125f;  // 16 bits: times a small whole number it is exact
constexpr float ln2_low = 1.42860677e-6f;       // the rest
constexpr float log2_e = 1.44269504f;
constexpr float to_whole = 0x1.8p23f;  // added to a number, it leaves no room for a fraction

/// n = x / ln 2 as a whole number, kept as n + bias in the lowest bits of a float.
template <class D, class V>
struct Power {
  V biased, magic;

  HWY_INLINE Power(D d, V x, float log2, float bias) : magic(hn::Set(d, to_whole + bias)) {
    biased = hn::MulAdd(x, hn::Set(d, log2), magic);
  }
  HWY_INLINE V n() const { return hn::Sub(biased, magic); }
  /// 2^n where the bias is 127 and n is in -126..127; infinity where n is 128.
  HWY_INLINE V value(D d) const {
    const hn::RebindToSigned<D> di;
    return hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(di, biased)));
  }
};

/// x - n ln 2
template <class D, class V>
HWY_INLINE V less_ln2(D d, V x, V n) {
  return hn::NegMulAdd(n, hn::Set(d, ln2_low), hn::NegMulAdd(n, hn::Set(d, ln2_high), x));
}

/// exp(r) - 1 for |r| up to half of ln 2.
template <class D, class V>
HWY_INLINE V small_expm1(D d, V r) {
  const V q = polynomial(d, r, 0.49999997f, 0.166665375f, 0.0416677408f, 0.00836731773f, 0.00138378923f);
  return hn::MulAdd(hn::Mul(r, r), q, r);
}

/// log(2^e (1 + f)) for 1 + f between the roots of 1/2 and of 2.
template <class D, class V>
HWY_INLINE V log_of_parts(D d, V e, V f) {
  const V p = polynomial(d, f, 0.333333313f, -0.250008225f, 0.200012609f, -0.166232288f, 0.142009407f,
                         -0.131595537f, 0.127545848f, -0.0761634633f);
  const V square = hn::Mul(f, f);
  const V small = hn::MulAdd(hn::Mul(f, square), p, hn::Mul(e, hn::Set(d, ln2_low)));
  return hn::MulAdd(e, hn::Set(d, ln2_high), hn::Add(f, hn::NegMulAdd(square, hn::Set(d, 0.5f), small)));
}

/// Takes a positive normal number x = 2^e m apart, m between the roots of 1/2 and of 2.
template <class D, class V>
struct Apart {
  hn::Vec<hn::RebindToSigned<D>> e;
  V m;

  HWY_INLINE Apart(D d, V x) {
    const hn::RebindToSigned<D> di;
    const auto bits = hn::BitCast(di, x);
    e = hn::ShiftRight<23>(hn::Sub(bits, hn::Set(di, 0x3f3504f3)));  // the root of 1/2
    m = hn::BitCast(d, hn::Sub(bits, hn::ShiftLeft<23>(e)));
  }
};

/// y, or the value of log at x where that is no positive finite number.
template <class D, class V>
HWY_INLINE V log_at_limits(D d, V x, V y) {
  const V zero = hn::Zero(d), inf = hn::Set(d, infinity);
  y = hn::IfThenElse(hn::Eq(x, inf), inf, y);
  y = hn::IfThenElse(hn::Eq(x, zero), hn::Set(d, -infinity), y);
  return hn::IfThenElse(hn::Ge(x, zero), y, hn::Set(d, std::numeric_limits<float>::quiet_NaN()));
}

// --- exponentials

template <class D, class V>
HWY_INLINE V exp(D d, V x) {
  // 2^n in two factors: for results below the normal numbers, 2^n itself has no float.
  const hn::RebindToSigned<D> di;
  const V y = limited(d, -104.0f, 89.0f, x);
  const Power<D, V> power(d, y, log2_e, 0);
  const V p = small_expm1(d, less_ln2(d, y, power.n()));
  const auto n = hn::Sub(hn::BitCast(di, power.biased), hn::BitCast(di, power.magic));
  const auto half = hn::ShiftRight<1>(n);
  const auto bias = hn::Set(di, 127);
  const V first = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(half, bias)));
  const V second = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(hn::Sub(n, half), bias)));
  return hn::Mul(hn::MulAdd(p, first, first), second);
}

/// exp(x) for x of at most 0. Below -88 the power of 2 is 0, and so is the result.
template <class D, class V>
HWY_INLINE V exp_not_above_one(D d, V x) {
  const V y = at_least(hn::Set(d, -88.0f), x);
  const Power<D, V> power(d, y, log2_e, 127);
  const V scale = power.value(d);
  return hn::MulAdd(small_expm1(d, less_ln2(d, y, power.n())), scale, scale);
}

template <class D, class V>
HWY_INLINE V expm1(D d, V x) {
  const V y = limited(d, -18.0f, 89.0f, x);
  const Power<D, V> power(d, y, log2_e, 126);  // half of 2^n, which n = 128 has as well
  const V p = small_expm1(d, less_ln2(d, y, power.n()));
  const V half = power.value(d);
  const V z = hn::MulAdd(p, half, hn::Sub(half, hn::Set(d, 0.5f)));
  return hn::CopySign(hn::Add(z, z), x);  // -0 stays
}

/// t / (t + 1) with t = (exp(2 |x|) - 1) / 2; near 0 its series, whose last bit is right nearly always, since
/// chains of small steps would add up any bias.
template <class D, class V>
HWY_INLINE V tanh(D d, V x) {
  const V y = at_most(hn::Set(d, 9.5f), hn::Abs(x));
  const Power<D, V> power(d, y, 2 * log2_e, 127);
  // The rounding of ln 2 to a float hardly matters, since n is small where tanh is not nearly 1.
  const V r = hn::NegMulAdd(power.n(), hn::Set(d, 0.34657359f), y);
  // (exp(2 r) - 1) / 2: the polynomial of small_expm1 for twice the argument.
  const V q = polynomial(d, r, 0.99999994f, 0.666661501f, 0.333341926f, 0.133877084f, 0.0442812555f);
  const V p = hn::MulAdd(hn::Mul(r, r), q, r);
  const V scale = power.value(d), half = hn::Set(d, 0.5f);
  const V t = hn::MulAdd(p, scale, hn::MulSub(scale, half, half));
  const V s = hn::Mul(y, y);
  const V series =
      hn::MulAdd(hn::Mul(y, s), polynomial(d, s, -0.333333333f, 0.133333333f, -0.0539682540f), y);
  const V size =
      hn::IfThenElse(hn::Lt(y, hn::Set(d, 0.1f)), series, hn::Div(t, hn::Add(t, hn::Set(d, 1.0f))));
  return hn::CopySignToAbs(size, x);
}

/// 1 / (1 + exp(-x)). Where exp(-x) is too large for a float, the result is 0.
template <class D, class V>
HWY_INLINE V sigmoid(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  const V y = limited(d, -89.0f, 87.0f, x);
  const Power<D, V> power(d, y, -log2_e, 127);
  const V n = power.n();
  const V r =
      hn::MulAdd(n, hn::Set(d, ln2_low), hn::MulAdd(n, hn::Set(d, ln2_high), y));  // exp(-x) = 2^n exp(-r)
  const V e = polynomial(d, r, 1.0f, -1.0f, 0.49999997f, -0.166665375f, 0.0416677408f, -0.00836731773f,
                         0.00138378923f);
  return hn::Div(one, hn::MulAdd(e, power.value(d), one));
}

// --- logarithms

template <class D, class V>
HWY_INLINE V log(D d, V x) {
  // Numbers below the normal ones are scaled up.
  const auto tiny = hn::Lt(x, hn::Set(d, 0x1p-126f));
  const Apart<D, V> a(d, hn::IfThenElse(tiny, hn::Mul(x, hn::Set(d, 0x1p24f)), x));
  const V e = hn::Sub(hn::ConvertTo(d, a.e), hn::IfThenElseZero(tiny, hn::Set(d, 24.0f)));
  return log_at_limits(d, x, log_of_parts(d, e, hn::Sub(a.m, hn::Set(d, 1.0f))));
}

/// log of 1 + x, where what the sum u lost by rounding is added to the fraction. The two-sum is Knuth's.
template <class D, class V>
HWY_INLINE V log1p(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V one = hn::Set(d, 1.0f);
  const V u = hn::Add(one, x), back = hn::Sub(u, one);
  const V lost = hn::Add(hn::Sub(one, hn::Sub(u, back)), hn::Sub(x, back));
  const Apart<D, V> a(d, u);
  // 2^-e; what a number above 2^60 lost does not matter.
  const auto exponent = hn::Sub(hn::Set(di, 127), hn::Min(a.e, hn::Set(di, 60)));
  const V scale = hn::BitCast(d, hn::ShiftLeft<23>(exponent));
  const V f = hn::MulAdd(lost, scale, hn::Sub(a.m, one));
  const V y = log_at_limits(d, u, log_of_parts(d, hn::ConvertTo(d, a.e), f));
  return hn::IfThenElse(hn::Eq(x, hn::Zero(d)), x, y);  // -0 stays
}

/// log(1 + exp(z)) / beta for z = beta x, or x where z is above the threshold.
template <class D, class V>
HWY_INLINE V softplus(D d, V x, V beta, V threshold) {
  const V z = hn::Mul(beta, x), zero = hn::Zero(d);
  const V above = hn::IfThenElseZero(hn::Gt(z, zero), z);
  const V y = hn::Div(hn::Add(above, log1p(d, exp(d, hn::Neg(hn::Abs(z))))), beta);
  return hn::IfThenElse(hn::Gt(z, threshold), x, y);
}

// --- others

/// sin, or cos when `turned` is 1. Multiples of a right angle are taken away in three parts, exactly for
/// arguments below 8192; larger ones go to the C library one by one.
template <int turned, class D, class V>
HWY_INLINE V sine(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V magic = hn::Set(d, to_whole);
  const V k = hn::MulAdd(x, hn::Set(d, 0.636619772f), magic);
  const V n = hn::Sub(k, magic);
  V r = hn::NegMulAdd(n, hn::Set(d, 1.5703125f), x);
  r = hn::NegMulAdd(n, hn::Set(d, 4.83751297e-4f), r);
  r = hn::NegMulAdd(n, hn::Set(d, 7.54978995e-8f), r);
  const V s = hn::Mul(r, r);
  const V sin_r =
      hn::MulAdd(hn::Mul(s, r), polynomial(d, s, -0.166666538f, 0.00833210628f, -0.000195078828f), r);
  const V cos_r = hn::MulAdd(hn::Mul(s, s), polynomial(d, s, 0.0416666456f, -0.00138873083f, 2.44321018e-05f),
                             hn::NegMulAdd(s, hn::Set(d, 0.5f), hn::Set(d, 1.0f)));
  const auto quarter = hn::Add(hn::BitCast(di, k), hn::Set(di, turned));
  const auto odd = hn::RebindMask(d, hn::TestBit(quarter, hn::Set(di, 1)));
  const V sign = hn::BitCast(d, hn::ShiftLeft<30>(hn::And(quarter, hn::Set(di, 2))));
  V y = hn::Xor(hn::IfThenElse(odd, cos_r, sin_r), sign);
  if constexpr (turned == 0) y = hn::IfThenElse(hn::Eq(x, hn::Zero(d)), x, y);  // -0 stays
  if (hn::AllTrue(d, hn::Lt(hn::Abs(x), hn::Set(d, 8192.0f)))) return y;
  HWY_ALIGN float from[hn::MaxLanes(d)], to[hn::MaxLanes(d)];
  hn::Store(x, d, from);
  hn::Store(y, d, to);
  for (std::size_t i = 0; i < hn::Lanes(d); ++i)
    if (!(std::abs(from[i]) < 8192)) to[i] = turned == 0 ? std::sin(from[i]) : std::cos(from[i]);
  return hn::Load(d, to);
}

template <class D, class V>
HWY_INLINE V erf(D d, V x) {
  const V y = hn::Abs(x), s = hn::Mul(x, x);
  const V p = polynomial(d, s, 0.128379166f, -0.37612626f, 0.112835787f, -0.0268533472f, 0.0051871622f,
                         -0.00079978531f, 7.80690316e-05f);
  const V small = hn::MulAdd(x, p, x);
  // 1 - exp(polynomial); at 4 it is 1.
  const V z = polynomial(d, at_most(hn::Set(d, 4.0f), y), -0.000256482715f, -1.12742591f, -0.637600303f,
                         -0.103566647f, 0.0220518764f, -0.00299950945f, 0.000191500862f);
  const Power<D, V> power(d, z, log2_e, 127);
  const V scale = power.value(d), e = hn::MulAdd(small_expm1(d, less_ln2(d, z, power.n())), scale, scale);
  const V large = hn::CopySignToAbs(hn::Sub(hn::Set(d, 1.0f), e), x);
  return hn::IfThenElse(hn::Lt(y, hn::Set(d, 1.0f)), small, large);
}

}  // namespace vec
}  // namespace HWY_NAMESPACE
}  // namespace spool::kernels
HWY_AFTER_NAMESPACE();

#endif
