#include <spool/graph/run/steps.hpp>

#include <boost/container/static_vector.hpp>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace spool::run {

namespace {

// Work below this many multiplications or elements is left to one thread: fetching what others computed costs
// more.
constexpr std::int64_t least_products = 1 << 16;
constexpr std::int64_t least_elements = 1 << 11;

// The whole of a step for the first thread, nothing for the others.
std::pair<std::int64_t, std::int64_t> alone(int thread, std::int64_t n) {
  return thread == 0 ? std::pair<std::int64_t, std::int64_t>{0, n}
                     : std::pair<std::int64_t, std::int64_t>{0, 0};
}

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

template <class T>
void rows_of(const plan::RowsProduct& s, const Context<T>& c, std::int64_t begin, std::int64_t end,
             std::int64_t first_panel, std::int64_t last_panel) {
  if (begin >= end || first_panel >= last_panel) return;
  const auto& kernels = s.op->product->template get<T>();
  std::array<const T*, row_chunk> a, add;
  std::array<T*, row_chunk> out;
  Walker<T> walk_a(s.a, c, begin), walk_add(s.add, c, begin), walk_c(s.c, c, begin);
  for (std::int64_t r = begin; r < end; r += row_chunk) {
    const std::int64_t n = std::min(row_chunk, end - r);
    walk_a.take(a.data(), n);
    walk_c.take(out.data(), n);
    if (!s.add.empty()) walk_add.take(add.data(), n);
    const T* const* const from = s.add.empty() ? nullptr : add.data();
    if (s.packed >= 0)
      kernels.rows(a.data(), c.packed + s.packed, from, out.data(), n, s.k, s.n, first_panel, last_panel);
    else
      kernels.rows_as_is(a.data(), c.at(s.right), s.stride, from, out.data(), n, s.k, s.n, first_panel,
                         last_panel);
  }
}

// --- element-wise tiles

template <class T>
class TileRunner {
 public:
  TileRunner(const plan::Tiles& s, const Context<T>& c)
      : s_(s),
        c_(c),
        ops_(c.plan.tile_ops[s.ops]),
        width_(ops_.whole_rows ? s.cols : std::min(s.cols, tile_size)),
        height_(height(s, ops_)),
        room_(room(s, ops_)) {
    temporaries_ = c.scratch;
    filled_ = temporaries_ + ops_.temporaries * room_;
    slots_ = reinterpret_cast<typename Tile<T>::Rows*>(filled_ + most_operands * room_);
  }

  // Elements of scratch that a step needs.
  static std::int64_t scratch(const plan::Tiles& s, const plan::TileOps& ops) {
    const auto slots =
        static_cast<std::int64_t>((ops.inputs + ops.ops.size()) * sizeof(typename Tile<T>::Rows));
    return (ops.temporaries + most_operands) * room(s, ops) + slots / static_cast<std::int64_t>(sizeof(T)) +
           64;
  }

  // Rows [begin, end) of an instance, columns [left, right).
  void run(std::size_t instance, std::int64_t begin, std::int64_t end, std::int64_t left,
           std::int64_t right) {
    const plan::Rows* operands = s_.operands.data() + instance * (ops_.inputs + ops_.outputs);
    for (std::int64_t r = begin; r < end; r += height_)
      for (std::int64_t x = left; x < right; x += width_)
        tile(operands, r, std::min(height_, end - r), x, std::min(width_, right - x));
  }

 private:
  static constexpr std::int64_t most_operands = 8;

  static std::int64_t height(const plan::Tiles& s, const plan::TileOps& ops) {
    return std::max<std::int64_t>(1, tile_size / (ops.whole_rows ? ops.mean_cols : s.cols));
  }
  static std::int64_t room(const plan::Tiles& s, const plan::TileOps& ops) {
    return ops.whole_rows ? (height(s, ops) * s.cols + 15) / 16 * 16 : tile_size;
  }

