// The last pass: storage gets addresses in one arena, each serving again after its last reader, and units
// become steps.
#include <spool/graph/error.hpp>
#include <spool/graph/plan/arena.hpp>
#include <spool/graph/plan/draft.hpp>
#include <spool/graph/plan/emit.hpp>
#include <spool/graph/plan/rights.hpp>

#include <algorithm>
#include <tuple>

namespace spool::plan {

namespace {

// Appends rows, or lengthens the last ones when the new ones follow them.
void append(std::vector<Rows>& to, const Rows& r) {
  if (!to.empty()) {
    Rows& last = to.back();
    const bool single = last.count == 1 || r.count == 1;
    const std::int64_t stride = last.count > 1 ? last.stride
                                : r.count > 1  ? r.stride
                                               : r.at.offset - last.at.offset;
    if (last.at.base == r.at.base && (single || last.stride == r.stride) && stride >= 0 &&
        r.at.offset == last.at.offset + last.count * stride) {
      last.stride = stride;
      last.count += r.count;
      return;
    }
  }
  to.push_back(r);
}

class Emitter {
 public:
  explicit Emitter(Draft& d) : d_(d) {}

  Plan emit() {
    number_leaves();
    number_results();
    find_lifetimes();
    rights_.find(d_, [this](const Layout& l) { return stored(l); });
    plan_.packed = rights_.packed_size();
    plan_.nodes = static_cast<std::uint32_t>(d_.nodes.size());
    for (const Scalar& s : d_.scalars) plan_.scalars.push_back({s.tape, s.operands});
    for (const TileProgram& p : d_.programs) plan_.tile_ops.push_back(tile_ops(d_.tape, p, plan_.attrs));
    for (const Unit& u : d_.units) emit_unit(u);
    for (const Id w : d_.wanted) plan_.results.push_back(block(stored(d_.layout(w))));
    return std::move(plan_);
  }

 private:
  void number_leaves() {
    home_.resize(d_.nodes.size());
    for (Id n = 0; n < d_.nodes.size(); ++n)
      if (d_.nodes[n].role == Role::uniform) {
        home_[n] = {n, Ref::scalars, 0};
      } else if (d_.nodes[n].role == Role::leaf) {
        home_[n] = {n, Ref::first_leaf + static_cast<std::uint32_t>(plan_.leaves.size()), 0};
        plan_.leaves.push_back(d_.nodes[n].tape);
      }
  }

  // Results that are the whole of a storage, which then needs none in the arena.
  void number_results() {
    if (!d_.options.hand_out || !d_.options.place) return;
    for (std::uint32_t i = 0; i < d_.wanted.size(); ++i) {
      if (!d_.computed(d_.root(d_.wanted[i]))) continue;
      const Layout l = d_.stored(d_.layout(d_.wanted[i]));
      const std::int64_t size = d_.size(l.root);
      if (!d_.computed(l.root) || !(l == dense(l.root, size)) || home_[l.root].storage != none) continue;
      home_[l.root] = {
          l.root, Ref::first_leaf + static_cast<std::uint32_t>(plan_.leaves.size() + plan_.handed.size()), 0};
      plan_.handed.push_back(i);
      plan_.handed_size += size;
    }
  }

  // Every storage from the first unit that writes to it to the last one that reads from it.
  void find_lifetimes() {
    const auto end = static_cast<std::uint32_t>(d_.units.size());
    std::vector<Lifetime> lives;
    std::vector<std::uint32_t> life_of(d_.nodes.size(), none);
    const auto touch = [&](Id root, std::uint32_t unit) {  // units come in their order
      const Id storage = home(root).storage;
      std::uint32_t& life = life_of[storage];
      if (life == none) {
        if (home(storage).base != Ref::arena) return;
        life = static_cast<std::uint32_t>(lives.size());
        lives.push_back({storage, d_.size(storage), unit, unit});
      }
      lives[life].last = unit;
    };
    for (std::uint32_t u = 0; u < end; ++u) {
      const auto& members = d_.units[u].members;
      if (d_.units[u].role == Role::elementwise) {
        for (const std::uint32_t m : members)
          for (const Layout& l : d_.clusters[m].inputs) touch(l.root, u);
        // The same result of all members may then lie in one piece, and run as one.
        for (std::size_t k = 0; k < d_.clusters[members[0]].outputs.size(); ++k)
          for (const std::uint32_t m : members) touch(d_.clusters[m].outputs[k], u);
      } else {
        for (const std::uint32_t m : members) {
          for (const Id o : d_.in(m)) touch(d_.root(o), u);
          touch(m, u);
        }
      }
    }
    for (const Id w : d_.wanted) touch(d_.root(w), end);
    plan_.arena = assign_offsets(lives, d_.options.reuse);
    std::vector<std::int64_t> offsets(d_.nodes.size());
    for (const Lifetime& l : lives) offsets[l.node] = l.offset;
    for (Home& h : home_)
      if (h.storage != none && h.base == Ref::arena) h.offset += offsets[h.storage];
  }

