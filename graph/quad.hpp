// Quad: a float with a 113-bit significand (IEEE binary128's), in which the plain interpreter can run any
// tape. It is how Spool judges its own rounding: 34 digits against double's 16. Slow, and never stored in a
// file. The arithmetic is Boost.Multiprecision's, kept behind this class so that its headers are read once.
#pragma once

#include <compare>
#include <concepts>
#include <cstdint>
#include <limits>
#include <string>

namespace spool {

class Quad {
 public:
  Quad() : Quad(0.0) {}
  Quad(double v);  // NOLINT: implicit, so that kernels can write x + 1.0
  template <std::integral I>
  Quad(I v) : Quad(from_integer(static_cast<std::int64_t>(v))) {}  // NOLINT
  Quad(const Quad&);
  Quad& operator=(const Quad&);
  ~Quad() = default;

  explicit operator double() const;
  explicit operator float() const { return static_cast<float>(static_cast<double>(*this)); }
  explicit operator std::int64_t() const;
  explicit operator bool() const;

  Quad& operator+=(const Quad& b);
  Quad& operator-=(const Quad& b);
  Quad& operator*=(const Quad& b);
  Quad& operator/=(const Quad& b);
  Quad operator-() const;
  friend Quad operator+(Quad a, const Quad& b) { return a += b; }
  friend Quad operator-(Quad a, const Quad& b) { return a -= b; }
  friend Quad operator*(Quad a, const Quad& b) { return a *= b; }
  friend Quad operator/(Quad a, const Quad& b) { return a /= b; }
  friend bool operator==(const Quad& a, const Quad& b);
  friend std::partial_ordering operator<=>(const Quad& a, const Quad& b);

  std::string text() const;  ///< 34 significant digits.

 private:
  friend struct QuadAccess;
  struct Raw {};
  explicit Quad(Raw) {}
  static Quad from_integer(std::int64_t v);
  alignas(16) unsigned char bytes_[48];
};

Quad exp(const Quad& x);
Quad expm1(const Quad& x);
Quad log(const Quad& x);
Quad log1p(const Quad& x);
Quad sqrt(const Quad& x);
Quad sin(const Quad& x);
Quad cos(const Quad& x);
Quad tanh(const Quad& x);
Quad erf(const Quad& x);
Quad pow(const Quad& x, const Quad& y);
Quad abs(const Quad& x);
Quad floor(const Quad& x);
bool isnan(const Quad& x);
bool isinf(const Quad& x);
bool isfinite(const Quad& x);

}  // namespace spool

template <>
class std::numeric_limits<spool::Quad> {
 public:
  static constexpr bool is_specialized = true;
  static constexpr bool has_infinity = true;
  static constexpr int digits = 113;
  static spool::Quad epsilon();
  static spool::Quad infinity();
  static spool::Quad quiet_NaN();
  static spool::Quad max();
  static spool::Quad lowest();
};
