#include "quick_kernels.hpp"

#include <spool/graph/op.hpp>
#include <spool/graph/run/plain.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "catch.hpp"

namespace spool::test {

namespace {

// A node with its operands' values.
template <class T>
struct Node {
  const OpDef& op;
  std::vector<const T*> in;
  std::vector<const Shape*> in_shapes;
  const Shape& shape;
  Attrs attrs;
  RandomState random;

  using Function = void (*)(const Args<T>&);

  std::vector<T> apply(Function f) const {
    std::vector<T> out(static_cast<std::size_t>(shape.size()));
    f({in, in_shapes, out.data(), &shape, attrs, random});
    return out;
  }

  // The same in parts of some rows each.
  std::vector<T> apply_divided(Function f, std::uint32_t divided, std::int64_t rows_each) const {
    std::vector<T> out(static_cast<std::size_t>(shape.size()));
    const std::int64_t rows = shape[0];
    for (std::int64_t first = 0; first < rows; first += rows_each) {
      const std::int64_t count = std::min(rows_each, rows - first);
      std::vector<const T*> part = in;
      std::vector<Shape> shapes;
      std::vector<const Shape*> part_shapes;
      for (std::size_t i = 0; i < in.size(); ++i) {
        shapes.push_back(*in_shapes[i]);
        if ((divided >> i & 1) == 0) continue;
        part[i] += first * (shapes[i].size() / rows);
        shapes[i] = shapes[i].with(0, count);
      }
      for (const Shape& s : shapes) part_shapes.push_back(&s);
      const Shape part_shape = shape.with(0, count);
      f({part, part_shapes, out.data() + first * (shape.size() / rows), &part_shape, attrs, random});
    }
    return out;
  }
};

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return std::ranges::equal(std::as_bytes(std::span(a)), std::as_bytes(std::span(b)));
}

template <class T>
void check_close(const Node<T>& n, const std::vector<T>& quick, const std::vector<T>& plain) {
  T largest = 0;
  std::int64_t elements = 0;
  for (std::size_t i = 0; i < n.in.size(); elements += n.in_shapes[i++]->size())
    for (std::int64_t k = 0; k < n.in_shapes[i]->size(); ++k)
      if (std::isfinite(n.in[i][k])) largest = std::max(largest, std::abs(n.in[i][k]));
  const T unit =
      8 * static_cast<T>(1 + elements / 1000) * std::numeric_limits<T>::epsilon();  // sums grow inexact
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const T a = quick[i], b = plain[i];
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    INFO("element " << i << ": " << a << " against " << b);
    REQUIRE(std::abs(a - b) <= unit * (std::abs(b) + largest));
  }
}

template <class T>
void check_tile(const Node<T>& n, const std::vector<T>& plain) {
  std::vector<typename Tile<T>::Rows> rows;
  for (const T* in : n.in) rows.push_back({in, n.shape.size()});
  std::vector<const typename Tile<T>::Rows*> operands;
  for (const auto& in : rows) operands.push_back(&in);
  std::vector<T> out(plain.size());
  n.op.tile.template get<T>()({operands.data(), out.data(), n.shape.size(), 1, n.shape.size(), n.attrs});
  check_close(n, out, plain);
}

// Rows that lie apart, results that do, and a row of which all is one element.
template <class T>
void check_fold(const Node<T>& n, const std::vector<T>& plain) {
  const Shape& from = *n.in_shapes[0];
  int axis = 0;
  while (axis < from.rank() && n.shape[axis] == from[axis]) ++axis;
  while (axis < from.rank() && n.shape[axis] == 1) ++axis;
  if (axis < from.rank() || plain.empty()) return;  // not along the last axes
  const auto rows = static_cast<std::int64_t>(plain.size());
  const std::int64_t cols = from.size() / rows, stride = cols + 3;
  if (cols == 0) return;
  std::vector<T> apart(static_cast<std::size_t>(rows * stride), T(1e30)), out(plain.size() * 2, T(7));
  for (std::int64_t r = 0; r < rows; ++r) std::copy_n(n.in[0] + r * cols, cols, apart.data() + r * stride);
  const auto fold = [&](const typename Tile<T>::Rows& in, T* to, std::int64_t to_stride, std::int64_t count) {
    const auto* const operand = &in;
    n.op.tile.template get<T>()({&operand, to, to_stride, count, cols, n.attrs});
  };
  fold({apart.data(), stride}, out.data(), 2, rows);
  std::vector<T> found;
  for (std::size_t i = 0; i < out.size(); i += 2) found.push_back(out[i]);
  check_close(n, found, plain);
  CHECK(out.back() == T(7));

  const std::vector<T> same(static_cast<std::size_t>(cols), n.in[0][0]);
  T a = 0, b = 0;
  fold({same.data(), 0}, &a, 1, 1);
  fold({same.data(), 0, 0}, &b, 1, 1);
  CHECK((a == Approx(b) || (a != a && b != b)));
}

// The first axis is the same for the result and the operands that are divided. (A single index has none.)
template <class T>
bool can_divide(const Node<T>& n, std::uint32_t divided) {
  if (n.shape.rank() == 0 || n.shape[0] < 2) return false;
  for (std::size_t i = 0; i < n.in.size(); ++i)
    if ((divided >> i & 1) != 0 && (n.in_shapes[i]->rank() == 0 || (*n.in_shapes[i])[0] != n.shape[0]))
      return false;
  return true;
}

template <class T>
void check_node(const Node<T>& n) {
  INFO(n.op.name << " " << n.shape.text());
  const auto eval = n.op.eval.template get<T>(), fast = n.op.fast.template get<T>();
  const std::vector<T> plain = n.apply(eval);
  if (n.op.tile.template get<T>() != nullptr)
    n.op.kind == Kind::reduce ? check_fold(n, plain) : check_tile(n, plain);
  if (fast != nullptr) check_close(n, n.apply(fast), plain);
  const std::uint32_t divided = n.op.divides != nullptr ? n.op.divides(n.attrs) : 0;
  if (divided == 0 || !can_divide(n, divided)) return;
  for (const std::int64_t rows_each : {std::int64_t{1}, (n.shape[0] + 1) / 2}) {
    INFO("in parts of " << rows_each << " rows");
    CHECK(same_bits(plain, n.apply_divided(eval, divided, rows_each)));
    if (fast != nullptr) CHECK(same_bits(n.apply(fast), n.apply_divided(fast, divided, rows_each)));
  }
}

template <class T>
void check_all(Tape& tape) {
  Vars nodes;
  for (std::uint32_t id = 0; id < tape.size(); ++id) nodes.push_back(tape.at(id));
  const auto values = run_plain<T>(tape, nodes);
  for (std::uint32_t id = 0; id < tape.size(); ++id) {
    const OpDef& op = tape.op(id);
    if (op.eval.template get<T>() == nullptr) continue;
    Node<T> n{op, {}, {}, tape.shape(id), tape.attrs(id), tape.random()};
    for (const std::uint32_t o : tape.operands(id)) {
      n.in.push_back(values[o].data());
      n.in_shapes.push_back(&tape.shape(o));
    }
    check_node(n);
  }
}

}  // namespace

void check_quick_kernels(Tape& tape) {
  tape.dtype() == DType::f32 ? check_all<float>(tape) : check_all<double>(tape);
}

}  // namespace spool::test
