// Quad: functions against values to 160 bits (as sums of three doubles), IEEE's special cases, conversions.
#include <spool/spool.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string_view>

#include "catch.hpp"

using namespace spool;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
const double not_a_number = std::numeric_limits<double>::quiet_NaN();

Quad quad(const std::array<double, 3>& parts) { return Quad(parts[0]) + Quad(parts[1]) + Quad(parts[2]); }

// |a - b| in units of 2^-113 |b|.
double ulps(const Quad& a, const Quad& b) { return static_cast<double>(abs((a - b) / b)) * 0x1p113; }

struct Known {
  std::string_view function;
  double x;
  std::array<double, 3> value;
};

const Known known[] = {
    {"exp", 1.0, {0x1.5bf0a8b145769p+1, 0x1.4d57ee2b1013ap-53, -0x1.618713a31d3e2p-109}},
    {"exp", -0.5, {0x1.368b2fc6f960ap-1, -0x1.85314b9559e64p-61, -0x1.44c0e5c203a98p-115}},
    {"exp", 0.001, {0x1.0041919b7ee34p+0, -0x1.8bc2a4c3c7051p-55, 0x1.e2cfd047bffafp-110}},
    {"exp", 20.25, {0x1.290d76d1966a9p+29, 0x1.7caa464b02a74p-25, 0x1.a3bd7195aacdep-80}},
    {"exp", -300.0, {0x1.245639c3a49f7p-433, 0x1.2f081eb716d99p-487, -0x1.f24d28bcbbd64p-542}},
    {"exp", 50.0, {0x1.19103e4080b45p+72, 0x1.9935dd033e317p+18, 0x1.8b4f40a43a0eap-36}},
    {"expm1", 1e-10, {0x1.b7cdfd9dda4e3p-34, 0x1.0c95a385d91c6p-88, -0x1.9cb87d9ce4f1cp-143}},
    {"expm1", 0.5, {0x1.4c2531c3c0d38p-1, -0x1.b4690082a4906p-55, -0x1.80c9c135c1d28p-109}},
    {"expm1", -0.5, {-0x1.92e9a0720d3ecp-2, -0x1.85314b9559e64p-61, -0x1.44c0e5c203a98p-115}},
    {"expm1", -0.9, {-0x1.2fd619ffbc8f1p-1, -0x1.fb5c69b778c30p-58, -0x1.8ea4ef9aa4874p-112}},
    {"expm1", 1.5, {0x1.bda7fcc9f8a83p+1, -0x1.4123734e5782cp-53, -0x1.0de17ce1b17b9p-107}},
    {"expm1", -30.0, {-0x1.ffffffffffcb5p-1, -0x1.1f3d53808b2afp-56, -0x1.58e15ff83f0cap-115}},
    {"log", 0.5, {-0x1.62e42fefa39efp-1, -0x1.abc9e3b39803fp-56, -0x1.7b57a079a1934p-111}},
    {"log", 2.0, {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56, 0x1.7b57a079a1934p-111}},
    {"log", 3.7, {0x1.4eeee650ae550p+0, -0x1.7cc343571eabfp-54, 0x1.3a77357da8f46p-108}},
    {"log", 1.0009765625, {0x1.ffc00aa8ab110p-11, -0x1.0fecbeb9b6cdbp-65, -0x1.7171cf29e89d1p-120}},
    {"log", 1e+300, {0x1.5963447f87fb5p+9, 0x1.abccc0710fcd4p-46, 0x1.fc4923b39b0c6p-101}},
    {"log", 1e-300, {-0x1.5963447f87fb5p+9, -0x1.aa670d35324e6p-46, 0x1.c1c30ee9f069fp-101}},
    {"log1p", 1e-10, {0x1.b7cdfd9d1d693p-34, -0x1.0c8b7f5fd9a85p-88, 0x1.f81a96aab59fdp-143}},
    {"log1p", 0.5, {0x1.9f323ecbf984cp-2, -0x1.a92e513217f5cp-59, 0x1.0c0cfa41ff669p-113}},
    {"log1p", -0.5, {-0x1.62e42fefa39efp-1, -0x1.abc9e3b39803fp-56, -0x1.7b57a079a1934p-111}},
    {"log1p", -0.999, {-0x1.ba18a998fff9fp+2, -0x1.112fc120a0a2ap-52, 0x1.b86156140e59fp-108}},
    {"log1p", 1.5, {0x1.d5240f0e0e078p-1, -0x1.7df5360740fe5p-55, 0x1.8ed142164b66ap-110}},
    {"log1p", 10000000000.0, {0x1.7069e2aa3184ep+4, 0x1.8bef93af027d0p-50, 0x1.9ec8672304df9p-107}},
    {"sqrt", 2.0, {0x1.6a09e667f3bcdp+0, -0x1.bdd3413b26456p-54, 0x1.57d3e3adec175p-108}},
    {"sqrt", 0.5, {0x1.6a09e667f3bcdp-1, -0x1.bdd3413b26456p-55, 0x1.57d3e3adec175p-109}},
    {"sqrt", 1e-200, {0x1.bff2ee48e0530p-333, -0x1.d317ce363b261p-388, 0x1.b65d82adc7b2ep-442}},
    {"sqrt", 1e+200, {0x1.249ad2594c37dp+332, -0x1.4730ee2de97f9p+277, 0x1.f38764d170494p+223}},
    {"sin", 0.5, {0x1.eaee8744b05f0p-2, -0x1.789b43c9b027dp-58, 0x1.ed9992f45b4fdp-112}},
    {"sin", -2.0, {-0x1.d18f6ead1b446p-1, 0x1.02a3dbf3bffb2p-56, -0x1.3772a2a93fc5ep-110}},
    {"sin", 10.0, {-0x1.1689ef5f34f52p-1, -0x1.673fd915f0127p-55, -0x1.0004a757c28f5p-111}},
    {"sin", 100000.0, {0x1.24daa9c527e96p-5, 0x1.c767d8e3e1ca8p-60, 0x1.8b7a8c3558f14p-114}},
    {"sin", 3.140625, {0x1.fb543efcc9d39p-11, 0x1.e9aa88fc8843ep-68, 0x1.d77dab75fe5e8p-126}},
    {"cos", 0.5, {0x1.c1528065b7d50p-1, -0x1.892111312e828p-55, -0x1.499eaa6a65316p-110}},
    {"cos", -2.0, {-0x1.aa22657537205p-2, 0x1.6f3341d4d1235p-56, 0x1.e512f9773e5e4p-111}},
    {"cos", 10.0, {-0x1.ad9ac890c6b1fp-1, -0x1.04f7e2a0b9995p-56, 0x1.b3c4532d1f252p-112}},
    {"cos", 100000.0, {-0x1.ffac3841b3da7p-1, -0x1.b085bf2c1a978p-56, -0x1.0e24adc41ad52p-110}},
    {"cos", 1.5703125, {0x1.fb5442e104a91p-12, 0x1.879e86615772dp-67, 0x1.d3c78f7cb770ep-122}},
    {"tanh", 0.5, {0x1.d9353d7568af3p-2, 0x1.944a3b887196cp-56, 0x1.1a74f9932bd06p-111}},
    {"tanh", -0.001, {-0x1.0624d77516ce2p-10, -0x1.503e7c8bbc70ep-66, 0x1.592f4973547fbp-122}},
    {"tanh", 1e-12, {0x1.19799812dea11p-40, -0x1.c5b5b6ee6e898p-122, 0x1.68897f1cec2fdp-181}},
    {"tanh", 3.0, {0x1.fd77d111a0b00p-1, -0x1.df50f574f4805p-57, 0x1.7961282bbea32p-111}},
    {"tanh", -20.0, {-0x1.0000000000000p+0, 0x1.39792499b1a24p-57, 0x1.1aa9dba73f8d7p-112}},
    {"tanh", 30.0, {0x1.0000000000000p+0, -0x1.5ae191a99585ap-86, -0x1.ae0ed5173178bp-141}},
    {"erf", 0.5, {0x1.0a7ef5c18edd2p-1, 0x1.5e809f1a31a28p-56, -0x1.5acf7dea484ecp-110}},
    {"erf", -0.01, {-0x1.71bc266657b66p-7, 0x1.934b340f48c8ap-61, -0x1.26ccddf90b3cep-115}},
    {"erf", 1e-12, {0x1.3d9c49b6a903ep-40, -0x1.3320489a0bec7p-96, -0x1.fffd1f114756ep-150}},
    {"erf", 2.0, {0x1.fd9ae142795e3p-1, 0x1.972801904b9a3p-56, 0x1.f77a05f70abbap-111}},
    {"erf", -4.0, {-0x1.ffffff7b91176p-1, -0x1.0b2865615db40p-56, -0x1.8c9c0bae56a3ap-111}},
    {"erf", 8.0, {0x1.0000000000000p+0, -0x1.c74fc41217dfbp-97, -0x1.dae003e8b6247p-151}},
};

