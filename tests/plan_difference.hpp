// What tests that run a recording planned and plain share.
#pragma once

#include <spool/spool.hpp>

#include <algorithm>
#include <cmath>
#include <functional>

#include "catch.hpp"

namespace spool {

inline constexpr double rounding = 1e-12;

/// Numbers in [-1, 1] in which nothing repeats.
inline Tensor numbers(const Shape& s, double seed) {
  Tensor t(s, DType::f64);
  for (std::size_t i = 0; i < t.size(); ++i) t.set(i, std::sin(seed * 7 + 1.3 * static_cast<double>(i)));
  return t;
}

/// The largest difference of any element, relative to the largest element of its value, or to `least` where
/// that is larger.
inline double difference_read(Tape& tape, const Vars& wanted, Tape& other, const Vars& same,
                              double least = 1e-3) {
  REQUIRE(wanted.size() == same.size());
  double worst = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto a = tape.read(wanted[i]).doubles(), b = other.read(same[i]).doubles();
    REQUIRE(a.size() == b.size());
    double scale = least;
    for (const double v : b) scale = std::max(scale, std::abs(v));
    for (std::size_t k = 0; k < a.size(); ++k)
      if (!(std::abs(a[k] - b[k]) / scale <= worst)) worst = std::abs(a[k] - b[k]) / scale;
  }
  return worst;
}

/// Runs both first.
inline double difference(Tape& tape, const Vars& wanted, Tape& other, const Vars& same, double least = 1e-3) {
  tape.run(wanted);
  other.run(same);
  return difference_read(tape, wanted, other, same, least);
}

using Recording = std::function<Vars(Tape&)>;

/// Runs a recording plain, and it or what should be equal with the given passes.
inline double difference(const Recording& record, const char* passes = "", const Recording& equal = {}) {
  Tape plain({.dtype = DType::f64, .plan = "plain"}), planned({.dtype = DType::f64, .plan = passes});
  const Vars expected = record(plain);
  const double worst = difference(planned, equal ? equal(planned) : record(planned), plain, expected, 1);
  CHECK(planned.run_stats().fallbacks == 0);
  return worst;
}

}  // namespace spool
