// Units that do the same to different operands run as one: products that share their right operand (the input
// projections of all steps, the same step of many sequences), long products that share the rows on their left
// (gradients of a cell's weights and biases), clusters of one program.
//
// Two units can join unless one waits for the other. For each kind of unit, count how many of that kind lie
// on the longest way to each one: those with equal counts don't wait for each other. Kinds join one after
// another, each in the graph that the last one left, so that no circle arises.
#include <spool/graph/plan/draft.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <queue>

namespace spool::plan {

namespace {

using Index = std::uint32_t;

class Grouper {
 public:
  explicit Grouper(Draft& d)
      : d_(d), next_(d.units.size(), none), group_(d.units.size()), is_kind_(d.units.size(), false) {
    std::iota(group_.begin(), group_.end(), 0);
    find_edges();
  }

  void group() {
    if (d_.options.group) {
      std::vector<std::vector<Index>> all = kinds();
      join_equals(all);
      for (const std::vector<Index>& kind : all) join(kind);
    }
    sort();
    rebuild();
  }

 private:
  template <class F>
  void for_each_source(const Unit& u, F&& f) const {
    const Index m = u.members[0];
    if (u.role == Role::elementwise) {
      for (const Layout& l : d_.clusters[m].inputs) f(l.root);
    } else {
      for (const Id o : d_.in(m)) f(d_.root(o));
    }
  }

  void find_edges() {
    source_end_.push_back(0);
    for (const Unit& u : d_.units) {
      for_each_source(u, [&](Id root) {
        if (d_.computed(root)) sources_.push_back(d_.unit_of[root]);
      });
      const auto begin = sources_.begin() + source_end_.back();
      std::sort(begin, sources_.end());  // many results of one unit are one reason to wait for it
      sources_.erase(std::unique(begin, sources_.end()), sources_.end());
      source_end_.push_back(static_cast<Index>(sources_.size()));
    }
  }

  // f(source unit) for every unit that a member of the group g waits for.
  template <class F>
  void for_each_source_of(Index g, F&& f) const {
    for (Index u = g; u != none; u = next_[u])
      for (Index e = source_end_[u]; e < source_end_[u + 1]; ++e) f(group_[sources_[e]]);
  }

  // The groups, each after those that it waits for.
  void sort() {
    start_walk();
    for (Index u = 0; u < d_.units.size(); ++u) visit(group_[u]);
  }

  void start_walk() {
    order_.clear();
    seen_.assign(d_.units.size(), false);
    depth_.assign(d_.units.size(), 0);
  }

  // Walks to all groups that this one waits for, directly or not, and counts how many of the kind lie on the
  // longest way to each.
  void visit(Index start) {
    if (seen_[start]) return;
    seen_[start] = true;
    trail_.assign(1, {start, start, source_end_[start]});
    while (!trail_.empty()) {
      Step& s = trail_.back();
      while (s.member != none && s.edge == source_end_[s.member + 1]) {
        s.member = next_[s.member];
        if (s.member != none) s.edge = source_end_[s.member];
      }
      if (s.member == none) {
        const Index done = s.group;
        order_.push_back(done);
        trail_.pop_back();
        if (!trail_.empty()) count_way(done, trail_.back().group);
        continue;
      }
      const Index g = group_[sources_[s.edge++]];
      if (seen_[g]) {
        count_way(g, s.group);
        continue;
      }
      seen_[g] = true;
      trail_.push_back({g, g, source_end_[g]});
    }
  }
  void count_way(Index from, Index to) {
    depth_[to] = std::max(depth_[to], depth_[from] + (is_kind_[from] ? 1U : 0U));
  }

  // Units that do the same, in the order of their first one.
  std::vector<std::vector<Index>> kinds() {
    std::vector<std::vector<Index>> all;
    boost::unordered_flat_map<Kind, std::size_t> ids;
    for (Index u = 0; u < d_.units.size(); ++u) {
      const std::optional<Kind> kind = kind_of(d_.units[u]);
      if (!kind) continue;
      const auto [it, added] = ids.try_emplace(*kind, all.size());
      if (added) all.emplace_back();
      all[it->second].push_back(u);
    }
    std::erase_if(all, [](const auto& kind) { return kind.size() < 2; });
    return all;
  }

  using Kind = std::array<std::int64_t, 11>;
  std::optional<Kind> kind_of(const Unit& u) {
    const Index m = u.members[0];
    if (u.role == Role::long_product && d_.nodes[m].count % 2 == 0)
      return Kind{2, left_rows(m), d_.segment(m)};
    if (u.role == Role::elementwise) return Kind{0, d_.clusters[m].program, segment_of(u)};
    if (u.role != Role::product) return std::nullopt;
    const Layout b = d_.layout(d_.in(m)[1]);
    const Id table = d_.nodes[m].count == 4 ? d_.in(m)[2] : none;
    return Kind{1,        b.root,         b.offset,          b.rows,        b.cols,
                b.stride, d_.attrs(m)[1], d_.nodes[m].count, d_.segment(m), product_cols(d_, m),
                table};
  }

