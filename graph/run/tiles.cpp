// Element-wise ops, tile by tile: each op of a step goes over a tile that stays in the first cache.
#include <spool/graph/run/steps.hpp>

#include <algorithm>
#include <array>

namespace spool::run {

namespace {

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
  auto [begin, end] = rows * s.cols * ops < least_elements ? c.alone(rows) : c.share(rows);
  std::int64_t before = 0;
  for (std::size_t i = 0; i < s.rows.size() && before < end; ++i) {
    const std::int64_t from = std::max(begin - before, std::int64_t{0}),
                       to = std::min(end - before, s.rows[i]);
    if (from < to) runner.run(i, from, to, 0, s.cols);
    before += s.rows[i];
  }
}

template <class T>
std::int64_t tiles_scratch(const plan::Tiles& s, const plan::TileOps& ops) {
  return TileRunner<T>::scratch(s, ops);
}

template void run_step(const plan::Tiles&, const Context<float>&);
template void run_step(const plan::Tiles&, const Context<double>&);
template std::int64_t tiles_scratch<float>(const plan::Tiles&, const plan::TileOps&);
template std::int64_t tiles_scratch<double>(const plan::Tiles&, const plan::TileOps&);

}  // namespace spool::run
