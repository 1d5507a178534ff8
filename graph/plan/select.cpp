// Selected rows. Sequences that are recorded one by one look up their rows one by one: all selections from a
// table become parts of one. And an embedding looks up many rows of a small table; what multiplies each of
// them can multiply the table's rows instead, once each:
//
//   select(P, i) W            -> select(P W, i)             the inputs of all steps
//   add_rows(G W, i)          -> add_rows(G, i) W           the gradient of the table
//   sum of G^T select(P, i)   -> add_rows(G, i)^T P         the gradient of W
//
// And where products add all that was selected, they read it from the table themselves, by index.
//
// Here select and add_rows are ops with a RowMap. Sums change their order: results may differ by rounding.
#include <spool/graph/plan/draft.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <array>

namespace spool::plan {

namespace {

class Selections {
 public:
  explicit Selections(Draft& d) : d_(d) {}

  void change() {
    find();
    if (selects_.empty()) return;
    join_selections();
    if (!any_pays()) return;
    count_uses();
    for (const Id x : selects_)
      if (pays(d_.size(d_.in(x)[1]), x)) change_products(x);
    for (const Id y : adds_) change_table_gradient(y);
    for (const Id n : sums_) change_weight_gradient(n);
    follow_views();
  }

 private:
  void find() {
    for (Id n = 0; n < d_.nodes.size(); ++n) {
      const Role role = d_.nodes[n].role;
      if (role == Role::long_product) sums_.push_back(n);
      if (role != Role::eval) continue;
      const RowMap map = d_.op(n).row_map;
      if (map == RowMap::selects && d_.shape(d_.in(n)[0]).rank() == 2) selects_.push_back(n);
      if (map == RowMap::adds && d_.shape(n).rank() == 2) adds_.push_back(n);
    }
  }

  // Selections from one table by what is known from the start.
  void join_selections() {
    boost::unordered_flat_map<std::pair<Id, std::uint32_t>, std::vector<Id>> by_table;  // and segment
    for (const Id x : selects_)
      if (!d_.computed(d_.root(d_.in(x)[1])) && d_.size(x) > 0)
        by_table[{d_.in(x)[0], d_.segment(x)}].push_back(x);
    for (const auto& [key, parts] : by_table)
      if (parts.size() > 1) join_parts(key.first, parts);
    std::erase_if(selects_, [&](Id x) { return d_.nodes[x].role == Role::view; });
    std::ranges::sort(selects_);
    follow_views();
  }

  void join_parts(Id table, const std::vector<Id>& parts) {
    std::vector<Id> index;
    std::int64_t rows = 0, row = 0;
    for (const Id x : parts) {
      const std::int64_t count = d_.size(d_.in(x)[1]);
      index.push_back(d_.view_as(d_.in(x)[1], Shape{count}));
      rows += count;
    }
    const Id operands[] = {table, d_.rows_of(index, false)};
    const Id all = d_.add_node(d_.nodes[parts[0]].tape, Role::eval, d_.shape(table).with(0, rows), operands);
    const std::int64_t width = d_.shape(table).back();
    for (const Id x : parts) {
      const std::int64_t count = d_.size(d_.in(x)[1]);
      d_.nodes[x].role = Role::view;
      d_.nodes[x].count = 0;
      d_.set_layout(x, {all, row * width, 1, count * width, 0, 1});
      row += count;
    }
    selects_.push_back(all);
  }

  bool any_pays() const {
    return std::ranges::any_of(selects_, [&](Id x) { return pays(d_.size(d_.in(x)[1]), x); }) ||
           std::ranges::any_of(adds_, [&](Id y) { return pays_to_add(y); });
  }

  void count_uses() {
    uses_.assign(d_.nodes.size(), 0);
    for (Id n = 0; n < d_.nodes.size(); ++n)
      for (const Id o : d_.in(n)) ++uses_[o];
    for (const Id w : d_.wanted) uses_[w] += 2;
    for (Id n = 0; n < d_.nodes.size(); ++n)
      if (d_.nodes[n].role == Role::product)
        if (const Id x = d_.root(d_.in(n)[0]); d_.segment(x) == d_.segment(n)) readers_[x].push_back(n);
  }

