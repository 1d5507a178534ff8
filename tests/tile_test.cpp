// The kernels of planned runs for element-wise ops (ops/kernels/tile.hpp), on every instruction set that this
// processor has: errors against the C library in double, equal bits wherever an element lies, and no element
// touched outside.
#include <spool/ops/kernels/simd.hpp>
#include <spool/ops/kernels/tile.hpp>
#include <spool/spool.hpp>

#include <fmt/format.h>
#include <hwy/highway.h>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "catch.hpp"

using namespace spool;
using kernels::Fn, kernels::Block, kernels::block_kernel;

namespace {

constexpr float inf = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float least_normal = 0x1p-126f;

// Calls f with each instruction set in use.
template <class F>
void on_all_targets(F&& f) {
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(target);
    INFO(hwy::TargetName(target));
    f();
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

struct Function {
  const char* name;
  Fn fn;
  double (*exact)(double);
  double ulps;  // as vector_math.hpp states
  std::array<float, 2> numbers = {};
};

const Function functions[] = {
    {"exp", Fn::exp, [](double x) { return std::exp(x); }, 1.1},
    {"expm1", Fn::expm1, [](double x) { return std::expm1(x); }, 1.6},
    {"log", Fn::log, [](double x) { return std::log(x); }, 1},
    {"log1p", Fn::log1p, [](double x) { return std::log1p(x); }, 1.5},
    {"tanh", Fn::tanh, [](double x) { return std::tanh(x); }, 2.5},
    {"sigmoid", Fn::sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, 2.5},
    {"elu", Fn::elu, [](double x) { return x > 0 ? x : 0.75 * std::expm1(x); }, 3, {0.75F}},
    {"softplus",
     Fn::softplus,
     [](double x) {
       return x > 20 ? x : (std::log1p(std::exp(-std::abs(2 * x))) + std::max(2 * x, 0.0)) / 2;
     },
     3,
     {2, 40}},
    {"sin", Fn::sin, [](double x) { return std::sin(x); }, 2},
    {"cos", Fn::cos, [](double x) { return std::cos(x); }, 2},
    {"erf", Fn::erf, [](double x) { return std::erf(x); }, 1.5},
};

std::vector<float> values_of(const Function& f, const std::vector<float>& x) {
  std::vector<float> y(x.size());
  const auto n = static_cast<std::int64_t>(x.size());
  block_kernel<float>(f.fn)({{{{x.data(), n, 1}}}, y.data(), n, f.numbers}, 1, n);
  return y;
}

// The distance of y from the exact value, in units of the last place of a float there.
double ulps(float y, double exact) {
  if (std::isnan(exact) || std::isinf(static_cast<float>(exact)) || std::isnan(y))
    return (std::isnan(y) && std::isnan(exact)) || y == static_cast<float>(exact) ? 0 : inf;
  if (std::abs(exact) < static_cast<double>(least_normal) && y == 0) return 0;
  int exponent = 0;
  std::frexp(exact, &exponent);
  return std::abs(static_cast<double>(y) - exact) / std::ldexp(1.0, std::max(exponent - 24, -149));
}

// Floats of every sign and exponent: one of each `step`, from the bits up.
std::vector<float> sweep(std::uint32_t step) {
  std::vector<float> x;
  for (std::uint64_t bits = 0; bits < std::uint64_t{1} << 32; bits += step)
    x.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  return x;
}

}  // namespace

TEST_CASE("functions of floats keep their bounds") {
  const std::vector<float> x = sweep(4001);
  for (const Function& f : functions) {
    std::vector<double> exact;
    for (const float v : x) exact.push_back(f.exact(static_cast<double>(v)));
    on_all_targets([&] {
      const std::vector<float> y = values_of(f, x);
      double worst = 0;
      float at = 0;
      for (std::size_t i = 0; i < x.size(); ++i)
        if (const double error = ulps(y[i], exact[i]); !(error <= worst)) worst = error, at = x[i];
      INFO(f.name << " at " << at);
      CHECK(worst <= f.ulps);
    });
  }
}

TEST_CASE("functions of floats at their limits") {
  const std::vector<float> x{0,         -0.0F,      inf,       -inf,   not_a_number, 1,    -1,
                             0x1p-149F, -0x1p-149F, 0x1p-126F, 88,     89,           -103, -104,
                             1e38F,     -1e38F,     87.3F,     -87.3F, 8.99F,        -9.1F};
  for (const Function& f : functions)
    on_all_targets([&] {
      const std::vector<float> y = values_of(f, x);
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double exact = f.exact(static_cast<double>(x[i]));
        INFO(f.name << " of " << x[i] << " is " << y[i] << ", exactly " << exact);
        CHECK(ulps(y[i], exact) <= f.ulps);
        if (y[i] == 0 && exact == 0) CHECK(std::signbit(y[i]) == std::signbit(exact));
        if (f.fn == Fn::tanh) CHECK(!(std::abs(y[i]) > 1));
      }
    });
}

