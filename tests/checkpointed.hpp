// Recordings with checkpoints against the same without them.
#pragma once

#include <spool/spool.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "catch.hpp"

namespace spool {

inline std::vector<double> wave(std::int64_t n) {
  std::vector<double> v(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = std::sin(1 + static_cast<double>(i));
  return v;
}
inline Tensor tensor(const Shape& shape) { return Tensor(shape, wave(shape.size())); }

/// Loss and gradients of what `outputs` records, with parameters and inputs.
struct Outcome {
  std::vector<std::vector<double>> values;
  std::uint32_t nodes;
  std::size_t arena;
};
using Record = std::function<Var(Tape&, Var xs)>;

inline Outcome outcome(const std::string& plan, DType dtype, const Params& params, const Shape& shape,
                       const Record& record) {
  Tape tape({.dtype = dtype, .seed = 7, .plan = plan});
  const Var xs = tape.input(tensor(shape), "xs");
  const Var loss = record(tape, xs);
  Vars wanted{xs};
  for (const Param& p : params) wanted.push_back(tape.param(p));
  wanted = grad(loss, wanted);
  wanted.push_back(loss);
  tape.run(wanted);
  Outcome all{{}, tape.size(), tape.run_stats().arena_bytes};
  for (const Var v : wanted) all.values.push_back(tape.read(v).doubles());
  return all;
}

inline double difference(const Outcome& a, const Outcome& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    double scale = 1e-3;
    for (const double v : a.values[i]) scale = std::max(scale, std::abs(v));
    for (std::size_t k = 0; k < a.values[i].size(); ++k)
      worst = std::max(worst, std::abs(a.values[i][k] - b.values[i][k]) / scale);
  }
  return worst;
}

/// The same bits in a plain run, and the same within rounding under the planner.
inline void check_same(const Params& params, const Shape& shape, const Record& without, const Record& with,
                       int order = 1) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Outcome expected = outcome("plain", dtype, params, shape, without);
    const Outcome plain = outcome("plain", dtype, params, shape, with);
    CHECK(plain.nodes > expected.nodes);
    if (order == 1) CHECK(plain.values == expected.values);
    CHECK(difference(expected, plain) < (dtype == DType::f32 ? 1e-5 : 1e-13));
    for (const char* passes : {"", "-sums", "-select", "-fuse", "-sink", "-group", "-place", "-reuse"}) {
      INFO("passes " << passes);
      CHECK(difference(expected, outcome(passes, dtype, params, shape, with)) <
            (dtype == DType::f32 ? 2e-4 : 1e-11));
    }
  }
}

}  // namespace spool
