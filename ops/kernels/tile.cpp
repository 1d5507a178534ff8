#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "spool/ops/kernels/tile.cpp"
#include <spool/ops/kernels/simd.hpp>
#include <spool/ops/kernels/tile.hpp>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <spool/ops/kernels/vector_math.hpp>

#include <utility>

HWY_BEFORE_NAMESPACE();
namespace spool::kernels {
namespace HWY_NAMESPACE {
namespace {

// --- blocks

/// Where a row of an operand begins; for a single element, a vector full of it.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE const T* row_of(D d, const typename Block<T>::Operand& x, std::int64_t row, T* repeated) {
  const T* const first = x.data + row * x.stride;
  if (x.step != 0) return first;
  hn::Store(hn::Set(d, *first), d, repeated);
  return repeated;
}

template <class T, std::size_t arity, std::size_t numbers, class F>
void run_with(const Block<T>& b, std::int64_t rows, std::int64_t cols) {
  [&]<std::size_t... I, std::size_t... J>(std::index_sequence<I...>, std::index_sequence<J...>) HWY_ATTR {
    const hn::ScalableTag<T> d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    HWY_ALIGN T repeated[arity][hn::MaxLanes(d)];
    const std::int64_t advance[] = {b.in[I].step * lanes...};
    const F f{};
    for (std::int64_t row = 0; row < rows; ++row) {
      const T* in[] = {row_of(d, b.in[I], row, repeated[I])...};
      T* const out = b.out + row * b.out_stride;
      std::int64_t i = 0;
      for (; i + lanes <= cols; i += lanes) {
        hn::StoreU(f(d, hn::LoadU(d, in[I])..., hn::Set(d, b.numbers[J])...), d, out + i);
        ((in[I] += advance[I]), ...);
      }
      if (i == cols) continue;
      const auto rest = static_cast<std::size_t>(cols - i);
      store_first(d, f(d, load_first(d, in[I], rest)..., hn::Set(d, b.numbers[J])...), out + i, rest);
    }
  }
  (std::make_index_sequence<arity>{}, std::make_index_sequence<numbers>{});
}

/// The kernel of a function f(d, vectors of the operands..., vectors of the numbers...).
template <class T, std::size_t arity, std::size_t numbers = 0, class F>
BlockKernel<T> map(F) {
  return run_with<T, arity, numbers, F>;
}

template <class T, class F>
BlockKernel<T> comparison(F) {
  return map<T, 2>([](auto d, auto x, auto y)
                       HWY_ATTR { return hn::IfThenElseZero(F{}(d, x, y), hn::Set(d, T(1))); });
}

// --- what there is

template <class T>
BlockKernel<T> arithmetic(Fn fn) {
  switch (fn) {
    case Fn::add:
      return map<T, 2>([](auto, auto x, auto y) HWY_ATTR { return hn::Add(x, y); });
    case Fn::sub:
      return map<T, 2>([](auto, auto x, auto y) HWY_ATTR { return hn::Sub(x, y); });
    case Fn::mul:
      return map<T, 2>([](auto, auto x, auto y) HWY_ATTR { return hn::Mul(x, y); });
    case Fn::div:
      return map<T, 2>([](auto, auto x, auto y) HWY_ATTR { return hn::Div(x, y); });
    case Fn::sigmoid_grad:
      return map<T, 2>([](auto d, auto g, auto y)
                           HWY_ATTR { return hn::Mul(hn::Mul(g, y), hn::Sub(hn::Set(d, T(1)), y)); });
    case Fn::tanh_grad:
      return map<T, 2>([](auto d, auto g, auto y)
                           HWY_ATTR { return hn::Mul(g, hn::Sub(hn::Set(d, T(1)), hn::Mul(y, y))); });
    case Fn::neg:
      return map<T, 1>([](auto, auto x) HWY_ATTR { return hn::Neg(x); });
    case Fn::square:
      return map<T, 1>([](auto, auto x) HWY_ATTR { return hn::Mul(x, x); });
    case Fn::sqrt:
      return map<T, 1>([](auto, auto x) HWY_ATTR { return hn::Sqrt(x); });
    case Fn::rsqrt:
      return map<T, 1>([](auto d, auto x) HWY_ATTR { return hn::Div(hn::Set(d, T(1)), hn::Sqrt(x)); });
    case Fn::abs:
      return map<T, 1>([](auto, auto x) HWY_ATTR { return hn::Abs(x); });
    case Fn::sign:
      return map<T, 1>([](auto d, auto x) HWY_ATTR {
        const auto size = hn::IfThenElse(hn::Eq(x, hn::Zero(d)), hn::Zero(d), hn::Set(d, T(1)));
        return hn::IfThenElse(hn::IsNaN(x), x, hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Neg(size), size));
      });
    case Fn::floor:
      return map<T, 1>([](auto, auto x) HWY_ATTR { return hn::Floor(x); });
    case Fn::copy:
      return map<T, 1>([](auto, auto x) HWY_ATTR { return x; });
    default:
      return nullptr;
  }
}

// NaN differs from everything: with AVX-512, Highway 1.0's Ne says that it does not, so Eq is asked.
template <class T>
BlockKernel<T> choice(Fn fn) {
  switch (fn) {
    case Fn::relu:
      return map<T, 1>([](auto d, auto x) HWY_ATTR { return hn::IfThenZeroElse(hn::Lt(x, hn::Zero(d)), x); });
    case Fn::leaky_relu:
      return map<T, 1, 1>([](auto d, auto x, auto slope) HWY_ATTR {
        return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), x, hn::Mul(slope, x));
      });
    case Fn::clamp:
      return map<T, 1, 2>([](auto, auto x, auto low, auto high) HWY_ATTR {
        return hn::IfThenElse(hn::Lt(x, low), low, hn::IfThenElse(hn::Gt(x, high), high, x));
      });
    case Fn::where:
      return map<T, 3>([](auto d, auto which, auto x, auto y)
                           HWY_ATTR { return hn::IfThenElse(hn::Eq(which, hn::Zero(d)), y, x); });
    case Fn::maximum:
      return map<T, 2>([](auto, auto x, auto y)
                           HWY_ATTR { return hn::IfThenElse(hn::Or(hn::Gt(x, y), hn::IsNaN(x)), x, y); });
    case Fn::minimum:
      return map<T, 2>([](auto, auto x, auto y)
                           HWY_ATTR { return hn::IfThenElse(hn::Or(hn::Lt(x, y), hn::IsNaN(x)), x, y); });
    case Fn::eq:
      return comparison<T>([](auto, auto x, auto y) HWY_ATTR { return hn::Eq(x, y); });
    case Fn::ne:
      return comparison<T>([](auto, auto x, auto y) HWY_ATTR { return hn::Not(hn::Eq(x, y)); });
    case Fn::lt:
      return comparison<T>([](auto, auto x, auto y) HWY_ATTR { return hn::Lt(x, y); });
    case Fn::le:
      return comparison<T>([](auto, auto x, auto y) HWY_ATTR { return hn::Le(x, y); });
    case Fn::gt:
      return comparison<T>([](auto, auto x, auto y) HWY_ATTR { return hn::Gt(x, y); });
    case Fn::ge:
      return comparison<T>([](auto, auto x, auto y) HWY_ATTR { return hn::Ge(x, y); });
    case Fn::logical_and:
      return comparison<T>([](auto d, auto x, auto y) HWY_ATTR {
        return hn::Not(hn::Or(hn::Eq(x, hn::Zero(d)), hn::Eq(y, hn::Zero(d))));
      });
    case Fn::logical_or:
      return comparison<T>([](auto d, auto x, auto y) HWY_ATTR {
        return hn::Not(hn::And(hn::Eq(x, hn::Zero(d)), hn::Eq(y, hn::Zero(d))));
      });
    default:
      return nullptr;
  }
}

