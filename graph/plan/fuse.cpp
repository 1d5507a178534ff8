// Element-wise ops that can run together form clusters: a tile of each operand goes through all of them while
// it is in cache, and only what others read is stored. Folds of rows, and what is computed from their results
// and spread over the rows again, go along: the mean and the variance of a layer norm, say.
//
// Each node gets a level: an edge counts 0 when both its ends can be in one cluster, else 1. Equal levels
// along edges of length 0 are a cluster, and since every other edge leads to a higher level, no two clusters
// can wait for each other. A cluster whose folds do not agree on what a row is does without some of them.
#include <spool/graph/plan/draft.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <numeric>
#include <tuple>

namespace spool::plan {

namespace {

class Fuser {
 public:
  explicit Fuser(Draft& d) : d_(d) {}

  void fuse() {
    fold_.resize(d_.nodes.size());
    spreads_.assign(d_.nodes.size(), d_.options.fuse);
    if (d_.options.fuse)
      for (const Id n : d_.order) fold_[n] = is_fold(n);
    for (int tries = 0;; ++tries) {
      find_levels();
      find_readers();
      if (d_.options.fuse && d_.options.sink) sink();
      if (find_clusters()) break;
      if (tries == most_tries) forget_folds([](Id) { return true; });
    }
    collect();
    result_slot_.resize(d_.nodes.size());
    for (Cluster& c : d_.clusters) {
      c.inputs.swap(inputs_);
      c.outputs.swap(outputs_);
      shape_cluster(c);
      fit(c.inputs, inputs_);
      fit(c.outputs, outputs_);
    }
  }

 private:
  static constexpr int most_tries = 4;
  static constexpr std::uint32_t far =
      16;  // levels: a result is kept so long that a step of its own is worth it
  static constexpr std::int64_t longest_row = 4096;  // a tile has at least one

  // Rows of `cols` elements that all nodes of a cluster have, or one element of each; cols is 0 where any
  // rows would do.
  struct Extent {
    std::int64_t size, cols;
    bool has(std::int64_t n) const { return n == size || (cols > 0 && n == size / cols); }
  };

  // Whether an op folds rows of its operand, each to one element.
  bool is_fold(Id n) const {
    if (d_.nodes[n].role != Role::eval || d_.nodes[n].count != 1) return false;
    const OpDef& op = d_.op(n);
    const bool kernel = d_.tape.dtype() == DType::f32 ? op.tile.f32 != nullptr : op.tile.f64 != nullptr;
    if (op.kind != Kind::reduce || !kernel) return false;
    const Shape &from = d_.shape(d_.in(n)[0]), &to = d_.shape(n);
    if (from.rank() != to.rank() || to.size() < 2 || from.size() < 2 * to.size() ||
        from.size() / to.size() > longest_row)
      return false;
    int axis = 0;
    while (axis < to.rank() && to[axis] == from[axis]) ++axis;
    while (axis < to.rank() && to[axis] == 1) ++axis;
    return axis == to.rank();
  }
  bool in_tiles(Id n) const { return d_.nodes[n].role == Role::elementwise || fold_[n]; }

  // Takes a list out of the room that it grew in.
  template <class T>
  static void fit(std::vector<T>& list, std::vector<T>& room) {
    list.swap(room);
    list.assign(room.begin(), room.end());
    room.clear();
  }

  // Whether v reads, element by element or row by row, what u computes.
  bool fusable(Id u, Id operand, Id v) const {
    if (!d_.options.fuse || !in_tiles(u) || !in_tiles(v) || d_.segment(u) != d_.segment(v)) return false;
    if (d_.whole(operand)) return fold_[v] || d_.size(u) == d_.size(v);
    const Layout l = d_.layout(operand);
    return spreads_[u] && !fold_[v] && l.step == 0 && l.stride == 1 && l.offset == 0 &&
           l.rows == d_.size(u) && l.size() == d_.size(v);
  }

  void find_levels() {
    level_.assign(d_.nodes.size(), 0);
    for (const Id v : d_.order)
      for (const Id o : d_.in(v)) {
        const Id u = d_.root(o);
        if (d_.computed(u)) level_[v] = std::max(level_[v], level_[u] + (fusable(u, o, v) ? 0 : 1));
      }
  }