  // Where the elements of a node with storage of its own begin.
  struct Home {
    static constexpr std::uint32_t in_rows = 0xffffffffU;
    Id storage = none;
    std::uint32_t base = 0;  // of the Ref; in_rows: they don't lie side by side
    std::int64_t offset = 0;
  };
  Home& home(Id n) {
    Home& h = home_[n];
    if (h.storage != none) return h;
    h = {n, Ref::arena, 0};
    for (; d_.places[h.storage].parent != none; h.storage = d_.places[h.storage].parent) {
      const Layout& at = d_.place(h.storage);
      at.dense() ? static_cast<void>(h.offset += at.offset) : static_cast<void>(h.base = Home::in_rows);
    }
    if (h.base != Home::in_rows && home_[h.storage].storage != none) h.base = home_[h.storage].base;
    return h;
  }

  // As elements of the storage: what follows takes no other layouts.
  Layout stored(const Layout& l) const { return home_[l.root].base == Home::in_rows ? d_.stored(l) : l; }
  Ref ref(const Layout& stored) const {
    const Home& h = home_[stored.root];
    return {h.base, h.offset + stored.offset};
  }
  Block block(const Layout& l) const { return {ref(l), l.rows, l.cols, l.stride, l.step}; }
  Rows rows(const Layout& l) const {
    if (home_[l.root].base != Home::in_rows) return {ref(l), l.stride, l.rows};
    const Layout in_rows = d_.stored(l);
    return {ref(in_rows), in_rows.stride, in_rows.rows};
  }
  Rows result_rows(Id n, std::int64_t cols) const { return result_rows(n, d_.size(n) / cols, cols); }
  Rows result_rows(Id n, std::int64_t count, std::int64_t cols) const {
    return rows({n, 0, count, cols, cols, 1});
  }

  void emit_unit(const Unit& u) {
    switch (u.role) {
      case Role::elementwise:
        return emit_tiles(u);
      case Role::product:
        return emit_rows(u);
      case Role::long_product:
        return emit_long(u);
      case Role::concat:
        return emit_concat(u.members[0]);
      case Role::copy:
        return emit_copy(u.members[0]);
      case Role::eval:
        return emit_eval(u.members[0]);
      default:
        throw InternalError("plan: a unit that does nothing");
    }
  }

  void emit_tiles(const Unit& u) {
    const Cluster& first = d_.clusters[u.members[0]];
    Tiles step{first.program, first.cols, {}, {}};
    TileOps& ops = plan_.tile_ops[first.program];
    if (ops.steps.empty())
      for (const Layout& l : first.inputs)
        ops.steps.push_back(l.cols == 1 && first.cols != 1 ? 0 : static_cast<std::uint32_t>(l.step));
    std::vector<Rows> now;
    for (const std::uint32_t m : u.members) {
      const Cluster& c = d_.clusters[m];
      if (c.rows * c.cols >= 1024) plan_.work += c.rows * c.cols * static_cast<std::int64_t>(ops.ops.size());
      now.clear();
      for (const Layout& l : c.inputs) now.push_back(rows(l));
      for (const Id n : c.outputs) now.push_back(result_rows(n, c.rows, d_.size(n) / c.rows));
      if (!follows(step, now, c.rows)) {
        step.rows.push_back(c.rows);
        step.operands.insert(step.operands.end(), now.begin(), now.end());
      }
    }
    plan_.steps.emplace_back(std::move(step));
  }

