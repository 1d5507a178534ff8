// Where values are computed. A part of a concat goes straight into it; what a product or a sum will read row
// after row lies in that order; a product that adds to another works on the other's storage. Whatever can't
// be placed has storage of its own, and a concat copies it.
#include <spool/graph/error.hpp>
#include <spool/graph/plan/draft.hpp>

#include <algorithm>
#include <numeric>
#include <set>

namespace spool::plan {

namespace {

class Placer {
 public:
  explicit Placer(Draft& d) : d_(d) { d_.places.resize(d_.nodes.size()); }

  void place() {
    if (!d_.options.place) return;
    find_readers();
    taken_.assign(d_.nodes.size(), false);
    has_parts_.assign(d_.nodes.size(), false);
    overwritten_.assign(d_.nodes.size(), false);
    for (const Unit& u : d_.units)
      for (const Id n : u.members)
        if (adds(u.role, n)) add_in_place(n);
    for (auto u = d_.units.rbegin(); u != d_.units.rend(); ++u)
      for (const std::uint32_t m : u->members) for_each_concat(u->role, m, [&](Id c) { fill_concat(c); });
    for (const Unit& u : d_.units) {
      if (u.role == Role::product) lay_out_products(u);
      if (u.role == Role::long_product)
        for (const Id n : u.members) lay_out_sum(n);
    }
  }

 private:
  struct Reader {
    std::uint32_t unit, member, operand;
  };

  // Of those values that may have another place.
  void find_readers() {
    may_move_.assign(d_.nodes.size(), false);
    for (const Unit& u : d_.units)
      for (const std::uint32_t m : u.members) {
        for_each_concat(u.role, m, [&](Id c) {
          for (const Id o : d_.in(c)) may_move_[d_.root(o)] = true;
        });
        if (adds(u.role, m)) may_move_[d_.root(d_.in(m).back())] = true;
      }
    end_.assign(d_.nodes.size() + 1, 0);
    for_each_read([&](Id root, const Reader&) { ++end_[root + 1]; });
    std::partial_sum(end_.begin(), end_.end(), end_.begin());
    readers_.resize(end_.back());
    std::vector<std::uint32_t> next(end_.begin(), end_.end() - 1);
    for_each_read([&](Id root, const Reader& r) { readers_[next[root]++] = r; });
    wanted_.assign(d_.nodes.size(), false);
    for (const Id w : d_.wanted) wanted_[d_.root(w)] = true;
  }
  template <class F>
  void for_each_read(F&& f) const {
    const auto read = [&](Id root, const Reader& r) {
      if (may_move_[root]) f(root, r);
    };
    for (std::uint32_t u = 0; u < d_.units.size(); ++u)
      for (const std::uint32_t m : d_.units[u].members) {
        std::uint32_t i = 0;
        if (d_.units[u].role == Role::elementwise)
          for (const Layout& l : d_.clusters[m].inputs) read(l.root, {u, m, i++});
        else
          for (const Id o : d_.in(m)) read(d_.root(o), {u, m, i++});
      }
  }
  // The concats that a member of a unit is, or that a cluster stores: its tiles have nothing to copy of what
  // is computed right there.
  template <class F>
  void for_each_concat(Role role, std::uint32_t member, F&& f) const {
    if (role == Role::concat) f(member);
    if (role != Role::elementwise) return;
    const Cluster& c = d_.clusters[member];
    const TileProgram& program = d_.programs[c.program];
    for (std::size_t i = 0; i < c.outputs.size(); ++i)
      if (program.ops[program.outputs[i]].form == Form::join) f(c.outputs[i]);
  }
  // Whether a product adds its last operand.
  bool adds(Role role, std::uint32_t n) const {
    return (role == Role::product || role == Role::long_product) && d_.nodes[n].count % 2 == 1;
  }
  Role role(const Reader& r) const { return d_.units[r.unit].role; }
  std::uint32_t segment(const Reader& r) const {
    return d_.segment(role(r) == Role::elementwise ? d_.clusters[r.member].nodes[0] : r.member);
  }
  // What is read, as rows of the length that the reader needs.
  Layout read_by(const Reader& r) const {
    return role(r) == Role::elementwise ? d_.clusters[r.member].inputs[r.operand]
                                        : d_.read_layout(r.member, r.operand);
  }
  bool adds(const Reader& r) const { return role(r) == Role::product && r.operand == 2; }
  std::span<const Reader> readers(Id root) const {
    return {readers_.data() + end_[root], end_[root + 1] - end_[root]};
  }

  // The node whose place decides v's: v itself, or the one that it is computed in as a whole.
  Id top(Id v) const {
    while (d_.places[v].parent != none && same_size(v, d_.places[v].parent)) v = d_.places[v].parent;
    return v;
  }
  bool same_size(Id v, Id parent) const { return d_.size(v) == d_.size(parent); }
  bool free(Id v) const { return d_.computed(v) && d_.places[top(v)].parent == none; }

  // The operand that a product adds is overwritten by the result, when nobody else reads it.
  void add_in_place(Id n) {
    const Layout l = d_.layout(d_.in(n).back());
    if (!d_.computed(l.root) || wanted_[l.root] || !l.dense() || l.size() != d_.size(n)) return;
    if (l.size() == d_.size(l.root)) {
      if (d_.nodes[l.root].role == d_.nodes[n].role && readers(l.root).size() == 1)
        d_.set_place(l.root, dense(n, d_.size(n)));
    } else if (d_.nodes[n].role == Role::product && only_added(l.root, l.size())) {
      d_.set_place(n, l);
      overwritten_[l.root] = true;
    }
  }

