#include "measure.hpp"

#include <cblas.h>
#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <cmath>

namespace bench {

Quartiles quartiles(std::vector<double> times) {
  std::ranges::sort(times);
  const std::size_t n = times.size();
  return {times[0], times[n / 4], times[n / 2], times[3 * n / 4]};
}

double median(std::vector<double> times) { return quartiles(std::move(times)).median; }

double sgemm_ceiling(int threads) {
  openblas_set_num_threads(threads);
  constexpr int n = 1024;
  constexpr auto size = static_cast<std::size_t>(n) * n;
  std::vector<float> a(size, 0.5F), b(size, 0.25F), c(size);
  const auto product = [&] {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1.0F, a.data(), n, b.data(), n, 0.0F,
                c.data(), n);
  };
  return 2.0 * n * size / median(repeat(15, product)) * 1e-9;
}

double peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024e-6;
}

double rounded(double value) {
  if (value == 0 || !std::isfinite(value)) return 0;
  const double unit = std::pow(10, std::floor(std::log10(std::abs(value))) - 3);
  return unit >= 1 ? std::round(value / unit) * unit : std::round(value / unit) / std::round(1 / unit);
}

void print(const boost::json::object& figures, bool json) {
  if (json) {
    fmt::print("{}\n", boost::json::serialize(figures));
    return;
  }
  for (const auto& [name, value] : figures) {
    const std::string text = value.is_double()   ? fmt::format("{}", value.get_double())
                             : value.is_string() ? std::string(value.get_string())
                                                 : boost::json::serialize(value);
    fmt::print("{:20} {}\n", std::string(name), text);
  }
}

}  // namespace bench