  struct Reader {
    Id node;
    bool fusable;
  };

  void find_readers() {
    end_.assign(d_.nodes.size() + 1, 0);
    for_each_edge([&](Id u, Id, Id) { ++end_[u + 1]; });
    std::partial_sum(end_.begin(), end_.end(), end_.begin());
    readers_.resize(end_.back());
    std::vector<std::uint32_t> next(end_.begin(), end_.end() - 1);
    for_each_edge([&](Id u, Id o, Id v) { readers_[next[u]++] = {v, fusable(u, o, v)}; });
    wanted_.assign(d_.nodes.size(), false);
    for (const Id w : d_.wanted) wanted_[d_.root(w)] = true;
  }
  template <class F>
  void for_each_edge(F&& f) const {
    for (const Id v : d_.order)
      for (const Id o : d_.in(v))
        if (const Id u = d_.root(o); d_.computed(u)) f(u, o, v);
  }
  std::span<const Reader> readers(Id u) const { return {readers_.data() + end_[u], end_[u + 1] - end_[u]}; }

  // Moves results to where they are read, when no operand has to be stored for it: 1 - y * y of a forward
  // step is computed in the backward step, from the y that is kept in any case.
  void sink() {
    for (auto it = d_.order.rbegin(); it != d_.order.rend(); ++it) {
      const Id v = *it;
      if (d_.nodes[v].role != Role::elementwise || fold_[v] || wanted_[v] || readers(v).empty()) continue;
      if (std::ranges::any_of(readers(v),
                              [&](const Reader& r) { return d_.segment(r.node) != d_.segment(v); }))
        continue;
      std::uint32_t target = 0xffffffffU;
      for (const Reader& r : readers(v)) target = std::min(target, level_[r.node] - (r.fusable ? 0 : 1));
      const bool taken_in = std::ranges::any_of(
          readers(v), [&](const Reader& r) { return r.fusable && level_[r.node] == target; });
      const std::uint32_t distance = taken_in ? 1 : far;
      if (target >= level_[v] + distance && costs_nothing(v)) level_[v] = target;
    }
  }
  bool costs_nothing(Id v) const {
    return std::ranges::all_of(d_.in(v), [&](Id o) {
      const Id u = d_.root(o);
      if (!fusable(u, o, v) || level_[u] != level_[v]) return true;
      bool stays = false, stored = wanted_[u];
      for (const Reader& r : readers(u)) {
        if (r.node == v) continue;
        const bool within = r.fusable && level_[r.node] == level_[u];
        stays |= within;
        stored |= !within;
      }
      return !stays || stored;
    });
  }

  // Joins the nodes of each cluster in `parent_`. False when one would have to have two forms, after which
  // some folds are none any more.
  bool find_clusters() {
    parent_.resize(d_.nodes.size());
    std::iota(parent_.begin(), parent_.end(), 0);
    form_.resize(d_.nodes.size());
    for (const Id n : d_.order) {
      form_[n] = {d_.size(n), 0};
      if (fold_[n]) form_[n] = {d_.size(d_.in(n)[0]), d_.size(d_.in(n)[0]) / d_.size(n)};
    }
    disagree_.assign(d_.nodes.size(), false);
    bool agreed = true;
    for_each_edge([&](Id u, Id o, Id v) {
      if (level_[u] != level_[v] || !fusable(u, o, v)) return;
      const Id a = cluster(u), b = cluster(v);
      if (disagree_[a] || disagree_[b]) return;  // it goes apart in any case
      const Layout l = d_.layout(o);
      const bool spread = !d_.whole(o);
      if (join(u, v, spread ? Extent{l.size(), l.cols} : Extent{d_.size(u), 0})) return;
      agreed = false;
      disagree_[a] = disagree_[b] = true;
    });
    if (!agreed) forget_folds([&](Id n) { return disagree_[cluster(n)]; });
    if (agreed && d_.options.fuse) join_siblings();
    return agreed;
  }

  template <class F>
  void forget_folds(F&& of) {
    for (const Id n : d_.order)
      if (of(n)) fold_[n] = spreads_[n] = false;
  }