  std::int64_t table_rows(Id select) const { return d_.shape(d_.in(select)[0])[0]; }
  bool pays(std::int64_t rows, Id select) const { return rows >= 2 * table_rows(select); }
  bool pays_to_add(Id y) const { return d_.size(d_.in(y)[1]) >= 2 * d_.shape(y)[0]; }

  // Which row of x, counted in rows of its table, an operand starts with; -1 when it is no rows of x.
  std::int64_t first_row(Id operand, Id x) const {
    const Layout l = d_.layout(operand);
    const std::int64_t k = d_.shape(x).back();
    return l.root == x && l.dense() && l.offset % k == 0 && l.size() % k == 0 && d_.shape(operand).back() == k
               ? l.offset / k
               : -1;
  }

  // --- select(P, i) W

  void change_products(Id x) {
    const auto found = readers_.find(x);
    if (found == readers_.end()) return;
    boost::unordered_flat_map<std::vector<std::int64_t>, std::vector<Id>> kinds;
    for (const Id p : found->second) {
      if (first_row(d_.in(p)[0], x) < 0) continue;
      if (d_.nodes[p].count == 3 && !repeats_a_row(d_.in(p)[2], product_cols(d_, p))) continue;
      const std::int64_t add = d_.nodes[p].count == 3 ? d_.in(p)[2] : none;
      kinds[{d_.in(p)[1], d_.attrs(p)[1], add}].push_back(p);
    }
    for (const auto& [kind, products] : kinds) {
      std::int64_t rows = 0;
      for (const Id p : products) rows += d_.size(p) / product_cols(d_, p);
      // For a few of many rows, most of what is selected would be for nothing.
      if (pays(rows, x) && 2 * rows >= d_.size(d_.in(x)[1])) select_results(x, products);
    }
  }
  bool repeats_a_row(Id v, std::int64_t cols) const {
    const Layout l = d_.layout(v);
    return l.step == 1 && l.cols == cols && (l.rows == 1 || l.stride == 0) && l.size() > cols;
  }

  void select_results(Id x, const std::vector<Id>& products) {
    const std::int64_t n = product_cols(d_, products[0]);
    const Id operands[] = {table_product(x, products[0]), d_.in(x)[1]};
    const Id selected =
        d_.add_node(d_.nodes[x].tape, Role::eval, d_.shape(x).with(d_.shape(x).rank() - 1, n), operands);
    for (const Id q : products) {
      const std::int64_t row = first_row(d_.in(q)[0], x);
      d_.nodes[q].role = Role::view;
      d_.nodes[q].count = 0;
      d_.set_layout(q, {selected, row * n, 1, d_.size(q), 0, 1});
    }
  }

  // The table's rows multiplied as those of x by p: once for all parts of time that select from it.
  Id table_product(Id x, Id p) {
    const Id table = d_.in(x)[0], weight = d_.in(p)[1];
    const bool adds = d_.nodes[p].count == 3;
    const Layout row = adds ? d_.layout(d_.in(p)[2]) : Layout{none, 0, 0, 0, 0, 0};
    const auto [it, added] = table_products_.try_emplace(
        std::array<std::int64_t, 5>{table, weight, d_.attrs(p)[1], row.root, row.offset}, none);
    if (!added) return it->second;
    std::vector<Id> in{table, weight};
    const Shape shape{table_rows(x), product_cols(d_, p)};
    if (adds) {
      in.push_back(d_.add_node(d_.nodes[d_.in(p)[2]].tape, Role::view, shape, {}));
      d_.set_layout(in.back(), {row.root, row.offset, shape[0], shape[1], 0, 1});
    }
    return it->second = d_.add_node(d_.nodes[p].tape, Role::product, shape, in);
  }

  // --- add_rows(G, i)

