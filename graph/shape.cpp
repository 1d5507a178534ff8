#include <spool/graph/error.hpp>
#include <spool/graph/shape.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace spool {

Shape::Shape(std::initializer_list<std::int64_t> dims) : Shape(std::span(dims.begin(), dims.size())) {}

Shape::Shape(std::span<const std::int64_t> dims) {
  if (dims.size() > max_rank)
    throw ShapeError(fmt::format("a shape has at most {} axes, not {}", max_rank, dims.size()));
  rank_ = static_cast<std::int32_t>(dims.size());
  std::ranges::copy(dims, dims_.begin());
  check_sizes();
}

// Sizes of 0 do not make the others harmless: a reduction or a slice may take them away.
void Shape::check_sizes() const {
  std::int64_t count = 1;
  for (std::int64_t d : dims()) {
    if (d < 0) throw ShapeError(fmt::format("shape {}: a size is negative", text()));
    if (d > 0 && (__builtin_mul_overflow(count, d, &count) || count > std::int64_t{1} << 62))
      throw ShapeError(fmt::format("shape {}: too many elements", text()));
  }
}

std::int64_t Shape::size() const {
  std::int64_t count = 1;
  for (std::int64_t d : dims()) count *= d;
  return count;
}

Shape Shape::with(int axis, std::int64_t size) const {
  Shape s = *this;
  s.dims_[static_cast<std::size_t>(axis)] = size;
  s.check_sizes();
  return s;
}

Shape Shape::without(int axis) const {
  Shape s;
  for (int i = 0; i < rank_; ++i)
    if (i != axis) s.dims_[static_cast<std::size_t>(s.rank_++)] = (*this)[i];
  return s;
}

Shape Shape::inserted(int axis, std::int64_t size) const {
  if (rank_ == max_rank) throw ShapeError(fmt::format("a shape has at most {} axes", max_rank));
  Shape s;
  for (int i = 0; i <= rank_; ++i) {
    if (i == axis) s.dims_[static_cast<std::size_t>(s.rank_++)] = size;
    if (i < rank_) s.dims_[static_cast<std::size_t>(s.rank_++)] = (*this)[i];
  }
  s.check_sizes();
  return s;
}

Shape::Split Shape::split(int axis) const {
  Split s{1, (*this)[axis], 1};
  for (int i = 0; i < axis; ++i) s.outer *= (*this)[i];
  for (int i = axis + 1; i < rank_; ++i) s.inner *= (*this)[i];
  return s;
}

std::string Shape::text() const { return fmt::format("[{}]", fmt::join(dims(), ", ")); }

}  // namespace spool
