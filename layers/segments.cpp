#include <spool/graph/error.hpp>
#include <spool/layers/segments.hpp>

#include <fmt/format.h>

namespace spool::detail {

void check_segments(std::int64_t segments) {
  if (segments < 1)
    throw ShapeError(
        fmt::format("gradients_over_segments: {} segments; there must be one at least", segments));
}

void add_gradients(std::vector<Tensor>& sums, Tape& tape, std::span<const Var> gradients) {
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const Tensor& g = tape.read(gradients[i]);
    if (i == sums.size()) {
      sums.push_back(g);
      continue;
    }
    sums[i].visit([&]<class T>(std::span<T> out) {
      const std::span<const T> in = g.as<T>();
      for (std::size_t k = 0; k < out.size(); ++k) out[k] += in[k];
    });
  }
}

}  // namespace spool::detail
