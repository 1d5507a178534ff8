#include <spool/graph/error.hpp>
#include <spool/layers/init.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace spool {

namespace fill {

namespace {

struct Fans {
  double in, out;
};

Fans fans(const Shape& s) {
  const auto all = static_cast<double>(s.size());
  if (s.rank() < 2) return {all, all};
  return {all / static_cast<double>(s[0]), all / static_cast<double>(s[1])};
}

std::vector<double> drawn(const Shape& shape, const std::function<double()>& next) {
  std::vector<double> values(static_cast<std::size_t>(shape.size()));
  std::ranges::generate(values, next);
  return values;
}

// Uniform or normal numbers of mean 0 and the variance that a rule gives.
template <class Variance>
Fill uniform_of(Variance variance) {
  return [variance](const Shape& shape, Philox& random) {
    const double bound = std::sqrt(3 * variance(fans(shape)));
    return drawn(shape, [&] { return random.uniform(-bound, bound); });
  };
}

template <class Variance>
Fill normal_of(Variance variance) {
  return [variance](const Shape& shape, Philox& random) {
    const double deviation = std::sqrt(variance(fans(shape)));
    return drawn(shape, [&] { return deviation * random.normal(); });
  };
}

auto xavier(double gain) {
  return [gain](Fans f) { return gain * gain * 2 / (f.in + f.out); };
}

auto kaiming(double a) {
  return [a](Fans f) { return 2 / ((1 + a * a) * f.in); };
}

// Makes rows orthonormal, in order (modified Gram-Schmidt, twice: the second pass removes what rounding left
// of the first). Rows of normal numbers, as many as columns at most, are independent.
void orthonormalise(std::vector<double>& m, std::size_t rows, std::size_t columns) {
  const auto dot = [&](const double* a, const double* b) {
    double sum = 0;
    for (std::size_t j = 0; j < columns; ++j) sum += a[j] * b[j];
    return sum;
  };
  for (std::size_t i = 0; i < rows; ++i) {
    double* row = m.data() + i * columns;
    for (int pass = 0; pass < 2; ++pass)
      for (std::size_t k = 0; k < i; ++k) {
        const double* done = m.data() + k * columns;
        const double share = dot(row, done);
        for (std::size_t j = 0; j < columns; ++j) row[j] -= share * done[j];
      }
    const double length = std::sqrt(dot(row, row));
    for (std::size_t j = 0; j < columns; ++j) row[j] /= length;
  }
}

}  // namespace

Fill zeros() { return constant(0); }

Fill constant(double value) {
  return [value](const Shape& shape, Philox&) { return drawn(shape, [&] { return value; }); };
}

Fill uniform(double low, double high) {
  return [low, high](const Shape& shape, Philox& random) {
    return drawn(shape, [&] { return random.uniform(low, high); });
  };
}

Fill normal(double mean, double deviation) {
  return [mean, deviation](const Shape& shape, Philox& random) {
    return drawn(shape, [&] { return mean + deviation * random.normal(); });
  };
}

Fill xavier_uniform(double gain) { return uniform_of(xavier(gain)); }
Fill xavier_normal(double gain) { return normal_of(xavier(gain)); }
Fill kaiming_uniform(double a) { return uniform_of(kaiming(a)); }
Fill kaiming_normal(double a) { return normal_of(kaiming(a)); }

Fill orthogonal(double gain) {
  return [gain](const Shape& shape, Philox& random) {
    if (shape.rank() < 2)
      throw ShapeError(fmt::format("orthogonal: needs at least two axes, not shape {}", shape.text()));
    const auto rows = static_cast<std::size_t>(shape[0]);
    const std::size_t columns = static_cast<std::size_t>(shape.size()) / rows;
    const std::size_t few = std::min(rows, columns), many = std::max(rows, columns);
    std::vector<double> m = drawn(Shape{static_cast<std::int64_t>(few), static_cast<std::int64_t>(many)},
                                  [&] { return random.normal(); });
    orthonormalise(m, few, many);
    std::vector<double> values(m.size());
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < columns; ++j)
        values[i * columns + j] = gain * (rows <= columns ? m[i * many + j] : m[j * many + i]);
    return values;
  };
}

Fill stacked(std::vector<Fill> parts) {
  return [parts = std::move(parts)](const Shape& shape, Philox& random) {
    const auto n = static_cast<std::int64_t>(parts.size());
    if (n == 0 || shape.rank() == 0 || shape[0] % n != 0)
      throw ShapeError(fmt::format("stacked: shape {} does not divide into {} parts", shape.text(), n));
    std::vector<double> values;
    for (const Fill& part : parts) {
      const std::vector<double> some = part(shape.with(0, shape[0] / n), random);
      values.insert(values.end(), some.begin(), some.end());
    }
    return values;
  };
}

}  // namespace fill

Init Init::named(std::string_view name) const {
  Init init = *this;
  init.prefix += name;
  init.prefix += '.';
  return init;
}

Init Init::suffixed(std::string_view text) const {
  Init init = *this;
  init.suffix = text;
  return init;
}

Param Init::param(std::string_view name, const Shape& shape, const Fill& values) const {
  const std::string full = prefix + std::string(name) + suffix;
  if (shape.size() == 0)
    throw ShapeError(
        fmt::format("parameter \"{}\" would be {}; set the layer's sizes above 0", full, shape.text()));
  Philox random(seed, (*made)++);
  return Param(full, Tensor(shape, values(shape, random)).to(dtype));
}

}  // namespace spool