#if defined(__SSE2__)
TEST_CASE("functions of floats where denormal numbers count as 0") {
  std::vector<float> x = sweep(40009);
  x.insert(x.end(), {0, -0.0F, 0x1p-149F, -0x1p-149F, 0x1p-126F, -88, -87, 88, inf, -inf});
  for (const Function& f : functions) {
    const auto before = _mm_getcsr();
    _mm_setcsr(before | 0x8040U);  // as planned runs do
    const std::vector<float> y = values_of(f, x);
    _mm_setcsr(before);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double exact = f.exact(std::abs(x[i]) < least_normal ? 0 : static_cast<double>(x[i]));
      if (std::isnan(x[i]) || (y[i] == 0 && std::abs(exact) < 2 * static_cast<double>(least_normal)))
        continue;
      INFO(f.name << " of " << x[i] << " is " << y[i] << ", exactly " << exact);
      REQUIRE(ulps(y[i], exact) <= f.ulps);
    }
  }
}
#endif

TEST_CASE("an element's bits do not depend on its place, and nothing else is touched") {
  constexpr std::size_t most = 70;
  std::vector<float> x, y, z;
  for (std::size_t i = 0; i < most; ++i) {
    x.push_back(static_cast<float>(i * 37 % most) / 9 - 4);
    y.push_back(static_cast<float>(i * 53 % most) / 30 + 0.1F);
    z.push_back(static_cast<float>(i % 3));
  }
  const auto bits = [](float v) { return std::bit_cast<std::uint32_t>(v); };
  on_all_targets([&] {
    for (int f = 0; f <= static_cast<int>(Fn::erf); ++f) {
      INFO("function " << f);
      const auto kernel = block_kernel<float>(static_cast<Fn>(f));
      REQUIRE(kernel != nullptr);
      // A run of elements from the first on.
      const auto run = [&](std::size_t first, std::int64_t size, float* out) {
        kernel({{{{&x[first], 0, 1}, {&y[first], 0, 1}, {&z[first], 0, 1}}}, out, 0, {0.5F, 3}}, 1, size);
      };
      std::vector<float> alone(most);
      for (std::size_t i = 0; i < most; ++i) run(i, 1, &alone[i]);
      for (std::size_t first = 0; first < 20; ++first)
        for (std::size_t size = 0; size <= most - 20; ++size) {
          std::vector<float> out(most, 77);
          run(first, static_cast<std::int64_t>(size), &out[first]);
          bool same = true;
          for (std::size_t i = 0; i < most; ++i)
            same = same && bits(out[i]) == (i >= first && i < first + size ? bits(alone[i]) : bits(77.0F));
          CHECK(same);
        }
      const std::vector<float> before = x;
      run(0, most, x.data());
      CHECK(std::ranges::equal(x, alone, {}, bits, bits));
      x = before;
    }
  });
}

TEST_CASE("a tile's rows may lie apart, repeat, or be one element each") {
  const std::vector<float> x{1, 2, 3, 9, 4, 5, 6, 9}, row{10, 20, 30}, column{100, 200};
  const auto sum = [](std::initializer_list<Tile<float>::Rows> in, std::int64_t stride, std::int64_t rows,
                      std::int64_t cols) {
    std::vector<float> out(10, 0);
    const Tile<float>::Rows* const both[] = {in.begin(), in.begin() + 1};
    kernels::run_tile<Fn::add, 2>(Tile<float>{both, out.data(), stride, rows, cols, {}});
    return out;
  };
  CHECK(sum({{x.data(), 4}, {row.data(), 0}}, 5, 2, 3) ==
        std::vector<float>{11, 22, 33, 0, 0, 14, 25, 36, 0, 0});
  CHECK(sum({{x.data(), 4}, {column.data(), 1, 0}}, 3, 2, 3) ==
        std::vector<float>{101, 102, 103, 204, 205, 206, 0, 0, 0, 0});
  CHECK(sum({{column.data(), 0, 0}, {x.data(), 4}}, 4, 2, 4) ==
        std::vector<float>{101, 102, 103, 109, 104, 105, 106, 109, 0, 0});
  CHECK(sum({{column.data(), 1, 0}, {column.data() + 1, 0, 0}}, 3, 2, 2) ==
        std::vector<float>{300, 300, 0, 400, 400, 0, 0, 0, 0, 0});
}
