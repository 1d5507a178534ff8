// Element-wise ops that can run together form clusters: a tile of each operand goes through all of them while
// it is in cache, and only what others read is stored. What stays within rows goes along: folds and what is
// spread over the rows again (the mean and the variance of a layer norm, say), slices (the gates), and joins
// of slices.
//
// Each node gets a level: an edge counts 0 when both its ends can be in one cluster, else 1. Equal levels
// along edges of length 0 are a cluster, and since every other edge leads to a higher level, no two clusters
// can wait for each other. A cluster whose nodes do not agree on what a row is does without some of them.
#include <spool/graph/plan/draft.hpp>

#include <algorithm>
#include <numeric>
#include <tuple>

namespace spool::plan {

namespace {

class Fuser {
 public:
  explicit Fuser(Draft& d) : d_(d) {}

  void fuse() {
    fold_.assign(d_.nodes.size(), false);
    joins_.assign(d_.nodes.size(), false);
    in_rows_.assign(d_.nodes.size(), d_.options.fuse);
    if (d_.options.fuse)
      for (const Id n : d_.order) fold_[n] = is_fold(n), joins_[n] = is_join(n);
    for (int tries = 0;; ++tries) {
      find_levels();
      find_readers();
      if (d_.options.fuse && d_.options.sink) {
        if (tries == 0 && double_results()) {
          find_levels();
          find_readers();
        }
        sink();
      }
      if (find_clusters()) break;
      if (tries == most_tries) forget_rows([](Id) { return true; });
    }
    collect();
  }

 private:
  static constexpr int most_tries = 4;
  // Levels: a result is kept so long that a step of its own is worth it.
  static constexpr std::uint32_t far = 16;
  static constexpr std::int64_t longest_row = 4096;  // a tile has at least one

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
  // Whether it is a concat of rows that clusters compute.
  bool is_join(Id n) const {
    if (d_.nodes[n].role != Role::concat) return false;
    const auto [outer, along, inner] = d_.shape(n).split(d_.nodes[n].axis);
    return outer > 1 && along * inner <= longest_row && std::ranges::all_of(d_.in(n), [&](Id o) {
             return d_.whole(o) && d_.size(o) > 0 && in_tiles(d_.root(o)) && !fold_[d_.root(o)];
           });
  }
  bool in_tiles(Id n) const { return d_.nodes[n].role == Role::elementwise || fold_[n] || joins_[n]; }

  // Whether v reads, element by element or row by row, what u computes.
  bool fusable(Id u, Id operand, Id v) const {
    if (!d_.options.fuse || !in_tiles(u) || !in_tiles(v) || d_.segment(u) != d_.segment(v)) return false;
    if (d_.whole(operand)) return fold_[v] || joins_[v] || d_.size(u) == d_.size(v);
    const Layout l = d_.layout(operand);
    if (!in_rows_[u] || rows_in(l, u) == 0) return false;
    return fold_[v] ? l.rows == d_.size(v) : l.size() == d_.size(v);
  }
  // How many rows of u an operand has the same part of, or u has an element for each; 0: it is neither.
  std::int64_t rows_in(const Layout& l, Id u) const {
    const bool spread = l.step == 0 && l.stride == 1 && l.offset == 0 && l.rows == d_.size(u);
    const bool slice = l.step == 1 && l.rows > 1 && l.rows * l.stride == d_.size(u) &&
                       l.offset + l.cols <= l.stride && l.stride <= longest_row;
    return spread || slice ? l.rows : 0;
  }

  void find_levels() {
    level_.assign(d_.nodes.size(), 0);
    edges_.clear();
    for (const Id v : d_.order) {
      if (joins_[v] && !parts_agree(v)) joins_[v] = false;
      std::uint32_t level = 0;
      for (const Id o : d_.in(v)) {
        const Id u = d_.root(o);
        if (!d_.computed(u)) continue;
        edges_.push_back({u, v, o, fusable(u, o, v)});
        level = std::max(level, level_[u] + (edges_.back().fusable ? 0 : 1));
      }
      level_[v] = level;
    }
  }
  // A part that is computed long before the others is better stored in its place at once.
  bool parts_agree(Id join) const {
    const Id first = d_.root(d_.in(join)[0]);
    return std::ranges::all_of(d_.in(join), [&](Id o) {
      return fusable(d_.root(o), o, join) && level_[d_.root(o)] == level_[first];
    });
  }