  // Whether products add parts of this size of u, each part once, and nobody else reads u.
  bool only_added(Id u, std::int64_t size) {
    if (d_.nodes[u].role == Role::concat) return false;  // its parts lie in it, and have readers of their own
    const auto [it, is_new] = only_added_.try_emplace(u, false);
    if (!is_new) return it->second;
    std::set<std::int64_t> parts;
    for (const Reader& r : readers(u)) {
      if (!adds(r)) return false;
      const Layout l = read_by(r);
      if (!l.dense() || l.offset % size != 0 || l.size() != size || !parts.insert(l.offset).second)
        return false;
    }
    return it->second = true;
  }

  // Values with gaps do not nest: what lies in rows of c finds its elements only if c has no gaps itself.
  // What products overwrite is no place for values that others may read later.
  void fill_concat(Id c) {
    if (has_gaps(c) || overwritten_[c]) return;
    const auto [outer, along, inner] = d_.shape(c).split(d_.nodes[c].axis);
    std::int64_t begin = 0;
    for (const Id o : d_.in(c)) {
      const std::int64_t end = begin + d_.size(o) / (outer * inner);
      const Id v = d_.root(o);
      const auto at = sliced(dense(c, d_.size(c)), outer, along, inner, begin, end);
      begin = end;
      if (!at || !d_.whole(o) || !free(v) || !fits(v, *at, c) || outlives(v, c)) continue;
      if (has_parts_[top(v)] || !same_size(v, c)) has_parts_[c] = has_parts_[top(c)] = true;
      d_.set_place(top(v), *at);
    }
  }
  bool has_gaps(Id c) const {
    for (; d_.places[c].parent != none; c = d_.places[c].parent)
      if (!d_.place(c).dense()) return true;
    return false;
  }

  // Whether v is kept for a later segment than c: it would keep all of c.
  bool outlives(Id v, Id c) const {
    return std::ranges::any_of(readers(v), [&](const Reader& r) { return segment(r) > d_.segment(c); });
  }

  // Whether v can be written at `at`, and read from there by all its readers; c itself need not.
  bool fits(Id v, const Layout& at, Id c) const {
    if (at.dense()) return true;
    if (wanted_[v] || has_parts_[top(v)] || !writes_rows(v, at)) return false;
    return std::ranges::all_of(readers(v), [&](const Reader& r) {
      const Layout l = read_by(r);
      const bool all =
          l.offset == 0 && l.size() == d_.size(v) && l.step == 1 && (l.rows == 1 || l.stride == l.cols);
      // A concat copies from anywhere; c itself may have parts of v as well.
      if (r.unit == d_.unit_of[c] || (role(r) == Role::concat && l.dense())) return all;
      return all && role(r) != Role::eval && with_cols(at, l.cols).has_value();
    });
  }
  bool writes_rows(Id v, const Layout& at) const {
    switch (d_.nodes[v].role) {
      case Role::elementwise:
        return with_cols(at, d_.size(v) / d_.clusters[d_.cluster_of[v]].rows).has_value();
      case Role::product:
        return with_cols(at, product_cols(d_, v)).has_value() && d_.nodes[v].count < 3;
      case Role::long_product:
        return with_cols(at, d_.shape(d_.in(v)[1]).back()).has_value() && d_.nodes[v].count % 2 == 0;
      default:
        return false;
    }
  }

  void lay_out_products(const Unit& u) {
    if (u.members.size() < 2) return;
    std::vector<Id> results, operands;
    for (const Id n : u.members) {
      results.push_back(n);
      operands.push_back(d_.in(n)[0]);
    }
    lay_out(results, d_.segment(u.members[0]));
    lay_out(operands, d_.segment(u.members[0]));
  }

  void lay_out_sum(Id n) {
    std::vector<Id> left, right;
    for (std::uint32_t i = 0; i + 1 < d_.nodes[n].count; i += 2)
      left.push_back(d_.in(n)[i]), right.push_back(d_.in(n)[i + 1]);
    lay_out(left, d_.segment(n));
    lay_out(right, d_.segment(n));
  }

  // Gives values of a segment that lie nowhere yet neighbouring places in this order.
  void lay_out(const std::vector<Id>& values, std::uint32_t segment) {
    std::vector<Id> tops;
    std::int64_t size = 0;
    for (const Id o : values) {
      const Id v = d_.root(o);
      if (!d_.whole(o) || d_.segment(v) != segment || !free(v) || taken_[top(v)]) continue;
      taken_[top(v)] = true;
      tops.push_back(top(v));
      size += d_.size(v);
    }
    for (const Id v : tops) taken_[v] = false;
    if (tops.size() < 2) return;
    const Id buffer = d_.add_node(d_.nodes[tops[0]].tape, Role::buffer, Shape{size}, {});
    d_.places.emplace_back();
    std::int64_t at = 0;
    for (const Id v : tops) {
      d_.set_place(v, {buffer, at, 1, d_.size(v), 0, 1});
      at += d_.size(v);
    }
  }

  Draft& d_;
  std::vector<std::uint32_t> end_;
  std::vector<Reader> readers_;
  std::vector<char> may_move_;
  std::vector<bool> wanted_, taken_, has_parts_, overwritten_;
  boost::unordered_flat_map<Id, bool> only_added_;
};

}  // namespace

Layout Draft::stored(Layout l) const {
  const std::int64_t cols = l.cols;
  while (places[l.root].parent != none) {
    const Layout& at = place(l.root);
    if (at.dense()) {
      l.root = at.root;
      l.offset += at.offset;
    } else {
      const auto in_rows = cols == at.size() ? at : with_cols(at, cols);
      if (!in_rows) throw InternalError("plan: a value with gaps is not read as a whole");
      l = *in_rows;
    }
  }
  return l;
}

void place_values(Draft& d) { Placer(d).place(); }

}  // namespace spool::plan