struct KnownPower {
  double x, y;
  std::array<double, 3> value;
};

const KnownPower powers[] = {
    {2.0, 0.5, {0x1.6a09e667f3bcdp+0, -0x1.bdd3413b26456p-54, 0x1.57d3e3adec175p-108}},
    {0.5, -3.25, {0x1.306fe0a31b715p+3, 0x1.6f46ad23182e4p-52, 0x1.7b7b2f09cd0d9p-107}},
    {10.0, 30.0, {0x1.93e5939a08ceap+99, -0x1.215c000000000p+44, 0x0.0p+0}},
    {1.5, 100.0, {0x1.69194f299cddap+58, 0x1.596d07ddd75a5p+2, 0x1.f5573ce04f440p-54}},
    {3.0, -40.0, {0x1.846d550e37b50p-64, 0x1.8f7d0ef993820p-118, -0x1.90aafd734bcd9p-172}},
};

struct Function {
  std::string_view name;
  Quad (*quad)(const Quad&);
  double (*libc)(double);
};

const Function functions[] = {
    {"exp", exp, std::exp},       {"expm1", expm1, std::expm1}, {"log", log, std::log},
    {"log1p", log1p, std::log1p}, {"sqrt", sqrt, std::sqrt},    {"sin", sin, std::sin},
    {"cos", cos, std::cos},       {"tanh", tanh, std::tanh},    {"erf", erf, std::erf},
};