  void tile(const plan::Rows* operands, std::int64_t row, std::int64_t rows, std::int64_t col,
            std::int64_t cols) {
    for (std::uint32_t i = 0; i < ops_.inputs; ++i) {
      const plan::Rows& in = operands[i];
      const std::int32_t step = ops_.steps[i] != 0 ? 1 : 0;
      slots_[i] = {c_.at(in.at) + row * in.stride + col * step, in.stride, step};
    }
    const std::uint32_t* args = ops_.operands.data();
    for (std::size_t i = 0; i < ops_.ops.size(); ++i) {
      const plan::TileOps::Op& op = ops_.ops[i];
      typename Tile<T>::Rows& result = slots_[ops_.inputs + i];
      const std::int32_t step = op.single ? 0 : 1;
      if (op.form == plan::Form::slice) {
        const auto& of = slots_[args[op.operands]];
        result = {of.data + op.at, of.stride, step};
        continue;
      }
      // Tiles are narrower than rows only where all ops go through whole rows or one element each.
      const std::int64_t n = op.cols == s_.cols ? cols : op.cols;
      std::int64_t stride = op.row == s_.cols ? cols : op.row;
      T* out = temporaries_ + op.temporary * room_ + op.at;
      if (op.output >= 0) {
        const plan::Rows& to = operands[ops_.inputs + static_cast<std::uint32_t>(op.output)];
        out = c_.at(to.at) + row * to.stride + (op.row == s_.cols ? col : 0) + op.at;
        stride = to.stride;
      }
      result = {out, stride, step};
      if (op.form == plan::Form::join) continue;
      const typename Tile<T>::Rows* in[most_operands];
      for (std::uint32_t k = 0; k < op.arity; ++k) in[k] = &slots_[args[op.operands + k]];
      apply(op, {in, out, stride, rows, n, c_.attrs_at(op.attrs, op.attr_count)}, in);
    }
  }

  using Operands = const typename Tile<T>::Rows* [most_operands];

  void apply(const plan::TileOps::Op& op, Tile<T> t, Operands& in) {
    if (op.form == plan::Form::copy) return copy(t);
    if (op.single && op.form == plan::Form::each) turn(t, in, op.arity);
    if (const auto kernel = op.op->tile.template get<T>())
      kernel(t);
    else
      eval(op, t, in);
  }

  static void copy(const Tile<T>& t) {
    if (t.in[0]->data == t.out) return;  // it was computed right there
    for (std::int64_t r = 0; r < t.rows; ++r) {
      const T* const from = t.in[0]->data + r * t.in[0]->stride;
      T* const to = t.out + r * t.out_stride;
      t.in[0]->step != 0 ? std::copy_n(from, t.cols, to) : std::fill_n(to, t.cols, *from);
    }
  }

  // Single elements of rows are one row of elements, when they lie side by side.
  void turn(Tile<T>& t, Operands& operands, std::uint32_t arity) {
    bool side_by_side = t.out_stride == 1;
    for (std::uint32_t k = 0; k < arity; ++k)
      side_by_side = side_by_side && (operands[k]->stride == 0 || operands[k]->stride == 1);
    t.cols = 1;
    if (side_by_side) std::swap(t.rows, t.cols);
    for (std::uint32_t k = 0; k < arity; ++k) {
      changed_[k] = *operands[k];
      changed_[k].step = side_by_side ? static_cast<std::int32_t>(changed_[k].stride) : 1;
      operands[k] = &changed_[k];
    }
  }

  // By the op's eval, which takes whole rows only.
  void eval(const plan::TileOps::Op& op, const Tile<T>& t, Operands& operands) {
    for (std::uint32_t k = 0; k < op.arity; ++k) {
      if (operands[k]->step != 0) continue;
      T* const fill = filled_ + k * room_;
      for (std::int64_t r = 0; r < t.rows; ++r)
        std::fill_n(fill + r * t.cols, t.cols, operands[k]->data[r * operands[k]->stride]);
      changed_[k] = {fill, t.cols};
      operands[k] = &changed_[k];
    }
    const auto whole = [&](std::int64_t stride) { return t.rows == 1 || stride == t.cols; };
    bool one = whole(t.out_stride);
    for (std::uint32_t k = 0; k < op.arity; ++k) one = one && whole(t.in[k]->stride);
    const Shape shape{one ? t.rows * t.cols : t.cols};
    std::array<const T*, most_operands> in;
    std::array<const Shape*, most_operands> shapes;
    shapes.fill(&shape);
    for (std::int64_t r = 0; r < (one ? 1 : t.rows); ++r) {
      for (std::uint32_t k = 0; k < op.arity; ++k) in[k] = t.in[k]->data + r * t.in[k]->stride;
      op.op->eval.template get<T>()({{in.data(), op.arity},
                                     {shapes.data(), op.arity},
                                     t.out + r * t.out_stride,
                                     &shape,
                                     t.attrs,
                                     c_.random});
    }
  }

