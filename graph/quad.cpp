#include <spool/graph/quad.hpp>

#include <boost/math/special_functions/erf.hpp>
#include <boost/math/special_functions/expm1.hpp>
#include <boost/math/special_functions/log1p.hpp>
#include <boost/multiprecision/cpp_bin_float.hpp>

#include <new>
#include <utility>

namespace spool {

using Real = boost::multiprecision::cpp_bin_float_quad;
using Limits = std::numeric_limits<Real>;

struct QuadAccess {
  static_assert(sizeof(Real) <= sizeof(Quad) && alignof(Real) <= alignof(Quad));
  static_assert(std::is_trivially_destructible_v<Real>);  // so that Quad needs no destructor

  static Real& real(Quad& q) { return *std::launder(reinterpret_cast<Real*>(q.bytes_)); }
  static const Real& real(const Quad& q) { return *std::launder(reinterpret_cast<const Real*>(q.bytes_)); }
  static Quad make(const Real& r) {
    Quad q{Quad::Raw{}};
    new (q.bytes_) Real(r);
    return q;
  }
  static void construct(unsigned char* bytes, const Real& r) { new (bytes) Real(r); }
};

namespace {
Real& real(Quad& q) { return QuadAccess::real(q); }
const Real& real(const Quad& q) { return QuadAccess::real(q); }
Quad make(const Real& r) { return QuadAccess::make(r); }
}  // namespace

Quad::Quad(double v) { QuadAccess::construct(bytes_, Real(v)); }
Quad::Quad(const Quad& q) { QuadAccess::construct(bytes_, real(q)); }
Quad& Quad::operator=(const Quad& q) {
  real(*this) = real(q);
  return *this;
}
Quad Quad::from_integer(std::int64_t v) { return make(Real(v)); }

Quad::operator double() const { return static_cast<double>(real(*this)); }
Quad::operator std::int64_t() const { return static_cast<std::int64_t>(real(*this)); }
Quad::operator bool() const { return !real(*this).is_zero(); }

Quad& Quad::operator+=(const Quad& b) { return real(*this) += real(b), *this; }
Quad& Quad::operator-=(const Quad& b) { return real(*this) -= real(b), *this; }
Quad& Quad::operator*=(const Quad& b) { return real(*this) *= real(b), *this; }
Quad& Quad::operator/=(const Quad& b) { return real(*this) /= real(b), *this; }
Quad Quad::operator-() const { return make(-real(*this)); }
bool operator==(const Quad& a, const Quad& b) { return real(a) == real(b); }
std::partial_ordering operator<=>(const Quad& a, const Quad& b) {
  if (isnan(a) || isnan(b)) return std::partial_ordering::unordered;
  const int c = real(a).compare(real(b));
  return c < 0   ? std::partial_ordering::less
         : c > 0 ? std::partial_ordering::greater
                 : std::partial_ordering::equivalent;
}

std::string Quad::text() const { return real(*this).str(34); }

// IEEE's special cases are settled here, where Boost's functions would report an error instead.
Quad exp(const Quad& x) { return make(Real(boost::multiprecision::exp(real(x)))); }
Quad expm1(const Quad& x) {
  if (!isfinite(x) || boost::multiprecision::abs(real(x)) > 1) return exp(x) - 1.0;
  return make(boost::math::expm1(real(x)));
}
Quad log(const Quad& x) {
  if (x == 0.0) return make(-Limits::infinity());
  if (x < 0.0) return make(Limits::quiet_NaN());
  if (!isfinite(x)) return x;
  return make(Real(boost::multiprecision::log(real(x))));
}
Quad log1p(const Quad& x) {
  if (!isfinite(x) || x <= -1.0 || x > 1.0) return log(x + 1.0);
  return make(boost::math::log1p(real(x)));
}
Quad sqrt(const Quad& x) {
  if (x < 0.0) return make(Limits::quiet_NaN());
  return isfinite(x) ? make(Real(boost::multiprecision::sqrt(real(x)))) : x;
}
Quad sin(const Quad& x) {
  return isfinite(x) ? make(Real(boost::multiprecision::sin(real(x)))) : make(Limits::quiet_NaN());
}
Quad cos(const Quad& x) {
  return isfinite(x) ? make(Real(boost::multiprecision::cos(real(x)))) : make(Limits::quiet_NaN());
}
Quad tanh(const Quad& x) {
  if (isnan(x)) return x;
  if (x > 60.0) return 1.0;
  if (x < -60.0) return -1.0;
  const Quad e = expm1(x * 2.0);
  return e / (e + 2.0);
}
Quad erf(const Quad& x) {
  if (isnan(x) || x == 0.0) return x;
  if (x > 12.0) return 1.0;
  if (x < -12.0) return -1.0;
  return make(boost::math::erf(real(x)));
}
Quad pow(const Quad& x, const Quad& y) {
  using boost::multiprecision::abs, boost::multiprecision::fmod, boost::multiprecision::pow;
  if (isnan(y)) return x == 1.0 ? x : y;
  const bool odd = isfinite(y) && abs(Real(fmod(real(y), Real(2)))) == 1;
  return make(Real(pow(x == 0.0 && !odd ? Real(0) : real(x), real(y))));
}
Quad abs(const Quad& x) { return make(Real(boost::multiprecision::fabs(real(x)))); }
Quad floor(const Quad& x) { return isfinite(x) ? make(Real(boost::multiprecision::floor(real(x)))) : x; }
bool isnan(const Quad& x) { return boost::multiprecision::isnan(real(x)); }
bool isinf(const Quad& x) { return boost::multiprecision::isinf(real(x)); }
bool isfinite(const Quad& x) { return boost::multiprecision::isfinite(real(x)); }

}  // namespace spool

spool::Quad std::numeric_limits<spool::Quad>::epsilon() { return spool::make(spool::Limits::epsilon()); }
spool::Quad std::numeric_limits<spool::Quad>::infinity() { return spool::make(spool::Limits::infinity()); }
spool::Quad std::numeric_limits<spool::Quad>::quiet_NaN() { return spool::make(spool::Limits::quiet_NaN()); }
spool::Quad std::numeric_limits<spool::Quad>::max() { return spool::make((spool::Limits::max)()); }
spool::Quad std::numeric_limits<spool::Quad>::lowest() { return spool::make(spool::Limits::lowest()); }
