// Softmax and its relatives over rows of floats that lie side by side, in vectors: the quick form of
// softmax.hpp. Weights that are below the least normal number are 0.
#pragma once

#include <spool/ops/kernels/softmax.hpp>

#include <cstdint>

namespace spool::kernels {

struct SoftmaxKernels {
  using Rows = void (*)(const float* x, std::int64_t rows, std::int64_t size, float* out);
  Rows softmax, log_softmax;
  Rows logsumexp;  // one result for each row
};

/// For the instructions that this processor has.
SoftmaxKernels softmax_kernels();

/// One of them where it fits the axes, else its plain form in softmax.hpp.
template <SoftmaxKernels::Rows SoftmaxKernels::*kernel, void (*plain)(const Folding&, const float*, float*)>
void softmax_quickly(std::span<const std::int64_t> dims, std::span<const std::int64_t> axes, const float* x,
                     float* out) {
  static const SoftmaxKernels::Rows rows = softmax_kernels().*kernel;
  const Folding f(dims, axes);
  if (f.folded.size() == 1 && f.folded[0].stride == 1 && f.kept.size() <= 1)
    rows(x, f.kept.empty() ? 1 : f.kept[0].size, f.folded[0].size, out);
  else
    plain(f, x, out);
}

}  // namespace spool::kernels
