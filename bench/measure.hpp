// What the benchmarks share: times and their quartiles, the processor's ceiling for matrix products, peak
// memory, and the two forms of output (one JSON line, or a few lines to read).
#pragma once

#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <vector>

namespace bench {

template <class F>
double seconds(F&& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Times f again and again, after some runs that do not count.
template <class F>
std::vector<double> repeat(int repeats, F&& f, int warm_up = 3) {
  for (int i = 0; i < warm_up; ++i) f();
  std::vector<double> times;
  for (int i = 0; i < repeats; ++i) times.push_back(seconds(f));
  return times;
}

struct Quartiles {
  double min, first, median, third;
};
/// Of at least one time.
Quartiles quartiles(std::vector<double> times);
double median(std::vector<double> times);

/// GFLOP/s of OpenBLAS's product of two matrices of 1024 x 1024 floats.
double sgemm_ceiling(int threads);

/// The largest memory that this process has had so far, in 10^6 bytes.
double peak_megabytes();

/// Four digits are more than any time is good for.
double rounded(double value);

/// One JSON line, or one "name  value" a line.
void print(const boost::json::object& figures, bool json);

}  // namespace bench
