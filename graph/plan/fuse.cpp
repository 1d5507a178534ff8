// Element-wise ops that can run together form clusters: a tile of each operand goes through all of them while
// it is in cache, and only what others read is stored.
//
// Each node gets a level: an edge counts 0 when both its ends are element-wise and read the same elements,
// else
// 1. Equal levels along edges of length 0 are a cluster, and since every other edge leads to a higher level,
// no two clusters can wait for each other.
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
    find_levels();
    find_readers();
    if (d_.options.fuse && d_.options.sink) sink();
    collect();
    result_slot_.resize(d_.nodes.size());
    for (Cluster& c : d_.clusters) shape_cluster(c);
  }

 private:
  // Whether v reads, element by element, what u computes.
  bool fusable(Id u, Id operand, Id v) const {
    return d_.options.fuse && d_.nodes[u].role == Role::elementwise &&
           d_.nodes[v].role == Role::elementwise && d_.segment(u) == d_.segment(v) && d_.whole(operand) &&
           d_.size(u) == d_.size(v);
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
      if (d_.nodes[v].role != Role::elementwise || wanted_[v] || readers(v).empty()) continue;
      if (std::ranges::any_of(readers(v),
                              [&](const Reader& r) { return d_.segment(r.node) != d_.segment(v); }))
        continue;
      std::uint32_t target = 0xffffffffU;
      for (const Reader& r : readers(v)) target = std::min(target, level_[r.node] - (r.fusable ? 0 : 1));
      if (target > level_[v] && costs_nothing(v)) level_[v] = target;
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

  void collect() {
    std::vector<Id> parent(d_.nodes.size());
    std::iota(parent.begin(), parent.end(), 0);
    const auto find = [&](Id n) {
      while (parent[n] != n) n = parent[n] = parent[parent[n]];
      return n;
    };
    for_each_edge([&](Id u, Id o, Id v) {
      if (fusable(u, o, v) && level_[u] == level_[v]) parent[find(v)] = find(u);
    });
    if (d_.options.fuse) join_siblings(parent, find);
    d_.cluster_of.assign(d_.nodes.size(), none);
    for (const Id n : d_.order) {
      if (d_.nodes[n].role != Role::elementwise) continue;
      std::uint32_t& cluster = d_.cluster_of[find(n)];
      if (cluster == none) {
        cluster = static_cast<std::uint32_t>(d_.clusters.size());
        d_.clusters.emplace_back();
      }
      d_.cluster_of[n] = cluster;
      d_.clusters[d_.cluster_of[n]].nodes.push_back(n);
    }
  }

  // Ops of one level that read the same result go together too: it is then loaded once.
  void join_siblings(std::vector<Id>& parent, const auto& find) {
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
        if (d_.nodes[r.node].role == Role::elementwise)
          siblings.push_back({level_[r.node], d_.segment(r.node), d_.size(r.node), r.node});
      std::ranges::sort(siblings, {}, kind);
      for (std::size_t i = 1; i < siblings.size(); ++i)
        if (kind(siblings[i]) == kind(siblings[i - 1]))
          parent[find(siblings[i].node)] = find(siblings[i - 1].node);
    }
  }

  bool inside(Id operand, std::uint32_t cluster) const {
    const Id u = d_.root(operand);
    return d_.cluster_of[u] == cluster && d_.whole(operand);
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
    c.cols = choose_cols(c, self);

    TileProgram& program = program_;
    program.ops.clear();
    program.operands.clear();
    program.outputs.clear();
    std::vector<std::uint32_t>& refs = program.operands;
    for (const Id n : c.nodes)
      for (std::uint32_t k = 0; k < d_.nodes[n].count; ++k) {  // by number: a copy may move the operands
        const Id o = d_.in(n)[k];
        refs.push_back(inside(o, self) ? 0 : input_slot(c, o));
      }
    program.inputs = static_cast<std::uint32_t>(c.inputs.size());
    std::size_t at = 0;
    for (std::uint32_t i = 0; i < c.nodes.size(); ++i) {
      const Id n = c.nodes[i];
      result_slot_[n] = program.inputs + i;
      program.ops.push_back({d_.nodes[n].tape, static_cast<std::uint32_t>(at), d_.nodes[n].count});
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
  std::uint32_t input_slot(Cluster& c, Id operand) {
    auto l = with_cols(d_.layout(operand), c.cols);
    if (!l) l = with_cols(d_.layout(d_.copy_of(operand)), c.cols);
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
    }
    key.insert(key.end(), program.operands.begin(), program.operands.end());
    key.push_back(-1);
    key.insert(key.end(), program.outputs.begin(), program.outputs.end());
    const auto [it, added] = program_ids_.try_emplace(key, static_cast<std::uint32_t>(d_.programs.size()));
    if (added) d_.programs.push_back(program);
    return it->second;
  }

  Draft& d_;
  std::vector<std::uint32_t> level_, end_;
  std::vector<Reader> readers_;
  std::vector<bool> wanted_;
  std::vector<std::uint32_t> result_slot_;  // by node
  TileProgram program_;                     // of the cluster at hand, and its key: their memory serves again
  std::vector<std::int64_t> key_;
  boost::unordered_flat_map<std::vector<std::int64_t>, std::uint32_t> program_ids_;
};

}  // namespace

void fuse_elementwise(Draft& d) { Fuser(d).fuse(); }

}  // namespace spool::plan
