#include <spool/graph/error.hpp>
#include <spool/layers/decode_stepper.hpp>

#include <fmt/format.h>

namespace spool::detail {

std::int64_t rows_of(std::span<const Tensor> state, std::span<const Tensor> memory, int width) {
  if (width < 1) throw ShapeError(fmt::format("DecodeStepper: the width must be at least 1, not {}", width));
  if (state.empty()) throw ShapeError("DecodeStepper: the state has no parts");
  std::int64_t rows = -1;
  for (const auto parts : {state, memory})
    for (const Tensor& part : parts) {
      const Shape& s = part.shape();
      if (rows == -1 && s.rank() > 0) rows = s[0];
      if (s.rank() == 0 || s[0] != rows || rows == 0)
        throw ShapeError(
            fmt::format("DecodeStepper: each part of state and memory needs one row for each sequence; one "
                        "is {}, where {} "
                        "rows are expected",
                        s.text(), rows));
    }
  return rows;
}

std::vector<int> each_repeated(std::int64_t rows, int times) {
  std::vector<int> all;
  for (std::int64_t i = 0; i < rows; ++i)
    all.insert(all.end(), static_cast<std::size_t>(times), static_cast<int>(i));
  return all;
}

}  // namespace spool::detail