  // The rows that are multiplied by one matrix and then joined, if v is that.
  std::vector<Id> factors(Id v) const {
    std::vector<Id> rows;
    const Id root = d_.root(v);
    if (!d_.whole(v) || uses_[root] != 1 || uses_[v] != 1) return {};
    if (d_.nodes[root].role == Role::product) return factor(root, root) ? std::vector{d_.in(root)[0]} : rows;
    if (d_.nodes[root].role != Role::concat || d_.nodes[root].axis != 0) return {};
    const auto parts = d_.in(root);
    for (const Id part : parts) {
      const Id p = d_.root(part);
      if (!d_.whole(part) || !factor(p, d_.root(parts[0])) || uses_[p] != 1) return {};
      rows.push_back(d_.in(p)[0]);
    }
    return rows;
  }
  bool factor(Id p, Id like) const {
    return d_.nodes[p].role == Role::product && d_.nodes[like].role == Role::product &&
           d_.nodes[p].count == 2 && d_.in(p)[1] == d_.in(like)[1] && d_.attrs(p)[1] == d_.attrs(like)[1];
  }

  void change_table_gradient(Id y) {
    if (!pays_to_add(y)) return;
    const Id joined = d_.in(y)[0], index = d_.in(y)[1];
    const std::vector<Id> rows = factors(joined);
    const auto same_segment = [&](Id row) { return d_.segment(row) == d_.segment(y); };
    if (rows.empty() || !std::ranges::all_of(rows, same_segment)) return;
    const Id root = d_.root(joined);
    const Id p = d_.nodes[root].role == Role::product ? root : d_.root(d_.in(root)[0]);
    std::int64_t count = 0;
    for (const Id r : rows) count += d_.size(r) / d_.shape(r).back();
    if (product_cols(d_, p) != d_.shape(y).back() || count != d_.size(index))
      return;  // rows of another length
    const Id weight = d_.in(p)[1];
    const Id added = added_rows(y, index, rows);
    d_.nodes[y].role = Role::product;
    d_.nodes[y].tape = d_.nodes[p].tape;
    const Id in[] = {added, weight};
    d_.set_operands(y, in);
  }

  // What an add_rows like y gives for these rows instead; made once for each list of rows.
  Id added_rows(Id y, Id index, const std::vector<Id>& rows) {
    auto [it, is_new] = added_.try_emplace({{index, d_.shape(y)[0]}, rows}, none);
    if (!is_new) return it->second;
    const std::int64_t width = d_.shape(rows[0]).back();
    const Id all = rows.size() == 1 ? rows[0] : d_.rows_of(rows, false);
    const Id operands[] = {all, index};
    const Id added = d_.add_node(d_.nodes[y].tape, Role::eval, Shape{d_.shape(y)[0], width}, operands);
    added_[{{index, d_.shape(y)[0]}, rows}] = added;
    return added;
  }

  // A sum of products where one side is all of a selection in order. Only beside the table's own gradient,
  // whose rows are then added up already.
  void change_weight_gradient(Id n) {
    const auto in = d_.in(n);
    if (in.size() % 2 != 0) return;
    for (std::uint32_t side = 0; side < 2; ++side) {
      const Id x = d_.root(in[side]);
      if (!std::ranges::binary_search(selects_, x)) continue;
      std::vector<std::pair<std::int64_t, Id>> rows;  // of x, and what they are multiplied with
      for (std::uint32_t i = 0; i < in.size(); i += 2)
        rows.emplace_back(first_row(in[i + side], x), in[i + 1 - side]);
      std::ranges::sort(rows);
      std::int64_t next = 0;
      std::vector<Id> others;
      for (const auto& [first, other] : rows) {
        if (first != next) return;
        next += d_.size(other) / d_.shape(other).back();
        others.push_back(other);
      }
      const Id index = d_.in(x)[1], table = d_.in(x)[0];
      const auto known = added_.find({{index, table_rows(x)}, others});
      if (next != d_.size(index) || known == added_.end()) return;
      const Id added = known->second;
      const Id pair[] = {side == 0 ? table : added, side == 0 ? added : table};
      d_.set_operands(n, pair);
      return;
    }
  }

  // Views of what has become a view itself.
  void follow_views() {
    for (Id n = 0; n < d_.nodes.size(); ++n) {
      if (d_.nodes[n].role != Role::view || d_.nodes[d_.root(n)].role != Role::view) continue;
      Layout l = d_.layout(n);
      const Layout to = d_.layout(l.root);
      l.offset += to.offset;
      l.root = to.root;
      d_.set_layout(n, l);
    }
  }

