// Units that do the same to different operands run as one: products that share their right operand (the input
// projections of all steps, the same step of many sequences), clusters of one program.
//
// Two units can join unless one waits for the other. For each kind of unit, count how many of that kind lie
// on the longest way to each one: those with equal counts don't wait for each other. Kinds join one after
// another, each in the graph that the last one left, so that no circle arises.
#include <spool/graph/plan/draft.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <numeric>
#include <queue>

namespace spool::plan {

namespace {

using Index = std::uint32_t;

class Grouper {
 public:
  explicit Grouper(Draft& d) : d_(d), next_(d.units.size(), none), group_(d.units.size()) {
    std::iota(group_.begin(), group_.end(), 0);
    find_edges();
  }

  void group() {
    sort();
    if (d_.options.group)
      for (const std::vector<Index>& kind : kinds()) join(kind);
    rebuild();
  }

 private:
  template <class F>
  void for_each_source(const Unit& u, F&& f) const {
    const Index m = u.members[0];
    if (u.role == Role::elementwise) {
      for (const Layout& l : d_.clusters[m].inputs) f(l.root);
    } else {
      for (const Id o : d_.in(m)) f(d_.layout(o).root);
    }
  }

  void find_edges() {
    source_end_.push_back(0);
    for (const Unit& u : d_.units) {
      for_each_source(u, [&](Id root) {
        if (d_.computed(root)) sources_.push_back(d_.unit_of[root]);
      });
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
    order_.clear();
    seen_.assign(d_.units.size(), false);
    for (Index u = 0; u < d_.units.size(); ++u) visit(group_[u]);
  }
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
        order_.push_back(s.group);
        trail_.pop_back();
        continue;
      }
      const Index g = group_[sources_[s.edge++]];
      if (seen_[g]) continue;
      seen_[g] = true;
      trail_.push_back({g, g, source_end_[g]});
    }
  }

  // Units that do the same, in the order of their first one.
  std::vector<std::vector<Index>> kinds() const {
    std::vector<std::vector<Index>> all;
    boost::unordered_flat_map<std::vector<std::int64_t>, std::size_t> ids;
    for (Index u = 0; u < d_.units.size(); ++u) {
      std::vector<std::int64_t> key = kind_of(d_.units[u]);
      if (key.empty()) continue;
      const auto [it, added] = ids.try_emplace(std::move(key), all.size());
      if (added) all.emplace_back();
      all[it->second].push_back(u);
    }
    std::erase_if(all, [](const auto& kind) { return kind.size() < 2; });
    return all;
  }
  std::vector<std::int64_t> kind_of(const Unit& u) const {
    const Index m = u.members[0];
    if (u.role == Role::elementwise) return {0, d_.clusters[m].program};
    if (u.role != Role::product) return {};
    const Layout& b = d_.layout(d_.in(m)[1]);
    return {1,
            b.root,
            b.offset,
            b.rows,
            b.cols,
            b.stride,
            d_.attrs(m)[1],
            d_.nodes[m].count,
            product_cols(d_, m)};
  }

  void join(const std::vector<Index>& kind) {
    depth_.assign(d_.units.size(), 0);
    is_kind_.assign(d_.units.size(), false);
    for (const Index u : kind) is_kind_[group_[u]] = true;
    for (const Index g : order_)
      for_each_source_of(
          g, [&](Index s) { depth_[g] = std::max(depth_[g], depth_[s] + (is_kind_[s] ? 1U : 0U)); });
    std::vector<Index> first_at;  // by depth
    bool joined = false;
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
      joined = true;
    }
    last_.clear();
    if (joined) sort();
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
        unit.last = std::max(unit.last, d_.units[u].last);
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
    const auto later = [&](Index a, Index b) {
      return std::pair(units[a].last, a) > std::pair(units[b].last, b);
    };
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
  std::vector<bool> seen_, is_kind_;
  std::vector<Step> trail_;
};

}  // namespace

void group_units(Draft& d) { Grouper(d).group(); }

}  // namespace spool::plan
