#include "made_up.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <numbers>
#include <vector>

namespace examples {

using spool::Tensor;

Tensor made_up_track(int gesture, spool::Philox& random) {
  const double begin = random.uniform(0, 6.28), r = random.uniform(0.5, 1.5), step = random.uniform(0.3, 0.6);
  Tensor out({16, 2});
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double t = step * static_cast<double>(i / 2), angle = begin + (gesture == 1 ? t : -t);
    const double x_or_y = i % 2 == 0 ? 1.57 : 0, away = r * t * std::sin(begin + x_or_y);
    const double around = r * (std::sin(angle + x_or_y) - std::sin(begin + x_or_y));
    out.set(i, (gesture == 0 ? 0 : gesture == 3 ? away : around) + random.uniform(-0.05, 0.05));
  }
  return out;
}

Tensor made_up_picture(int kind, spool::Philox& random) {
  constexpr std::int64_t S = 28;
  const double r = random.uniform(6, 10), x = random.uniform(11, 17), y = random.uniform(11, 17);
  Tensor out({S, S});
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double dx = std::abs(static_cast<double>(i % S) - x), dy = std::abs(static_cast<double>(i / S) - y);
    const double distance = kind < 2 ? std::hypot(dx, dy) : std::max(dx, dy);
    const bool inside = distance < r && (kind % 2 == 0 || distance > r - 3);
    out.set(i, (inside ? 0.8 : 0) + random.uniform(0, 0.2));
  }
  return out;
}

Tensor made_up_tones(int digit, spool::Philox& random) {
  constexpr double sample_rate = 8000, pitch[] = {300, 480, 770, 1230, 1960};
  const int first = digit / 2, second = (first + 1) % 5;
  const auto change = 1000 + random.below(1000), end = change + 1000 + random.below(1000);
  const double loud = random.uniform(0.1, 0.5), tune = random.uniform(0.94, 1.06);
  std::vector<float> samples;
  for (std::size_t t = 0; t < end + 600; ++t) {
    const double hz = tune * pitch[(t < change) == (digit % 2 == 0) ? first : second];
    const double wave = std::sin(2 * std::numbers::pi * hz * static_cast<double>(t) / sample_rate);
    samples.push_back(static_cast<float>((t < end ? loud * wave : 0) + random.uniform(-0.1, 0.1)));
  }
  return {{std::ssize(samples)}, samples};
}

std::vector<double> made_up_series() {
  spool::Philox random(1);
  std::vector<double> series;
  double x = 0, slope = 0.1;
  while (series.size() < 2000) {
    series.push_back(x + 0.02 * random.normal());
    x += slope;
    if (x > 1) x = 0, slope = random.uniform(0.05, 0.2);
  }
  return series;
}

std::pair<std::string, std::string> made_up_date(spool::Philox& random) {
  constexpr std::array months{"January", "February", "March",     "April",   "May",      "June",
                              "July",    "August",   "September", "October", "November", "December"};
  const auto year = 1800 + random.below(400), month = random.below(12), day = 1 + random.below(28);
  const std::string name = months.at(month), brief = name.substr(0, 3);
  const std::array forms{fmt::format("{} {} {}", day, name, year), fmt::format("{} {}, {}", brief, day, year),
                         fmt::format("{}/{}/{}", day, month + 1, year),
                         fmt::format("{} {}. {}", year, brief, day)};
  return {forms.at(random.below(forms.size())), fmt::format("{}-{:02}-{:02}", year, month + 1, day)};
}

}  // namespace examples