  struct Edge {
    Id from, to, operand;
    bool fusable;
  };
  struct Reader {
    Id node;
    bool fusable;
  };

  void find_readers() {
    end_.assign(d_.nodes.size() + 1, 0);
    for (const Edge& e : edges_) ++end_[e.from + 1];
    std::partial_sum(end_.begin(), end_.end(), end_.begin());
    readers_.resize(end_.back());
    std::vector<std::uint32_t> next(end_.begin(), end_.end() - 1);
    for (const Edge& e : edges_) readers_[next[e.from]++] = {e.to, e.fusable};
    wanted_.assign(d_.nodes.size(), false);
    for (const Id w : d_.wanted) wanted_[d_.root(w)] = true;
  }
  std::span<const Reader> readers(Id u) const { return {readers_.data() + end_[u], end_[u + 1] - end_[u]}; }

  // Doubles results that are read in their own cluster and again much later, when that is cheap and what
  // they are made of is kept in any case: x^ = (x - mean) / sigma of a layer norm is then not stored.
  bool double_results() {
    const std::vector<Id> order = std::move(d_.order);
    d_.order.clear();
    for (const Id v : order) {
      d_.order.push_back(v);
      if (!worth_doubling(v)) continue;
      const std::vector<Id> in(d_.in(v).begin(), d_.in(v).end());
      const Id again = d_.add_node(d_.nodes[v].tape, Role::elementwise, d_.shape(v), in);
      d_.order.push_back(again);
      for (const Reader& r : readers(v))
        if (is_far(r, v))
          for (std::uint32_t k = 0; k < d_.nodes[r.node].count; ++k)
            if (const Id o = d_.in(r.node)[k]; d_.root(o) == v) {
              const Id as_read = d_.view_as(again, d_.shape(o));
              d_.in(r.node)[k] = as_read;
            }
    }
    for (auto* flags : {&fold_, &joins_}) flags->resize(d_.nodes.size(), false);
    in_rows_.resize(d_.nodes.size(), true);
    return d_.order.size() > order.size();
  }
  bool is_far(const Reader& r, Id v) const { return level_[r.node] >= level_[v] + far; }
  bool worth_doubling(Id v) const {
    if (d_.nodes[v].role != Role::elementwise || !d_.op(v).cheap || wanted_[v]) return false;
    std::uint32_t first = 0xffffffffU, last = 0;
    for (const Reader& r : readers(v)) {
      if (!is_far(r, v)) {
        if (!r.fusable || level_[r.node] != level_[v]) return false;  // it is stored in any case
        continue;
      }
      if (d_.segment(r.node) != d_.segment(v) || !reads_whole(r.node, v)) return false;
      first = std::min(first, level_[r.node]);
      last = std::max(last, level_[r.node]);
    }
    // Where all are far, it just moves; where they are far from each other, it would be stored for the last.
    if (last == 0 || last - first >= far ||
        std::ranges::all_of(readers(v), [&](const Reader& r) { return is_far(r, v); }))
      return false;
    return std::ranges::all_of(d_.in(v), [&](Id o) {
      const Id u = d_.root(o);
      if (!d_.computed(u)) return true;
      if (u >= level_.size()) return false;  // a double itself, which is not kept
      return wanted_[u] || std::ranges::any_of(readers(u), [&](const Reader& r) {
               return r.node != v && level_[r.node] >= first;
             });
    });
  }
  bool reads_whole(Id n, Id v) const {
    return std::ranges::all_of(d_.in(n), [&](Id o) { return d_.root(o) != v || d_.whole(o); });
  }

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