  Id cluster(Id n) {
    while (parent_[n] != n) n = parent_[n] = parent_[parent_[n]];
    return n;
  }

  // Joins the clusters of two nodes, and rows of `edge`, unless their forms differ.
  bool join(Id u, Id v, const Extent& edge) {
    const Id a = cluster(u), b = cluster(v);
    Extent form = edge;
    for (const Extent& f : {form_[a], form_[b]}) {
      if (form.cols == 0 && f.has(form.size)) form = f;
      if (!form.has(f.size) || (f.cols != 0 && !(f.size == form.size && f.cols == form.cols))) return false;
    }
    parent_[b] = a;
    form_[a] = form;
    return true;
  }

  void collect() {
    d_.cluster_of.assign(d_.nodes.size(), none);
    for (const Id n : d_.order) {
      if (!in_tiles(n)) continue;
      d_.nodes[n].role = Role::elementwise;
      const Id first = cluster(n);
      std::uint32_t& number = d_.cluster_of[first];
      if (number == none) {
        number = static_cast<std::uint32_t>(d_.clusters.size());
        const Extent& f = form_[first];
        d_.clusters.emplace_back();
        if (f.cols != 0) d_.clusters.back().rows = f.size / f.cols, d_.clusters.back().cols = f.cols;
      }
      d_.cluster_of[n] = number;
      d_.clusters[number].nodes.push_back(n);
    }
  }

  // Ops of one level that read the same result go together too: it is then loaded once.
  void join_siblings() {
    struct Sibling {
      std::uint32_t level, segment;
      std::int64_t size;
      Id node;
    };
    const auto kind = [](const Sibling& s) { return std::tuple(s.level, s.segment, s.size); };
    std::vector<Sibling> siblings;
    for (const Id u : d_.order) {
      if (readers(u).size() < 2) continue;
      siblings.clear();
      for (const Reader& r : readers(u))
        if (in_tiles(r.node))
          siblings.push_back({level_[r.node], d_.segment(r.node), d_.size(r.node), r.node});
      std::ranges::sort(siblings, {}, kind);
      for (std::size_t i = 1; i < siblings.size(); ++i)
        if (const Sibling& a = siblings[i - 1], &b = siblings[i]; kind(a) == kind(b))
          static_cast<void>(join(a.node, b.node, {a.size, 0}));
    }
  }

  // Whether an operand of n is computed in the cluster. (Edges within one are of length 0.)
  bool inside(Id operand, std::uint32_t cluster) const { return d_.cluster_of[d_.root(operand)] == cluster; }
  // Elements of an operand or result of n in each row.
  std::int64_t width(const Cluster& c, Id n, bool of_operand) const {
    return of_operand && fold_[n] ? c.cols : d_.size(n) / c.rows;
  }

  // Finds the rows in which all operands can be read, the operands, the results that others need, the
  // program.
  void shape_cluster(Cluster& c) {
    const auto self = d_.cluster_of[c.nodes[0]];
    for (const Id n : c.nodes)
      if (wanted_[n] || std::ranges::any_of(readers(n), [&](const Reader& r) {
            return d_.cluster_of[r.node] != self || !r.fusable;
          }))
        c.outputs.push_back(n);
    if (c.cols == 0) {
      c.cols = choose_cols(c, self);
      c.rows = d_.size(c.nodes[0]) / std::max<std::int64_t>(c.cols, 1);
    }

    TileProgram& program = program_;
    program.ops.clear();
    program.operands.clear();
    program.outputs.clear();
    std::vector<std::uint32_t>& refs = program.operands;
    for (const Id n : c.nodes)
      for (std::uint32_t k = 0; k < d_.nodes[n].count; ++k) {  // by number: a copy may move the operands
        const Id o = d_.in(n)[k];
        refs.push_back(inside(o, self) ? 0 : input_slot(c, o, width(c, n, true)));
      }
    program.inputs = static_cast<std::uint32_t>(c.inputs.size());
    std::size_t at = 0;
    for (std::uint32_t i = 0; i < c.nodes.size(); ++i) {
      const Id n = c.nodes[i];
      result_slot_[n] = program.inputs + i;
      const Form form = fold_[n] ? Form::fold : width(c, n, false) == c.cols ? Form::wide : Form::narrow;
      program.ops.push_back({d_.nodes[n].tape, static_cast<std::uint32_t>(at), d_.nodes[n].count, form});
      for (const Id o : d_.in(n)) {
        if (inside(o, self)) refs[at] = result_slot_[d_.root(o)];
        ++at;
      }
    }
    for (const Id n : c.outputs) program.outputs.push_back(result_slot_[n] - program.inputs);
    c.program = intern(c);
  }

