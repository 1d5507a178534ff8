#include <spool/graph/plan/layout.hpp>

namespace spool::plan {

namespace {

// One way to write each layout where there are several: a dense one is a single row.
Layout normal(Layout l) {
  if (l.rows == 1) l.stride = 0;
  if (l.dense() || l.uniform()) l = {l.root, l.offset, 1, l.size(), 0, l.step};
  return l;
}

}  // namespace

Layout dense(Id root, std::int64_t n) { return {root, 0, 1, n, 0, 1}; }

std::optional<Layout> sliced(const Layout& w, std::int64_t outer, std::int64_t along, std::int64_t inner,
                             std::int64_t begin, std::int64_t end) {
  const std::int64_t count = end - begin;
  if (outer * along * inner != w.size() || w.size() == 0 || count == 0) return std::nullopt;
  Layout l = w;
  if (w.uniform()) {
    l.cols = outer * count * inner;
  } else if (outer == 1 && w.rows == 1) {
    l.offset += begin * inner;
    l.cols = count * inner;
  } else if (w.dense()) {
    l = {w.root, w.offset + begin * inner, outer, count * inner, along * inner, 1};
  } else if (outer == w.rows) {
    l.offset += begin * inner * w.step;
    l.cols = count * inner;
  } else if (outer == 1 && begin * inner % w.cols == 0 && count * inner % w.cols == 0) {
    l.offset += begin * inner / w.cols * w.stride;
    l.rows = count * inner / w.cols;
  } else {
    return std::nullopt;
  }
  return normal(l);
}

std::optional<Layout> with_cols(const Layout& l, std::int64_t cols) {
  if (cols <= 0 || l.size() % cols != 0) return std::nullopt;
  const std::int64_t rows = l.size() / cols;
  if (l.uniform()) return Layout{l.root, l.offset, rows, cols, 0, 0};
  if (l.dense()) return Layout{l.root, l.offset, rows, cols, cols, 1};
  if (l.cols == cols) return l;
  return std::nullopt;
}

std::optional<Layout> repeated(const Layout& l, std::int64_t before, std::int64_t after) {
  if (before * after * l.size() == 0) return std::nullopt;
  if (before * after == 1) return l;
  if (l.uniform() || l.size() == 1) return normal({l.root, l.offset, 1, l.size() * before * after, 0, 0});
  if (before == 1 && l.dense()) return normal({l.root, l.offset, l.size(), after, 1, 0});
  if (before == 1 && l.cols == 1) return normal({l.root, l.offset, l.rows, after, l.stride, 0});
  if (after == 1 && l.dense()) return normal({l.root, l.offset, before, l.size(), 0, 1});
  return std::nullopt;
}

}  // namespace spool::plan
