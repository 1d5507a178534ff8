// Units of work: one for each cluster and each other node. Operands that a unit can't read where they lie are
// copied, which is a unit too.
#include <spool/graph/plan/draft.hpp>

namespace spool::plan {

namespace {

// The row of a product's operand i.
std::int64_t row_length(const Draft& d, Id n, std::uint32_t i) {
  return d.nodes[n].role == Role::product && i == 2 ? product_cols(d, n) : d.shape(d.in(n)[i]).back();
}

class UnitMaker {
 public:
  explicit UnitMaker(Draft& d) : d_(d) {}

  void make() {
    const std::vector<Id> order = d_.order;
    for (const Id n : order) ready_operands(n);
    d_.cluster_of.resize(d_.nodes.size(), none);
    d_.unit_of.assign(d_.nodes.size(), none);
    for (const Id n : order) {
      if (d_.nodes[n].role == Role::elementwise)
        cluster_unit(d_.cluster_of[n]);
      else
        node_unit(n);
    }
  }

 private:
  void ready_operands(Id n) {
    const Role role = d_.nodes[n].role;
    if (role == Role::elementwise || role == Role::concat) return;
    for (std::uint32_t i = 0; i < d_.nodes[n].count; ++i)
      if (const Id o = d_.in(n)[i]; !readable(n, role, i)) {
        const Id copy = d_.copy_of(o);
        d_.in(n)[i] = copy;
      }
  }

  bool readable(Id n, Role role, std::uint32_t i) const {
    const Id o = d_.in(n)[i];
    if (d_.nodes[o].layout == none) return true;
    if (role == Role::product || role == Role::long_product) {
      const auto l = with_cols(d_.layout(o), row_length(d_, n, i));
      return l && l->step == 1 && (i != 1 || l->stride >= l->cols || l->rows == 1);
    }
    return d_.layout(o).dense();
  }

  void node_unit(Id n) {
    if (d_.unit_of[n] != none) return;
    for (const Id o : d_.in(n)) copy_unit(o);
    add(n, {d_.nodes[n].role, {n}, d_.nodes[n].tape});
  }
  void copy_unit(Id o) {
    const Id u = d_.root(o);
    if (d_.nodes[u].role == Role::copy) node_unit(u);
  }

  void cluster_unit(std::uint32_t cluster) {
    const Cluster& c = d_.clusters[cluster];
    if (d_.unit_of[c.nodes[0]] != none) return;
    for (const Layout& l : c.inputs)
      if (d_.nodes[l.root].role == Role::copy) node_unit(l.root);
    const auto unit = static_cast<std::uint32_t>(d_.units.size());
    d_.units.push_back({Role::elementwise, {cluster}, d_.nodes[c.nodes.back()].tape});
    for (const Id n : c.nodes) d_.unit_of[n] = unit;
  }

  void add(Id n, Unit unit) {
    d_.unit_of[n] = static_cast<std::uint32_t>(d_.units.size());
    d_.units.push_back(std::move(unit));
  }

  Draft& d_;
};

}  // namespace

Layout Draft::read_layout(Id n, std::uint32_t i) const {
  const Layout l = layout(in(n)[i]);
  const Role role = nodes[n].role;
  return role == Role::product || role == Role::long_product ? *with_cols(l, row_length(*this, n, i)) : l;
}

std::int64_t product_cols(const Draft& d, Id n) {
  const Shape& b = d.shape(d.in(n)[1]);
  return b[d.attrs(n)[1] != 0 ? 0 : 1];
}

bool Draft::sums_columns(Id n) const {
  for (std::uint32_t i = 0; i + 1 < nodes[n].count; i += 2) {
    const Layout l = layout(in(n)[i]);
    if (nodes[l.root].role != Role::uniform || scalars[static_cast<std::size_t>(l.offset)].tape != none ||
        shape(in(n)[i]).back() != 1)
      return false;
  }
  return nodes[n].role == Role::long_product;
}

void make_units(Draft& d) { UnitMaker(d).make(); }

}  // namespace spool::plan
