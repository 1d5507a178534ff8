// Layout: where the elements of a value lie. Slices, reshapes and repeats of an array are layouts of the same
// storage, so that they cost nothing when a plan runs.
#pragma once

#include <cstdint>
#include <optional>

namespace spool::plan {

using Id = std::uint32_t;  // of a node in a draft
constexpr Id none = 0xffffffffU;

/// The elements of a value in row-major order: rows x cols of them, element (r, c) at
/// offset + r * stride + c * step in the storage of node `root`. step is 1, or 0 where one element serves a
/// whole row.
struct Layout {
  Id root = none;
  std::int64_t offset = 0, rows = 1, cols = 1, stride = 0, step = 1;

  std::int64_t size() const { return rows * cols; }
  bool dense() const { return step == 1 && (rows == 1 || stride == cols); }
  bool uniform() const { return step == 0 && (rows == 1 || stride == 0); }
  friend bool operator==(const Layout&, const Layout&) = default;
};

/// What an op of a tile does with each row: elements from elements, a row folded to one element, a part of a
/// row seen where it lies, a copy, or room for parts that lie side by side.
enum class Form : std::uint8_t { each, fold, slice, copy, join };

/// n elements side by side.
Layout dense(Id root, std::int64_t n);

/// Elements [begin, end) of the middle axis of a value seen as outer x along x inner. Nothing when no layout
/// can say it.
std::optional<Layout> sliced(const Layout& whole, std::int64_t outer, std::int64_t along, std::int64_t inner,
                             std::int64_t begin, std::int64_t end);

/// The same elements as rows of `cols`. Nothing when no layout can say it.
std::optional<Layout> with_cols(const Layout& layout, std::int64_t cols);

/// A value repeated `before` times as a whole, each of its elements `after` times in place.
std::optional<Layout> repeated(const Layout& layout, std::int64_t before, std::int64_t after);

}  // namespace spool::plan
