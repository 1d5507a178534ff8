// The first pass: the nodes that wanted ones depend on; what is one number throughout, folded; slices,
// reshapes and repeats as layouts.
#include <spool/graph/plan/draft.hpp>

#include <algorithm>
#include <array>

namespace spool::plan {

namespace {

class Reader {
 public:
  Reader(Draft& d, std::span<const Var> wanted, std::span<const Var> given)
      : d_(d), wanted_(wanted), given_(given), shape_id_(d.tape.rows().shape_id) {}

  void read() {
    mark_live();
    d_.nodes.reserve(live_);
    for (Id id = 0; id < local_.size(); ++id) {
      if (local_[id] == none) continue;
      local_[id] = static_cast<Id>(d_.nodes.size());
      add(id);
    }
    for (const Var& v : wanted_) d_.wanted.push_back(local_[v.id()]);
  }

 private:
  void mark_live() {
    Id top = 0;
    for (const Var& v : wanted_) top = std::max(top, v.id() + 1);
    local_.assign(top, none);
    for (const Var& v : wanted_) local_[v.id()] = 0;
    std::size_t operands = 0;
    for (Id id = top; id-- > 0;) {
      if (local_[id] == none) continue;
      ++live_;
      if (is_given(id)) continue;
      for (Id o : d_.tape.operands(id)) local_[o] = 0, ++operands;
    }
    d_.operands.reserve(operands + live_ / 4);
  }

  bool is_given(Id id) const {
    return std::ranges::any_of(given_, [&](const Var& v) { return v.id() == id; });
  }

  void add(Id id) {
    const auto n = static_cast<Id>(d_.nodes.size());
    const auto ids = is_given(id) ? std::span<const Id>() : d_.tape.operands(id);
    d_.nodes.push_back({.tape = id,
                        .first = static_cast<std::uint32_t>(d_.operands.size()),
                        .count = static_cast<std::uint32_t>(ids.size()),
                        .shape = shape_id_[id],
                        .root = n});
    for (Id o : ids) d_.operands.push_back(local_[o]);
    d_.set_segment(n, d_.latest_segment(d_.in(n)));
    if (d_.op(n).kind == Kind::random) d_.set_segment(n, std::max(d_.segment(n), segment_around(id)));
    const std::int64_t size = d_.size(n);
    if (is_given(id))
      d_.nodes[n].role = Role::leaf;
    else
      classify(n, size);
  }

  // That of the innermost checkpoint which draws these random numbers: they wait for no operand.
  std::uint32_t segment_around(Id id) const {
    const auto segments = d_.tape.segments();
    auto s = std::ranges::upper_bound(segments, id, {}, &SegmentRange::end);
    while (s != segments.end() && s->begin > id) ++s;
    std::uint32_t latest = 0;
    if (s != segments.end())
      for (Id b = s->begin; b < s->begin + s->inputs; ++b)
        if (local_[b] != none) latest = std::max(latest, d_.segment(local_[b]));
    return latest;
  }

  void classify(Id n, std::int64_t size) {
    Node& node = d_.nodes[n];
    const OpDef& op = d_.op(n);
    const auto in = d_.in(n);
    if (size > 0 && !has_eval(op)) return;  // the run says what is wrong with it
    const bool all_uniform = !in.empty() && std::ranges::all_of(in, [&](Id o) { return is_uniform(o); });
    switch (op.kind) {
      case Kind::leaf:
        node.role = Role::leaf;
        break;
      case Kind::constant:
        uniform(n, {node.tape, {}});
        break;
      case Kind::elementwise:
        if (all_uniform && size > 0 && in.size() <= 8)
          uniform(n, {node.tape, scalars_of(in)});
        else if (size > 0 && in.size() <= 8 && !once_a_row(n))
          node.role = Role::elementwise;
        break;
      case Kind::view:
      case Kind::slice:
      case Kind::broadcast:
      case Kind::movement:
        if (all_uniform && size > 0)
          view(n, d_.layout(in[0]));
        else if (const auto l = layout_of(n))
          view(n, *l);
        break;
      case Kind::barrier:
        d_.set_segment(n, d_.segment(n) + 1);
        node.count = 1;
        view(n, d_.layout(in[0]));
        break;
      case Kind::product:
        if (d_.shape(n).rank() == 2 && size > 0 && d_.size(in[0]) > 0) product(n);
        break;
      case Kind::concat:
        if (size > 0) node.role = Role::concat, node.axis = static_cast<std::uint8_t>(d_.attrs(n)[0]);
        break;
      default:
        break;
    }
  }

