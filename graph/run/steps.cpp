#include <spool/graph/run/steps.hpp>

#include <boost/container/static_vector.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

namespace spool::run {

namespace {

// Walks over rows that lie in several places.
template <class T>
class Walker {
 public:
  Walker(const std::vector<plan::Rows>& rows, const Context<T>& c, std::int64_t skip) : rows_(rows), c_(c) {
    while (at_ < rows_.size() && skip >= rows_[at_].count) skip -= rows_[at_++].count;
    within_ = skip;
  }

  // Pointers to the next n rows.
  template <class P>
  void take(P* to, std::int64_t n) {
    while (n > 0) {
      const plan::Rows& r = rows_[at_];
      const std::int64_t some = std::min(n, r.count - within_);
      T* const first = c_.at(r.at) + within_ * r.stride;
      for (std::int64_t i = 0; i < some; ++i) *to++ = first + i * r.stride;
      n -= some;
      within_ += some;
      if (within_ == r.count) ++at_, within_ = 0;
    }
  }

 private:
  const std::vector<plan::Rows>& rows_;
  const Context<T>& c_;
  std::size_t at_ = 0;
  std::int64_t within_ = 0;
};

constexpr std::int64_t row_chunk = 128;

// Numbers of rows, by the rows of the table that have them.
template <class T>
void look_up(const plan::Rows& table, const Context<T>& c, const T** rows, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const T number = *rows[i];
    if (!(number >= T(0) && number < static_cast<T>(table.count)) || number != std::trunc(number))
      throw std::domain_error("an index that its table does not have");  // the plain run says where
    rows[i] = c.at(table.at) + static_cast<std::int64_t>(number) * table.stride;
  }
}

template <class T>
void rows_of(const plan::RowsProduct& s, const Context<T>& c, std::int64_t begin, std::int64_t end,
             std::int64_t first_panel, std::int64_t last_panel) {
  if (begin >= end || first_panel >= last_panel) return;
  const auto& kernels = s.op->product->template get<T>();
  std::array<const T*, row_chunk> a, add;
  std::array<T*, row_chunk> out;
  Walker<T> walk_a(s.a, c, begin), walk_add(s.index.empty() ? s.add : s.index, c, begin),
      walk_c(s.c, c, begin);
  for (std::int64_t r = begin; r < end; r += row_chunk) {
    const std::int64_t n = std::min(row_chunk, end - r);
    walk_a.take(a.data(), n);
    walk_c.take(out.data(), n);
    const T* const* from = nullptr;
    if (!s.add.empty() || !s.index.empty()) walk_add.take(add.data(), n), from = add.data();
    if (!s.index.empty()) look_up(s.table, c, add.data(), n);
    if (s.packed >= 0)
      kernels.rows(a.data(), c.packed + s.packed, from, out.data(), n, s.k, s.n, first_panel, last_panel);
    else
      kernels.rows_as_is(a.data(), c.at(s.right), s.stride, from, out.data(), n, s.k, s.n, first_panel,
                         last_panel);
  }
}

}  // namespace

template <class T>
void run_step(const plan::Pack& s, const Context<T>& c) {
  const auto& kernels = s.op->product->template get<T>();
  const std::int64_t panels = kernels.panels(s.n);
  const auto [first, last] = s.k * s.n < least_products ? c.alone(panels) : c.share(panels);
  if (first < last)
    kernels.pack(c.at(s.from), s.stride, s.transposed, s.k, s.n, first, last, c.packed + s.at);
}

template <class T>
void run_step(const plan::RowsProduct& s, const Context<T>& c) {
  const std::int64_t panels = s.op->product->template get<T>().panels(s.n);
  if (s.rows * s.k * s.n < least_products) {
    const auto [begin, end] = c.alone(s.rows);
    rows_of(s, c, begin, end, 0, panels);
  } else if (s.rows >= 4 * c.threads) {
    const auto [begin, end] = c.share(s.rows);
    rows_of(s, c, begin, end, 0, panels);
  } else {
    const auto [first, last] = c.share(panels);
    rows_of(s, c, 0, s.rows, first, last);
  }
}

template <class T>
void run_step(const plan::LongProduct& s, const Context<T>& c) {
  const auto& kernels = s.op->product->template get<T>();
  constexpr std::size_t most = LongRows<T>::most_rights;
  std::int64_t columns = 1;  // of the right sides; the sums count as one
  for (const auto& r : s.rights) columns += r.n;
  const std::int64_t parts = kernels.sum_parts(s.m, s.rights.size() == 1 ? s.rights[0].n : 0);
  const auto [first, last] = s.rows * s.m * columns < least_products ? c.alone(parts) : c.share(parts);
  if (first >= last) return;

  std::array<const T*, row_chunk> a;
  std::array<std::array<const T*, row_chunk>, most> b;
  std::array<LongRight<T>, most> rights;
  Walker<T> walk_a(s.a, c, 0);
  boost::container::static_vector<Walker<T>, most> walk_b;
  for (std::size_t i = 0; i < s.rights.size(); ++i) {
    const plan::LongProduct::Right& r = s.rights[i];
    walk_b.emplace_back(r.b, c, 0);
    rights[i] = {b[i].data(), r.n, c.at(r.c), r.ldc};
  }
  const std::int64_t pieces = std::max<std::int64_t>(1, (s.rows + row_chunk - 1) / row_chunk);
  for (std::int64_t piece = 0, row = 0; piece < pieces; ++piece) {
    const std::int64_t n = s.rows * (piece + 1) / pieces - row;
    walk_a.take(a.data(), n);
    for (std::size_t i = 0; i < walk_b.size(); ++i) walk_b[i].take(b[i].data(), n);
    kernels.sum({a.data(),
                 n,
                 s.m,
                 {rights.data(), s.rights.size()},
                 s.sums ? c.at(*s.sums) : nullptr,
                 s.adds || piece > 0},
                first, last, c.scratch);
    row += n;
  }
}