BlockKernel<float> function(Fn fn) {
  switch (fn) {
    case Fn::exp:
      return map<float, 1>([](auto d, auto x) HWY_ATTR { return vec::exp(d, x); });
    case Fn::expm1:
      return map<float, 1>([](auto d, auto x) HWY_ATTR { return vec::expm1(d, x); });
    case Fn::log:
      return map<float, 1>([](auto d, auto x) HWY_ATTR { return vec::log(d, x); });
    case Fn::log1p:
      return map<float, 1>([](auto d, auto x) HWY_ATTR { return vec::log1p(d, x); });
    case Fn::tanh:
      return map<float, 1>([](auto d, auto x) HWY_ATTR { return vec::tanh(d, x); });
    case Fn::sigmoid:
      return map<float, 1>([](auto d, auto x) HWY_ATTR { return vec::sigmoid(d, x); });
    case Fn::elu:
      return map<float, 1, 1>([](auto d, auto x, auto alpha) HWY_ATTR {
        return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), x, hn::Mul(alpha, vec::expm1(d, x)));
      });
    case Fn::softplus:
      return map<float, 1, 2>([](auto d, auto x, auto beta, auto threshold)
                                  HWY_ATTR { return vec::softplus(d, x, beta, threshold); });
    case Fn::sin:
      return map<float, 1>([](auto d, auto x) HWY_ATTR { return vec::sine<0>(d, x); });
    case Fn::cos:
      return map<float, 1>([](auto d, auto x) HWY_ATTR { return vec::sine<1>(d, x); });
    case Fn::erf:
      return map<float, 1>([](auto d, auto x) HWY_ATTR { return vec::erf(d, x); });
    default:
      return nullptr;
  }
}

BlockKernel<float> kernel_f32(Fn fn) {
  if (const auto kernel = arithmetic<float>(fn)) return kernel;
  if (const auto kernel = choice<float>(fn)) return kernel;
  return function(fn);
}

BlockKernel<double> kernel_f64(Fn fn) {
  const auto kernel = arithmetic<double>(fn);
  return kernel != nullptr ? kernel : choice<double>(fn);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace spool::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace spool::kernels {

HWY_EXPORT(kernel_f32);
HWY_EXPORT(kernel_f64);

template <>
BlockKernel<float> block_kernel(Fn fn) {
  return HWY_DYNAMIC_DISPATCH(kernel_f32)(fn);
}
template <>
BlockKernel<double> block_kernel(Fn fn) {
  return HWY_DYNAMIC_DISPATCH(kernel_f64)(fn);
}

}  // namespace spool::kernels
#endif
