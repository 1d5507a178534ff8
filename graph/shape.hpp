// Shape: the sizes of an array, row-major, rank 0 (a scalar) to 8. A plain value, cheap to copy and compare.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace spool {

class Shape {
 public:
  static constexpr int max_rank = 8;

  Shape() = default;  ///< A scalar: rank 0, one element.
  Shape(std::initializer_list<std::int64_t> dims);
  /// Throws ShapeError for a negative size, a rank above max_rank or more elements than fit in 2^62.
  explicit Shape(std::span<const std::int64_t> dims);

  int rank() const { return rank_; }
  std::int64_t size() const;  ///< Number of elements; 1 for a scalar.
  std::int64_t operator[](int axis) const { return dims_[static_cast<std::size_t>(axis)]; }
  std::int64_t back() const { return dims_[static_cast<std::size_t>(rank_ - 1)]; }
  std::span<const std::int64_t> dims() const { return {dims_.data(), static_cast<std::size_t>(rank_)}; }

  // The same with one size changed, one axis removed, one inserted before `axis`. Errors as above.
  Shape with(int axis, std::int64_t size) const;
  Shape without(int axis) const;
  Shape inserted(int axis, std::int64_t size) const;

  /// Elements before, along and after an axis: index = (outer * along + i) * inner + j.
  struct Split {
    std::int64_t outer, along, inner;
  };
  Split split(int axis) const;

  std::string text() const;  ///< "[32, 128]"; "[]" for a scalar.

  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (std::size_t i = 0; i < static_cast<std::size_t>(a.rank_); ++i)
      if (a.dims_[i] != b.dims_[i]) return false;
    return true;
  }

 private:
  void check_sizes() const;
  std::int32_t rank_ = 0;
  std::array<std::int64_t, max_rank> dims_{};
};

}  // namespace spool