  // Whether an instance lies next to the last one of the step, which is then made longer.
  static bool follows(Tiles& step, const std::vector<Rows>& now, std::int64_t count) {
    if (step.rows.empty()) return false;
    const std::span last(step.operands.end() - static_cast<std::ptrdiff_t>(now.size()), now.size());
    const std::int64_t before = step.rows.back();
    const auto stride = [&](std::size_t i) {
      return before > 1 ? last[i].stride : count > 1 ? now[i].stride : now[i].at.offset - last[i].at.offset;
    };
    for (std::size_t i = 0; i < now.size(); ++i)
      if (last[i].at.base != now[i].at.base || stride(i) < 0 || (count > 1 && now[i].stride != stride(i)) ||
          now[i].at.offset != last[i].at.offset + before * stride(i))
        return false;
    for (std::size_t i = 0; i < now.size(); ++i) last[i].stride = stride(i);
    step.rows.back() += count;
    return true;
  }

  // Where rows find their right operand, which is packed first if this is its first reader.
  const Right& right(const Unit& u) {
    Right& r = rights_.of(static_cast<std::size_t>(&u - d_.units.data()));
    if (r.at >= 0 && !r.done)
      plan_.steps.emplace_back(Pack{&d_.op(r.product), ref(r.layout), row_stride(r.layout), r.k, r.n,
                                    r.transposed, r.stays, r.at});
    r.done = true;
    return r;
  }
  static std::int64_t row_stride(const Layout& l) { return l.rows == 1 ? l.cols : l.stride; }

  void emit_rows(const Unit& u) {
    const Id first = u.members[0];
    const std::int64_t n = product_cols(d_, first);
    const Right& b = right(u);
    RowsProduct step{&d_.op(first),
                     d_.read_layout(first, 0).cols,
                     n,
                     0,
                     b.at,
                     ref(b.layout),
                     row_stride(b.layout),
                     {},
                     {},
                     {},
                     {},
                     {}};
    for (const Id m : u.members) {
      append(step.a, rows(d_.read_layout(m, 0)));
      if (d_.nodes[m].count >= 3) add_rows(m, step);
      append(step.c, result_rows(m, n));
      step.rows += d_.size(m) / n;
    }
    plan_.work += step.rows * step.k * step.n;
    plan_.steps.emplace_back(std::move(step));
  }

  void add_rows(Id m, RowsProduct& step) {
    const Rows added = rows(d_.read_layout(m, 2));
    if (d_.nodes[m].count == 3) return append(step.add, added);
    step.table = added;
    append(step.index, rows(d_.read_layout(m, 3)));
  }

  void emit_long(const Unit& u) {
    LongProduct step = long_product(u.members[0]);
    for (const Id n : u.members) {
      const bool columns = d_.sums_columns(n);
      if (columns ? step.sums.has_value() : step.rights.size() == LongRows<float>::most_rights) {
        plan_.steps.emplace_back(std::move(step));
        step = long_product(n);
      }
      const Layout c = stored(*with_cols(dense(n, d_.size(n)), d_.read_layout(n, 1).cols));
      if (d_.nodes[n].count % 2 == 1) add_to(n, c, step);
      if (columns) {
        step.sums = ref(c);
      } else {
        step.rights.push_back({c.cols, {}, ref(c), row_stride(c)});
        for (const auto& [a, b] : long_sides(n)) append(step.rights.back().b, b);
      }
      plan_.work += step.rows * d_.size(n);
    }
    plan_.steps.emplace_back(std::move(step));
  }

  LongProduct long_product(Id n) const {
    LongProduct step{&d_.op(n), d_.read_layout(n, d_.sums_columns(n) ? 1 : 0).cols, 0, {}, {}, {}, false};
    for (const auto& [a, b] : long_sides(n)) append(step.a, a), step.rows += a.count;
    return step;
  }