  // The shortest row that an operand or the place of a result asks for.
  std::int64_t choose_cols(const Cluster& c, std::uint32_t self) const {
    const std::int64_t size = d_.size(c.nodes[0]);
    std::int64_t cols = size;
    const auto ask = [&](std::int64_t wish) {
      if (wish > 0 && wish < cols && size % wish == 0) cols = wish;
    };
    for (const Id n : c.nodes)
      for (const Id o : d_.in(n))
        if (const Layout l = d_.layout(o); !inside(o, self) && !l.dense() && !l.uniform()) ask(l.cols);
    for (const Id n : c.outputs)
      for (const Reader& r : readers(n))
        if (d_.nodes[r.node].role == Role::concat) {
          const auto whole = d_.shape(r.node).split(d_.nodes[r.node].axis);
          if (whole.outer > 1) ask(size / whole.outer);
        }
    return cols;
  }
  std::uint32_t input_slot(Cluster& c, Id operand, std::int64_t cols) {
    auto l = with_cols(d_.layout(operand), cols);
    if (!l) l = with_cols(d_.layout(d_.copy_of(operand)), cols);
    for (std::uint32_t i = 0; i < c.inputs.size(); ++i)
      if (c.inputs[i] == *l) return i;
    c.inputs.push_back(*l);
    return static_cast<std::uint32_t>(c.inputs.size() - 1);
  }

  // Clusters of one program look alike down to how their operands lie, and differ in where.
  std::uint32_t intern(const Cluster& c) {
    const TileProgram& program = program_;
    std::vector<std::int64_t>& key = key_;
    key.assign({c.cols, program.inputs});
    for (const Layout& l : c.inputs) key.push_back(l.step * 2 + (l.stride != 0 ? 1 : 0));
    for (const TileProgram::Op& op : program.ops) {
      key.push_back(static_cast<std::int64_t>(std::bit_cast<std::uintptr_t>(&d_.tape.op(op.tape))));
      const Attrs attrs = d_.tape.attrs(op.tape);
      key.insert(key.end(), attrs.begin(), attrs.end());
      key.push_back(static_cast<std::int64_t>(op.form));
    }
    key.insert(key.end(), program.operands.begin(), program.operands.end());
    key.push_back(-1);
    key.insert(key.end(), program.outputs.begin(), program.outputs.end());
    const auto [it, added] = program_ids_.try_emplace(key, static_cast<std::uint32_t>(d_.programs.size()));
    if (added) d_.programs.push_back(program);
    return it->second;
  }

  Draft& d_;
  std::vector<char> fold_,
      spreads_;                 // by node: whether it folds rows; whether its rows may be spread in tiles
  std::vector<Id> parent_;      // by node, of the same cluster
  std::vector<Extent> form_;    // by node, of the cluster whose parent it is
  std::vector<bool> disagree_;  // likewise: two of its rows have other lengths
  std::vector<std::uint32_t> level_, end_;
  std::vector<Reader> readers_;
  std::vector<bool> wanted_;
  std::vector<std::uint32_t> result_slot_;  // by node
  TileProgram program_;                     // of the cluster at hand, and its key: their memory serves again
  std::vector<std::int64_t> key_;
  std::vector<Layout> inputs_;  // room for a cluster's lists while they grow
  std::vector<Id> outputs_;
  boost::unordered_flat_map<std::vector<std::int64_t>, std::uint32_t> program_ids_;
};

}  // namespace

void fuse_elementwise(Draft& d) { Fuser(d).fuse(); }

}  // namespace spool::plan