  const plan::Tiles& s_;
  const Context<T>& c_;
  const plan::TileOps& ops_;
  std::int64_t width_, height_, room_;  // of a tile, and elements of a temporary
  T *temporaries_, *filled_;
  typename Tile<T>::Rows* slots_;
  std::array<typename Tile<T>::Rows, most_operands>
      changed_;  // operands of an op that reads them in another way
};

}  // namespace

template <class T>
void run_step(const plan::Pack& s, const Context<T>& c) {
  const auto& kernels = s.op->product->template get<T>();
  const std::int64_t panels = kernels.panels(s.n);
  const auto [first, last] = s.k * s.n < least_products ? alone(c.thread, panels) : c.share(panels);
  if (first < last)
    kernels.pack(c.at(s.from), s.stride, s.transposed, s.k, s.n, first, last, c.packed + s.at);
}

template <class T>
void run_step(const plan::RowsProduct& s, const Context<T>& c) {
  const std::int64_t panels = s.op->product->template get<T>().panels(s.n);
  if (s.rows * s.k * s.n < least_products) {
    const auto [begin, end] = alone(c.thread, s.rows);
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
  const auto [first, last] =
      s.rows * s.m * columns < least_products ? alone(c.thread, parts) : c.share(parts);
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

// Whether threads can each take some columns: not where all of them would store the same element of a row.
bool columns_divide(const plan::TileOps& ops) {
  return !ops.whole_rows && std::ranges::none_of(ops.ops, [](const plan::TileOps::Op& op) {
    return op.single && op.output >= 0;
  });
}

}  // namespace

template <class T>
void run_step(const plan::Tiles& s, const Context<T>& c) {
  std::int64_t rows = 0;
  for (const std::int64_t r : s.rows) rows += r;
  TileRunner<T> runner(s, c);
  const auto ops = static_cast<std::int64_t>(c.plan.tile_ops[s.ops].ops.size());
  if (rows < 2 * c.threads && s.cols * ops >= least_elements && s.rows.size() == 1 &&
      columns_divide(c.plan.tile_ops[s.ops])) {
    const auto [left, right] = c.share(s.cols);
    if (left < right) runner.run(0, 0, rows, left, right);
    return;
  }
  auto [begin, end] = rows * s.cols * ops < least_elements ? alone(c.thread, rows) : c.share(rows);
  std::int64_t before = 0;
  for (std::size_t i = 0; i < s.rows.size() && before < end; ++i) {
    const std::int64_t from = std::max(begin - before, std::int64_t{0}),
                       to = std::min(end - before, s.rows[i]);
    if (from < to) runner.run(i, from, to, 0, s.cols);
    before += s.rows[i];
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
    auto [p, end] = total < least_elements ? alone(c.thread, size) : c.share(size);
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
      most = std::max(most, TileRunner<T>::scratch(*t, plan.tile_ops[t->ops]));
  return most;
}

#define SPOOL_STEP(KIND)                                            \
  template void run_step(const plan::KIND&, const Context<float>&); \
  template void run_step(const plan::KIND&, const Context<double>&);
SPOOL_STEP(Pack)
SPOOL_STEP(RowsProduct)
SPOOL_STEP(LongProduct)
SPOOL_STEP(Tiles)
SPOOL_STEP(EvalStep)
SPOOL_STEP(Copies)
#undef SPOOL_STEP
template std::int64_t scratch_size<float>(const plan::Plan&);
template std::int64_t scratch_size<double>(const plan::Plan&);

}  // namespace spool::run