  // An op on elements that each serve a whole row is computed once for each row.
  bool once_a_row(Id n) {
    const auto single = [](const Layout& l) { return l.step == 0 && l.cols > 1; };
    std::int64_t rows = 1;
    for (const Id o : d_.in(n)) {
      if (d_.nodes[o].layout == none) return false;
      const Layout l = d_.layout(o);
      if (!single(l) || (l.rows != 1 && rows != 1 && l.rows != rows)) return false;
      rows = std::max(rows, l.rows);
    }
    const std::vector<Id> in(d_.in(n).begin(), d_.in(n).end());
    std::vector<Id> elements;
    for (const Id o : in) {
      const Layout l = d_.layout(o);
      elements.push_back(d_.add_node(d_.nodes[o].tape, Role::view, Shape{rows}, std::array{o}));
      d_.set_layout(elements.back(), l.rows == 1     ? Layout{l.root, l.offset, 1, rows, 0, 0}
                                     : l.stride == 1 ? Layout{l.root, l.offset, 1, rows, 0, 1}
                                                     : Layout{l.root, l.offset, rows, 1, l.stride, 1});
    }
    const Id row = d_.add_node(d_.nodes[n].tape, Role::elementwise, Shape{rows}, elements);
    view(n, *repeated(d_.layout(row), 1, d_.size(n) / rows));
    return true;
  }

  bool has_eval(const OpDef& op) const {
    return op.kind == Kind::leaf ||
           (d_.tape.dtype() == DType::f32 ? op.eval.f32 != nullptr : op.eval.f64 != nullptr);
  }

  // A product whose right operand can be packed, or one of the long form; else its eval does it.
  void product(Id n) {
    const Attrs flags = d_.attrs(n);
    if (d_.op(n).product == nullptr) return;
    if (flags[0] == 0)
      d_.nodes[n].role = Role::product;
    else if (flags[1] == 0)
      d_.nodes[n].role = Role::long_product;
  }

  bool is_uniform(Id n) const { return d_.nodes[d_.root(n)].role == Role::uniform; }

  std::vector<std::uint32_t> scalars_of(std::span<const Id> in) const {
    std::vector<std::uint32_t> scalars;
    for (Id o : in) scalars.push_back(static_cast<std::uint32_t>(d_.layout(o).offset));
    return scalars;
  }

  void uniform(Id n, Scalar scalar) {
    const auto at = static_cast<std::int64_t>(d_.scalars.size());
    d_.scalars.push_back(std::move(scalar));
    d_.nodes[n].role = Role::uniform;
    d_.set_layout(n, {n, at, 1, d_.size(n), 0, 0});
  }

  void view(Id n, Layout l) {
    d_.nodes[n].role = Role::view;
    if (l.uniform() && is_uniform(l.root)) l = {l.root, l.offset, 1, d_.size(n), 0, 0};
    d_.set_layout(n, l);
  }

  std::optional<Layout> layout_of(Id n) const {
    const Id from = d_.in(n)[0];
    const Layout l = d_.layout(from);
    const Attrs attrs = d_.attrs(n);
    switch (d_.op(n).kind) {
      case Kind::view:
        return l;
      case Kind::slice: {
        const auto [outer, along, inner] = d_.shape(from).split(static_cast<int>(attrs[0]));
        return sliced(l, outer, along, inner, attrs[1], attrs[2]);
      }
      case Kind::broadcast:
        return broadcast(d_.shape(from), d_.shape(n), l);
      default:
        return std::nullopt;
    }
  }