  // A number for what lies on a long product's left, in any order.
  Index left_rows(Id n) {
    const std::uint32_t side = d_.sums_columns(n) ? 1 : 0;
    std::vector<Id> rows;
    for (std::uint32_t i = side; i < d_.nodes[n].count; i += 2) rows.push_back(d_.in(n)[i]);
    std::ranges::sort(rows);
    return lefts_.try_emplace(std::move(rows), static_cast<Index>(lefts_.size())).first->second;
  }

  // Joins the kinds whose units have as many others before them on the longest way: none of them waits for
  // another, and joining them leaves all these counts as they are.
  void join_equals(std::vector<std::vector<Index>>& kinds) {
    is_kind_.assign(d_.units.size(), true);
    sort();
    is_kind_.assign(d_.units.size(), false);
    std::erase_if(kinds, [&](const std::vector<Index>& kind) {
      if (std::ranges::any_of(kind, [&](Index u) { return depth_[u] != depth_[kind[0]]; })) return false;
      for (std::size_t i = 1; i < kind.size(); ++i) next_[kind[i - 1]] = kind[i], group_[kind[i]] = kind[0];
      return true;
    });
  }

  void join(const std::vector<Index>& kind) {
    start_walk();
    for (const Index u : kind) is_kind_[u] = true;
    for (const Index u : kind) visit(u);
    for (const Index u : kind) is_kind_[u] = false;
    std::vector<Index> first_at;  // by depth
    last_.clear();
    for (const Index u : kind) {
      const Index depth = depth_[u];
      if (first_at.size() <= depth) first_at.resize(depth + 1, none);
      if (first_at[depth] == none) {
        first_at[depth] = last_at(depth) = u;
        continue;
      }
      next_[last_at(depth)] = u;
      last_at(depth) = u;
      group_[u] = first_at[depth];
    }
  }
  Index& last_at(Index depth) {
    if (last_.size() <= depth) last_.resize(depth + 1, none);
    return last_[depth];
  }

  // The units as joined, in the order they were recorded as far as they don't wait for one another.
  void rebuild() {
    std::vector<Unit> units;
    std::vector<Index> number(d_.units.size(), none);
    for (const Index g : order_) {
      Unit unit{d_.units[g].role, {}, 0};
      for (Index u = g; u != none; u = next_[u]) {
        unit.members.push_back(d_.units[u].members[0]);
        // What sums are made of need not be kept longer than for the first of them.
        const Id last = d_.units[u].last;
        unit.last =
            u != g && unit.role == Role::long_product ? std::min(unit.last, last) : std::max(unit.last, last);
      }
      number[g] = static_cast<Index>(units.size());
      units.push_back(std::move(unit));
    }
    const std::vector<Index> sequence = schedule(units, number);
    std::vector<Index> rank(units.size());
    for (Index i = 0; i < sequence.size(); ++i) rank[sequence[i]] = i;
    for (Index& u : d_.unit_of)
      if (u != none) u = rank[number[group_[u]]];
    d_.units.clear();
    for (const Index s : sequence) d_.units.push_back(std::move(units[s]));
  }

  std::uint32_t segment_of(const Unit& u) const {
    return d_.segment(u.role == Role::elementwise ? d_.clusters[u.members[0]].nodes[0] : u.members[0]);
  }

  std::vector<Index> schedule(const std::vector<Unit>& units, const std::vector<Index>& number) const {
    std::vector<Index> waits(units.size(), 0), end(units.size() + 1, 0);
    std::vector<std::pair<Index, Index>> edges;  // source, reader
    for (const Index g : order_)
      for_each_source_of(g, [&](Index s) {
        edges.emplace_back(number[s], number[g]);
        ++waits[number[g]];
        ++end[number[s] + 1];
      });
    std::partial_sum(end.begin(), end.end(), end.begin());
    std::vector<Index> readers(edges.size()), next(end.begin(), end.end() - 1);
    for (const auto& [s, r] : edges) readers[next[s]++] = r;
    // What waits for a barrier comes after all that does not, or it would be computed long before its time.
    std::vector<std::uint64_t> when;
    for (const Unit& u : units) when.push_back(std::uint64_t{segment_of(u)} << 32 | u.last);
    const auto later = [&](Index a, Index b) { return std::pair(when[a], a) > std::pair(when[b], b); };
    std::priority_queue<Index, std::vector<Index>, decltype(later)> ready(later);
    for (Index u = 0; u < units.size(); ++u)
      if (waits[u] == 0) ready.push(u);
    std::vector<Index> sequence;
    while (!ready.empty()) {
      const Index u = ready.top();
      ready.pop();
      sequence.push_back(u);
      for (Index e = end[u]; e < end[u + 1]; ++e)
        if (--waits[readers[e]] == 0) ready.push(readers[e]);
    }
    return sequence;
  }

  struct Step {
    Index group, member, edge;
  };

  Draft& d_;
  std::vector<Index> next_, group_;  // by unit: the next of its group, the first of its group
  std::vector<Index> sources_, source_end_, order_, depth_, last_;
  boost::unordered_flat_map<std::vector<Id>, Index> lefts_;
  std::vector<bool> seen_, is_kind_;
  std::vector<Step> trail_;
};

}  // namespace

void group_units(Draft& d) { Grouper(d).group(); }

}  // namespace spool::plan