  // What a long product adds lies in its result.
  void add_to(Id n, const Layout& c, LongProduct& step) {
    step.adds = true;
    if (const Layout sum = stored(d_.read_layout(n, d_.nodes[n].count - 1)); !(ref(sum) == ref(c)))
      plan_.steps.emplace_back(Copies{{{block(sum), block(c)}}});
  }

  // The rows that are transposed and those that they are multiplied with: the order of a sum is ours to
  // choose, and it is that of the addresses. Rows that only begin at one address differ in their number or
  // stride: without these, products that share their rows could list them in different orders.
  std::vector<std::pair<Rows, Rows>> long_sides(Id n) const {
    const bool columns = d_.sums_columns(n);
    std::vector<std::pair<Rows, Rows>> sides;
    for (std::uint32_t i = 0; i + 1 < d_.nodes[n].count; i += 2) {
      const Rows a = rows(d_.read_layout(n, i)), b = rows(d_.read_layout(n, i + 1));
      columns ? sides.emplace_back(b, a) : sides.emplace_back(a, b);
    }
    std::ranges::stable_sort(sides, {}, [](const auto& s) {
      const Rows& a = s.first;
      return std::tuple(a.at.base, a.at.offset, a.stride, a.count);
    });
    return sides;
  }

  void emit_concat(Id c) {
    Copies step;
    const auto [outer, along, inner] = d_.shape(c).split(d_.nodes[c].axis);
    std::int64_t begin = 0;
    for (const Id o : d_.in(c)) {
      const std::int64_t end = begin + d_.size(o) / (outer * inner);
      if (end > begin) {
        const Layout at = *sliced(dense(c, d_.size(c)), outer, along, inner, begin, end);
        if (!computed_at(at, o)) add_copy(d_.stored(d_.layout(o)), d_.stored(at), step);
      }
      begin = end;
    }
    if (!step.blocks.empty()) plan_.steps.emplace_back(std::move(step));
  }

  // Whether v is computed right there. (What lies there by way of another place, add_copy finds.)
  bool computed_at(const Layout& at, Id v) const {
    const Id root = d_.root(v);
    return d_.places[root].parent == at.root && d_.whole(v) && d_.place(root) == at;
  }
  void add_copy(const Layout& from, const Layout& to, Copies& step) const {
    if (!(from == to)) step.blocks.emplace_back(block(from), block(to));
  }

  void emit_copy(Id n) {
    const Layout from = stored(d_.layout(d_.in(n)[0])), to = stored(d_.layout(n));
    Copies step;
    step.blocks.emplace_back(block(from), block(to));
    plan_.steps.emplace_back(std::move(step));
  }

  void emit_eval(Id n) {
    const auto [attrs, attr_count] = keep(d_.attrs(n), plan_.attrs);
    EvalStep step{&d_.op(n), attrs, attr_count, {}, {}, ref(stored(d_.layout(n))), d_.shape(n)};
    for (const Id o : d_.in(n)) {
      step.in.push_back(ref(stored(d_.layout(o))));
      step.in_shapes.push_back(d_.shape(o));
    }
    plan_.steps.emplace_back(std::move(step));
  }

  Draft& d_;
  Plan plan_;
  std::vector<Home> home_;  // by node
  Rights rights_;
};

}  // namespace

Plan emit_plan(Draft& d) { return Emitter(d).emit(); }

namespace {
void run_passes(Draft& d, std::span<const Var> wanted, std::span<const Var> given = {}) {
  read_tape(d, wanted, given);
  if (d.options.sums) join_sums(d);
  if (d.options.select) change_selections(d);
  order_nodes(d);
  if (d.options.select) add_selections(d);
  fuse_elementwise(d);
  make_units(d);
  group_units(d);
  place_values(d);
}
}  // namespace

Plan make_plan(Tape& tape, std::span<const Var> wanted, const Options& options, std::span<const Var> given) {
  Draft d(tape, options);
  run_passes(d, wanted, given);
  return emit_plan(d);
}

std::string plan_text(Tape& tape, std::span<const Var> wanted, const Options& options, bool with_reasons,
                      std::span<const Var> given) {
  Draft d(tape, options);
  run_passes(d, wanted, given);
  return to_text(d, with_reasons);
}

}  // namespace spool::plan