  // Joins the nodes of each cluster in `parent_`. False when one would have to have rows of two kinds, after
  // which some folds, slices and joins are none any more.
  bool find_clusters() {
    parent_.resize(d_.nodes.size());
    std::iota(parent_.begin(), parent_.end(), 0);
    rows_.assign(d_.nodes.size(), 0);
    for (const Id n : d_.order)
      if (fold_[n] || joins_[n]) rows_[n] = fold_[n] ? d_.size(n) : d_.shape(n).split(d_.nodes[n].axis).outer;
    disagree_.assign(d_.nodes.size(), false);
    bool agreed = true;
    for (const auto& [u, v, o, fusable] : edges_) {
      if (level_[u] != level_[v] || !fusable) continue;
      const Id a = cluster(u), b = cluster(v);
      if (disagree_[a] || disagree_[b]) continue;  // it goes apart in any case
      if (join(u, v, d_.whole(o) ? 0 : rows_in(d_.layout(o), u))) continue;
      agreed = false;
      disagree_[a] = disagree_[b] = true;
    }
    if (!agreed) forget_rows([&](Id n) { return disagree_[cluster(n)]; });
    if (agreed && d_.options.fuse) join_siblings();
    return agreed;
  }

  template <class F>
  void forget_rows(F&& of) {
    for (const Id n : d_.order)
      if (of(n)) fold_[n] = joins_[n] = in_rows_[n] = false;
  }

  Id cluster(Id n) {
    while (parent_[n] != n) n = parent_[n] = parent_[parent_[n]];
    return n;
  }

  // Joins the clusters of two nodes, unless they, or the edge between, are of other rows.
  bool join(Id u, Id v, std::int64_t rows) {
    const Id a = cluster(u), b = cluster(v);
    for (const std::int64_t r : {rows_[a], rows_[b]}) {
      if (r != 0 && rows != 0 && r != rows) return false;
      rows = std::max(rows, r);
    }
    parent_[b] = a;
    rows_[a] = rows;
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
        d_.clusters.emplace_back().rows = rows_[first];
      }
      d_.cluster_of[n] = number;
      d_.clusters[number].nodes.push_back(n);
    }
  }

  // Ops of one level that read the same result, or other parts of its rows, go together too: it is then
  // loaded once.
  void join_siblings() {
    struct Sibling {
      std::uint32_t level, segment;
      std::int64_t size, row;
      Id node;
    };
    const auto kind = [](const Sibling& s) { return std::tuple(s.level, s.segment, s.size, s.row); };
    std::vector<Sibling> siblings;
    for (const Id u : d_.order) {
      if (readers(u).size() < 2) continue;
      siblings.clear();
      for (const Reader& r : readers(u))
        if (in_tiles(r.node))
          siblings.push_back(
              {level_[r.node], d_.segment(r.node), d_.size(r.node), first_row(u, r.node), r.node});
      std::ranges::sort(siblings, {}, kind);
      for (std::size_t i = 1; i < siblings.size(); ++i)
        if (const Sibling& a = siblings[i - 1], &b = siblings[i]; kind(a) == kind(b))
          static_cast<void>(join(a.node, b.node, 0));
    }
  }

  // Which row of u, as v sees it, is the first that v reads.
  std::int64_t first_row(Id u, Id v) const {
    for (const Id o : d_.in(v))
      if (d_.root(o) == u) {
        const Layout l = d_.layout(o);
        return l.rows > 1 && l.stride > 0 ? l.offset / l.stride : l.offset;
      }
    return 0;
  }

  Draft& d_;
  // By node: whether it folds rows, joins parts of rows, may be read row by row in tiles.
  std::vector<char> fold_, joins_, in_rows_;
  std::vector<Id> parent_;          // by node, of the same cluster
  std::vector<std::int64_t> rows_;  // by node, of the cluster whose parent it is; 0: any number of them
  std::vector<bool> disagree_;      // likewise: it can't be one of these
  std::vector<std::uint32_t> level_, end_;
  std::vector<Edge> edges_;  // between nodes that are computed, in the order of their ends
  std::vector<Reader> readers_;
  std::vector<bool> wanted_;
};

}  // namespace

void fuse_elementwise(Draft& d) {
  Fuser(d).fuse();
  write_programs(d);
}

}  // namespace spool::plan
