// What tests that run a recording planned and plain share.
#pragma once

#include <spool/spool.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

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

using Values = std::vector<std::vector<double>>;

/// Runs, and gives all elements of each.
inline Values values(Tape& tape, const Vars& wanted) {
  tape.run(wanted);
  Values all;
  for (const Var v : wanted) all.push_back(tape.read(v).doubles());
  return all;
}

/// Element by element, which is stricter than difference().
inline void check_close(const Values& got, const Values& expected) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    REQUIRE(got[i].size() == expected[i].size());
    for (std::size_t j = 0; j < got[i].size(); ++j)
      CHECK(got[i][j] == Approx(expected[i][j]).epsilon(rounding).margin(rounding));
  }
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