  // Axes are repeated before the operand's own, after them, or (which no layout says) in between.
  static std::optional<Layout> broadcast(const Shape& from, const Shape& to, const Layout& l) {
    const int lead = to.rank() - from.rank();
    std::int64_t before = 1, own = 1, after = 1;
    for (int i = 0; i < to.rank(); ++i) {
      const std::int64_t size = i < lead ? 1 : from[i - lead];
      if (size == to[i]) {
        if (size == 1) continue;
        if (after != 1) return std::nullopt;
        own *= size;
      } else if (own == 1) {
        before *= to[i];
      } else {
        after *= to[i];
      }
    }
    if (own == 1) return repeated(l, before, 1);
    return before == 1 || after == 1 ? repeated(l, before, after) : std::nullopt;
  }

  Draft& d_;
  std::span<const Var> wanted_, given_;
  std::span<const std::uint32_t> shape_id_;
  std::vector<Id> local_;  // by node of the tape
  std::size_t live_ = 0;
};

}  // namespace

Id Draft::add_node(Id tape_id, Role role, const Shape& shape, std::span<const Id> in) {
  const auto n = static_cast<Id>(nodes.size());
  const auto first = static_cast<std::uint32_t>(operands.size());
  operands.insert(operands.end(), in.begin(), in.end());
  if (new_shapes_.empty() || new_shapes_.back() != shape) add_shape(&new_shapes_.emplace_back(shape));
  nodes.push_back({.tape = tape_id,
                   .first = first,
                   .count = static_cast<std::uint32_t>(in.size()),
                   .shape = static_cast<std::uint32_t>(shapes_.size() - 1),
                   .root = n,
                   .role = role});
  set_segment(n, latest_segment(in));
  return n;
}

std::uint32_t Draft::latest_segment(std::span<const Id> in) const {
  std::uint32_t latest = 0;
  if (!segments_.empty())
    for (const Id o : in) latest = std::max(latest, segment(o));
  return latest;
}

void Draft::set_layout(Id n, const Layout& l) {
  Node& node = nodes[n];
  node.root = l.root;
  if (l == dense(l.root, size(n))) {
    node.layout = none;
  } else if (node.layout == none) {
    node.layout = static_cast<std::uint32_t>(layouts_.size());
    layouts_.push_back(l);
  } else {
    layouts_[node.layout] = l;
  }
}

void Draft::set_operands(Id n, std::span<const Id> in) {
  nodes[n].first = static_cast<std::uint32_t>(operands.size());
  nodes[n].count = static_cast<std::uint32_t>(in.size());
  set_segment(n, latest_segment(in));
  operands.insert(operands.end(), in.begin(), in.end());
}

Id Draft::copy_of(Id v) {
  const auto [it, added] = copies_.try_emplace(v, none);
  if (added) it->second = add_node(nodes[v].tape, Role::copy, shape(v), std::array{v});
  return it->second;
}

Id Draft::view_as(Id v, const Shape& s) {
  if (shape(v) == s) return v;
  const Id view = add_node(nodes[v].tape, Role::view, s, std::array{v});
  set_layout(view, layout(v));
  return view;
}

Id Draft::rows_of(const std::vector<Id>& parts, bool any_order) {
  std::vector<Id> sorted = parts;
  std::ranges::sort(sorted);
  const auto [it, added] = joined_.try_emplace(std::move(sorted), Joined{none, any_order});
  Joined& j = it->second;
  if (!added && (any_order || j.any_order || std::ranges::equal(in(j.node), parts))) {
    if (!any_order) set_operands(j.node, parts), j.any_order = false;
    return j.node;
  }
  std::int64_t rows = 0;
  for (const Id p : parts) rows += shape(p)[0];
  const Id node = add_node(nodes[parts[0]].tape, Role::concat, shape(parts[0]).with(0, rows), parts);
  if (added) j.node = node;
  return node;
}

void read_tape(Draft& d, std::span<const Var> wanted, std::span<const Var> given) {
  Reader(d, wanted, given).read();
}

}  // namespace spool::plan