  Draft& d_;
  std::vector<Id> selects_, adds_, sums_;
  std::vector<std::uint32_t> uses_;
  boost::unordered_flat_map<Id, std::vector<Id>> readers_;  // products by the root of their rows
  boost::unordered_flat_map<std::pair<std::pair<Id, std::int64_t>, std::vector<Id>>, Id>
      added_;  // index, table
  boost::unordered_flat_map<std::array<std::int64_t, 5>, Id> table_products_;
};

// Selections that nothing reads but products, to add them: x W + select(P, i) reads P by i.
class AddedSelections {
 public:
  explicit AddedSelections(Draft& d) : d_(d), state_(d.nodes.size(), unknown) {}

  void change() {
    for (const Id w : d_.wanted) state_[d_.root(w)] = needed;
    for (const Id n : d_.order)
      for (std::uint32_t i = 0; i < d_.nodes[n].count; ++i) {
        const Id x = d_.root(d_.in(n)[i]);
        if (state_[x] == needed) continue;
        state_[x] = adds_rows(n, i, x) ? added : needed;
        if (state_[x] == added) rows_[x].emplace_back(first_row(n), first_row(n) + rows(n));
      }
    for (auto& [x, rows] : rows_)
      if (!all_are(rows, x)) state_[x] = needed;
    if (rows_.empty()) return;
    for (const Id n : d_.order)
      if (d_.nodes[n].role == Role::product && d_.nodes[n].count == 3)
        if (const Id x = d_.root(d_.in(n)[2]); state_[x] == added) read_by_index(n, x);
    std::erase_if(d_.order, [&](Id n) { return n < state_.size() && state_[n] == added; });
  }

 private:
  // Whether operand i of n is rows of a selection x, which n adds to a product.
  bool adds_rows(Id n, std::uint32_t i, Id x) const {
    if (d_.nodes[n].role != Role::product || d_.nodes[n].count != 3 || i != 2) return false;
    if (d_.nodes[x].role != Role::eval || d_.op(x).row_map != RowMap::selects || d_.size(x) == 0)
      return false;
    const Id table = d_.in(x)[0], index = d_.in(x)[1];
    const std::int64_t cols = product_cols(d_, n);
    const Layout l = d_.layout(d_.in(n)[2]);
    return d_.shape(table).rank() == 2 && d_.shape(table)[1] == cols && d_.layout(table).dense() &&
           d_.layout(index).dense() && l.dense() && l.offset % cols == 0;
  }

  std::int64_t rows(Id n) const { return d_.size(n) / product_cols(d_, n); }
  // Of the selection, where n begins to add its rows.
  std::int64_t first_row(Id n) const { return d_.layout(d_.in(n)[2]).offset / product_cols(d_, n); }

  // Whether these are all rows of x: else some index would never be looked at, and might be wrong.
  bool all_are(std::vector<std::pair<std::int64_t, std::int64_t>>& rows, Id x) const {
    std::ranges::sort(rows);
    std::int64_t next = 0;
    for (const auto& [begin, end] : rows) {
      if (begin > next) return false;
      next = std::max(next, end);
    }
    return next == d_.size(d_.in(x)[1]);
  }

  void read_by_index(Id n, Id x) {
    const Layout index = d_.layout(d_.in(x)[1]);
    const Id view = d_.add_node(d_.nodes[d_.in(x)[1]].tape, Role::view, Shape{rows(n), 1}, {});
    d_.set_layout(view, {index.root, index.offset + first_row(n), 1, rows(n), 0, 1});
    const Id operands[] = {d_.in(n)[0], d_.in(n)[1], d_.in(x)[0], view};
    d_.set_operands(n, operands);
  }

  enum State : std::uint8_t { unknown, added, needed };
  Draft& d_;
  std::vector<State> state_;  // of each node that is a selection
  boost::unordered_flat_map<Id, std::vector<std::pair<std::int64_t, std::int64_t>>>
      rows_;  // of a selection: those that products add, from .. to
};

}  // namespace

void change_selections(Draft& d) { Selections(d).change(); }
void add_selections(Draft& d) { AddedSelections(d).change(); }

}  // namespace spool::plan
