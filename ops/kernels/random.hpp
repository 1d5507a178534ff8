// Random numbers for arrays of floats in vectors: the bits that ops/philox.hpp gives one block at a time.
// Elements 2 b and 2 b + 1 come from block b.
#pragma once

#include <array>
#include <cstdint>

namespace spool::kernels {

struct RandomKernels {
  /// The counter of block b is {b, counter[0], counter[1], counter[2]}.
  struct Stream {
    std::array<std::uint32_t, 2> key;
    std::array<std::uint32_t, 3> counter;
  };
  /// Multiples of 2^-24 in [0, 1).
  void (*uniform)(const Stream& s, std::int64_t size, float* out);
  /// The value with probability p, else 0.
  void (*bernoulli)(const Stream& s, double p, float value, std::int64_t size, float* out);
};

/// For the instructions that this processor has; null where it has no vectors.
const RandomKernels* random_kernels();

}  // namespace spool::kernels