namespace {

// Whether the operands that are to be divided have the result's rows: a single index has none.
bool divisible(const plan::EvalStep& s, std::uint32_t divided) {
  if (divided == 0 || s.shape.rank() == 0) return false;
  for (std::size_t i = 0; i < s.in_shapes.size() && i < 32; ++i)
    if ((divided >> i & 1) != 0 && (s.in_shapes[i].rank() == 0 || s.in_shapes[i][0] != s.shape[0]))
      return false;
  return true;
}

}  // namespace

template <class T>
void run_step(const plan::EvalStep& s, const Context<T>& c) {
  const Attrs attrs = c.attrs_at(s.attrs, s.attr_count);
  const auto fast = s.op->fast.template get<T>();
  const auto eval = fast != nullptr ? fast : s.op->eval.template get<T>();
  if (eval == nullptr) throw std::logic_error("an OpDef without an eval for this precision");
  std::array<const T*, 16> few;
  std::array<const Shape*, 16> few_shapes;
  std::vector<const T*> many;
  std::vector<const Shape*> many_shapes;
  const std::size_t n = s.in.size();
  const T** in = few.data();
  const Shape** shapes = few_shapes.data();
  if (n > few.size()) {
    many.resize(n), many_shapes.resize(n);
    in = many.data(), shapes = many_shapes.data();
  }
  for (std::size_t i = 0; i < n; ++i) in[i] = c.at(s.in[i]), shapes[i] = &s.in_shapes[i];

  std::int64_t elements = s.shape.size();
  for (const Shape& shape : s.in_shapes) elements = std::max(elements, shape.size());
  const std::uint32_t divided = s.op->divides != nullptr ? s.op->divides(attrs) : 0;
  if (c.threads == 1 || elements < least_elements || n > few.size() || !divisible(s, divided)) {
    if (c.thread == 0) eval({{in, n}, {shapes, n}, c.at(s.out), &s.shape, attrs, c.random});
    return;
  }
  const std::int64_t rows = s.shape[0];
  const auto [begin, end] = c.share(rows);
  if (begin == end) return;
  std::array<Shape, 16> shorter;
  for (std::size_t i = 0; i < n; ++i) {
    if ((divided >> i & 1) == 0) continue;
    in[i] += begin * (s.in_shapes[i].size() / rows);
    shorter[i] = s.in_shapes[i].with(0, end - begin);
    shapes[i] = &shorter[i];
  }
  const Shape part = s.shape.with(0, end - begin);
  eval({{in, n}, {shapes, n}, c.at(s.out) + begin * (s.shape.size() / rows), &part, attrs, c.random});
}

template <class T>
void run_step(const plan::Copies& s, const Context<T>& c) {
  std::int64_t total = 0;
  for (const auto& [from, to] : s.blocks) total += to.rows * to.cols;
  for (const auto& [from, to] : s.blocks) {
    const std::int64_t size = to.rows * to.cols;
    auto [p, end] = total < least_elements ? c.alone(size) : c.share(size);
    const T* const source = c.at(from.at);
    T* const target = c.at(to.at);
    while (p < end) {
      const std::int64_t fr = p / from.cols, fc = p % from.cols, tr = p / to.cols, tc = p % to.cols;
      const std::int64_t n = std::min({from.cols - fc, to.cols - tc, end - p});
      const T* const x = source + fr * from.stride + fc * from.step;
      T* const y = target + tr * to.stride + tc;
      from.step == 1 ? static_cast<void>(std::copy_n(x, n, y)) : static_cast<void>(std::fill_n(y, n, *x));
      p += n;
    }
  }
}

template <class T>
std::int64_t scratch_size(const plan::Plan& plan) {
  std::int64_t most = 0;
  for (const plan::Step& s : plan.steps)
    if (const auto* p = std::get_if<plan::LongProduct>(&s))
      most = std::max(most, p->op->product->template get<T>().sum_scratch(p->m));
    else if (const auto* t = std::get_if<plan::Tiles>(&s))
      most = std::max(most, tiles_scratch<T>(*t, plan.tile_ops[t->ops]));
  return most;
}

#define SPOOL_STEP(KIND)                                            \
  template void run_step(const plan::KIND&, const Context<float>&); \
  template void run_step(const plan::KIND&, const Context<double>&);
SPOOL_STEP(Pack)
SPOOL_STEP(RowsProduct)
SPOOL_STEP(LongProduct)
SPOOL_STEP(EvalStep)
SPOOL_STEP(Copies)
#undef SPOOL_STEP
template std::int64_t scratch_size<float>(const plan::Plan&);
template std::int64_t scratch_size<double>(const plan::Plan&);

}  // namespace spool::run