// Same number, sign of zero included, or both NaN.
bool same(const Quad& a, double b) {
  const double d = static_cast<double>(a);
  return std::isnan(b) ? isnan(a) : d == b && std::signbit(d) == std::signbit(b);
}

}  // namespace

TEST_CASE("functions of Quad are right to the last bits") {
  for (const Known& k : known) {
    const Function& f = *std::ranges::find(functions, k.function, &Function::name);
    INFO(f.name << "(" << k.x << ") = " << f.quad(k.x).text());
    const double argument =
        f.name == "exp" ? std::abs(k.x) : 0;  // which exp reduces with an error of its own
    CHECK(ulps(f.quad(k.x), quad(k.value)) <= 8 + argument);
  }
  for (const KnownPower& k : powers) {
    INFO(k.x << " to the " << k.y << " = " << pow(Quad(k.x), Quad(k.y)).text());
    CHECK(ulps(pow(Quad(k.x), Quad(k.y)), quad(k.value)) <= 64);  // log's error times the exponent
  }
}

TEST_CASE("special values are as IEEE and the C library have them") {
  for (const Function& f : functions)
    for (double x : {0.0, -0.0, inf, -inf, not_a_number, -1.0, -2.0, 1e30, -1e30}) {
      const double expected = f.libc(x);
      if (std::isfinite(expected) && expected != std::round(expected)) continue;  // a rounded value
      INFO(f.name << "(" << x << ") is " << f.quad(x).text() << " and should be " << expected);
      CHECK(same(f.quad(x), expected));
    }
  for (double x : {0.0, -0.0, 0.5, 2.0, 1.0, -1.0, -2.0, inf, -inf, not_a_number})
    for (double y : {0.0, -0.0, 0.5, 1.0, 2.0, 3.0, -0.5, -1.0, -2.0, -3.0, inf, -inf, not_a_number}) {
      const double expected = std::pow(x, y);
      if (std::isfinite(expected) && expected * 8 != std::round(expected * 8)) continue;
      INFO(x << " to the " << y << " is " << pow(Quad(x), Quad(y)).text() << " and should be " << expected);
      CHECK(same(pow(Quad(x), Quad(y)), expected));
    }
  CHECK(same(abs(Quad(-0.0)), 0.0));
  CHECK(same(abs(Quad(-inf)), inf));
  CHECK(same(abs(Quad(not_a_number)), not_a_number));
  for (double x : {-1.5, -0.0, 0.0, 2.5, inf, -inf, not_a_number, 0x1p60}) {
    INFO("floor(" << x << ")");
    CHECK(same(floor(Quad(x)), std::floor(x)));
  }
}

TEST_CASE("comparisons with NaN are false") {
  const Quad n = not_a_number, one = 1.0;
  CHECK_FALSE((n < one || n > one || n <= one || n >= one || n == one || n == n));
  CHECK(n != n);
  CHECK((Quad(-inf) < one && one < Quad(inf) && Quad(0.0) == Quad(-0.0)));
  CHECK(
      (isnan(n) && !isfinite(n) && !isinf(n) && isinf(Quad(-inf)) && !isfinite(Quad(inf)) && isfinite(one)));
}

TEST_CASE("conversions lose nothing that fits") {
  for (double x : {1.0, -0.1, 0x1p-1074, 0x1.fffffffffffffp1023, -0.0, 1e-310, inf, -inf, not_a_number})
    CHECK(same(Quad(x), x));
  const std::int64_t large = std::numeric_limits<std::int64_t>::max();
  CHECK(static_cast<std::int64_t>(Quad(large)) == large);
  CHECK(static_cast<std::int64_t>(Quad(-large - 1)) == -large - 1);
  CHECK(static_cast<std::int64_t>(Quad(-2.75)) == -2);
  CHECK(static_cast<float>(Quad(0.1)) == 0.1F);
  CHECK((Quad(1.0) + Quad(0x1p-112)) != Quad(1.0));
  CHECK((Quad(1.0) + Quad(0x1p-114)) == Quad(1.0));
  CHECK(std::numeric_limits<Quad>::epsilon() == Quad(0x1p-112));
  CHECK((Quad(1.0) / 3.0).text() == "0.3333333333333333333333333333333333");
}
