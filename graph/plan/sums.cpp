// Sums over time. A tree of adds is taken apart and put together anew:
//
//   sum of a_t^T b_t            the gradient of a weight     -> one long product over all rows
//   sum of x W + h U + b        the gates of a step          -> products that add to the one before
//   sum over rows of sum of g_t the gradient of a bias       -> one long product of ones with all g_t
//   sum of add_rows(g_s, i_s)   the gradient of a table      -> one add_rows of all rows
//
// Additions change their order, so results may differ from the plain ones by rounding.
#include <spool/graph/plan/draft.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <array>

namespace spool::plan {

namespace {

class Sums {
 public:
  explicit Sums(Draft& d) : d_(d) {}

  void join() {
    count_uses();
    find_levels();
    const auto n = static_cast<Id>(d_.nodes.size());  // those that are made here need no look
    for (Id i = 0; i < n; ++i) {
      if (is_sum_of_rows(i)) {
        join_sum_of_rows(i);
      } else if (adds(i) && !inner(i)) {
        join_tree(i);
      }
    }
  }

 private:
  void count_uses() {
    uses_.assign(d_.nodes.size(), 0);
    user_.assign(d_.nodes.size(), none);
    for (Id i = 0; i < d_.nodes.size(); ++i)
      for (const Id o : d_.in(i)) ++uses_[o], user_[o] = i;
    for (const Id w : d_.wanted) uses_[w] += 2;
  }

  // How many ops that are not element-wise lie before each node.
  void find_levels() {
    level_.assign(d_.nodes.size(), 0);
    for (Id i = 0; i < d_.nodes.size(); ++i) {
      if (!d_.computed(i)) continue;
      for (const Id o : d_.in(i)) level_[i] = std::max(level_[i], level_[o]);
      const Role role = d_.nodes[i].role;
      if (role != Role::elementwise && role != Role::view && role != Role::concat) ++level_[i];
      if (role == Role::product || role == Role::long_product) product_ = last_product_[d_.segment(i)] = i;
      if (role == Role::product) {
        std::uint32_t& latest = latest_[weight(i)];
        latest = std::max(latest, level_[i]);
      }
    }
  }

  // What a product multiplies with: its right operand, transposed or not.
  std::pair<Id, std::int64_t> weight(Id n) const { return {d_.in(n)[1], d_.attrs(n)[1]}; }

  // Whether two long products have the same sides: results of one size may have others.
  bool same_form(Id a, Id b) const {
    for (const int side : {0, 1})
      if (d_.shape(d_.in(a)[static_cast<std::size_t>(side)]).back() !=
          d_.shape(d_.in(b)[static_cast<std::size_t>(side)]).back())
        return false;
    return true;
  }

  bool adds(Id n) const {
    return d_.nodes[n].role == Role::elementwise && d_.nodes[n].count == 2 && d_.op(n).sums;
  }
  bool is_sum_of_rows(Id n) const {
    return d_.nodes[n].role == Role::eval && d_.op(n).kind == Kind::reduce && d_.op(n).sums &&
           std::ranges::find(d_.attrs(n), 0) != d_.attrs(n).end();
  }
  // An add that only serves another add, or a sum over rows.
  bool inner(Id n) const { return uses_[n] == 1 && (adds(user_[n]) || is_sum_of_rows(user_[n])); }

  // The leaves under an add, and the adds themselves, the root last.
  void take_apart(Id root) {
    leaves_.clear();
    slots_.clear();
    stack_.assign(1, root);
    while (!stack_.empty()) {
      const Id n = stack_.back();
      stack_.pop_back();
      if (n != root && !(adds(n) && inner(n))) {
        leaves_.push_back(n);
        continue;
      }
      slots_.push_back(n);
      const auto in = d_.in(n);
      stack_.insert(stack_.end(), in.begin(), in.end());
    }
    std::ranges::reverse(slots_);
    std::ranges::sort(leaves_);  // as recorded
  }

  void join_tree(Id root) {
    take_apart(root);
    long_.clear();
    rows_.clear();
    added_.clear();
    others_.clear();
    for (const Id leaf : leaves_) {
      const Id n = d_.root(leaf);
      const bool mine = d_.whole(leaf) && only_use(leaf, n);
      if (mine && d_.nodes[n].role == Role::long_product && d_.nodes[n].count % 2 == 0 &&
          (long_.empty() || same_form(n, long_[0])))
        long_.push_back(n);
      else if (mine && d_.nodes[n].role == Role::product && d_.nodes[n].count == 2 &&
               d_.segment(n) == d_.segment(root))
        rows_.push_back(n);
      else if (mine && adds_rows(n) && (added_.empty() || d_.shape(n) == d_.shape(added_[0])))
        added_.push_back(n);
      else
        others_.push_back(leaf);
    }
    if (added_.size() == 1) others_.push_back(added_[0]), added_.clear();
    if (rows_.empty() && long_.size() < 2 && added_.empty()) return;
    next_slot_ = 0;
    // What is left in the end goes into the root's own node, so that whoever reads that finds it.
    if (!added_.empty()) join_added(root);
    if (!long_.empty()) join_long(root);
    if (!rows_.empty()) chain_rows(root);
    if (!others_.empty()) add_up(others_, root);
  }

  // Whether nothing but one reader of v needs the node n that v is a view of, or is itself.
  bool only_use(Id v, Id n) const {
    for (; v != n; v = d_.in(v)[0])
      if (uses_[v] != 1 || d_.nodes[v].role != Role::view || d_.nodes[v].count != 1) return false;
    return uses_[n] == 1;
  }

  bool adds_rows(Id n) const {
    return d_.nodes[n].role == Role::eval && d_.op(n).row_map == RowMap::adds && d_.size(d_.in(n)[0]) > 0;
  }

  // f(those of one segment), for each.
  template <class F>
  void for_each_segment(std::vector<Id>& nodes, F&& f) {
    const auto segment = [&](Id n) { return d_.segment(n); };
    std::ranges::stable_sort(nodes, {}, segment);
    for (std::span<const Id> rest = nodes; !rest.empty();) {
      const auto others = std::ranges::find_if(rest, [&](Id n) { return segment(n) != segment(rest[0]); });
      const auto part = rest.first(static_cast<std::size_t>(others - rest.begin()));
      f(part);
      rest = rest.subspan(part.size());
    }
  }
  bool one_segment(const std::vector<Id>& nodes) const {
    return std::ranges::all_of(nodes, [&](Id n) { return d_.segment(n) == d_.segment(nodes[0]); });
  }

  // All rows that are added to one table, by one op for each segment.
  void join_added(Id root) {
    const bool all = long_.empty() && rows_.empty() && others_.empty() && one_segment(added_);
    for_each_segment(added_, [&](std::span<const Id> part) {
      if (part.size() == 1) return others_.push_back(part[0]);
      std::vector<Id> rows, index;
      for (const Id n : part) {
        const std::int64_t count = d_.size(d_.in(n)[1]);
        rows.push_back(d_.view_as(d_.in(n)[0], d_.shape(n).with(0, count)));
        index.push_back(d_.view_as(d_.in(n)[1], Shape{count}));
      }
      const Id into = all ? root : part.back();
      become(into, part.back(), {d_.rows_of(rows, false), d_.rows_of(index, false)});
      if (!all) others_.push_back(into);
    });
  }

  // One long product for each segment, which adds to the one before.
  void join_long(Id root) {
    const bool all = rows_.empty() && others_.empty();
    Id sum = none;
    std::size_t left = long_.size();
    for_each_segment(long_, [&](std::span<const Id> part) {
      left -= part.size();
      std::vector<Id> in;
      for (const Id p : part) in.insert(in.end(), d_.in(p).begin(), d_.in(p).end());
      if (sum != none) in.push_back(sum);
      const Id into = all && left == 0 ? root : part.back();
      for (const Id p : part) level_[into] = std::max(level_[into], level_[p]);
      become(into, part.back(), in);
      sum = into;
    });
    if (all) return;
    others_.push_back(sum);
    for_each_segment(others_, [](std::span<const Id>) {});  // each is added when its segment is done
  }

  // Each product adds to the one before, the first to what is there when its operands are. A weight that is
  // ever used late comes last at every step: what the others do can then be done for all steps at once.
  void chain_rows(Id root) {
    std::ranges::stable_sort(rows_, {}, [&](Id n) { return std::pair(latest_.at(weight(n)), level_[n]); });
    std::vector<Id> early, late;
    for (const Id n : others_) (can_start(n, rows_[0]) ? early : late).push_back(n);
    Id sum = none;
    if (early.size() == 1) sum = early[0];
    if (early.size() > 1) sum = add_up(early, slots_[next_slot_++]);
    for (const Id p : rows_) {
      std::vector<Id> in(d_.in(p).begin(), d_.in(p).end());
      if (sum != none) in.push_back(sum);
      const bool last = p == rows_.back() && late.empty();
      become(last ? root : p, p, in);
      sum = last ? root : p;
    }
    if (!late.empty()) late.push_back(sum);
    others_ = late;
  }

  bool can_start(Id n, Id product) const {
    const auto l = with_cols(d_.layout(n), d_.shape(product)[1]);
    return level_[n] < level_[product] && l && l->step == 1;
  }

  // terms[0] + terms[1] + ..., the last addition in `into`.
  Id add_up(const std::vector<Id>& terms, Id into) {
    Id sum = terms[0];
    for (std::size_t i = 1; i < terms.size(); ++i) {
      const Id slot = i + 1 == terms.size() ? into : slots_[next_slot_++];
      const Id in[] = {sum, terms[i]};
      d_.set_operands(slot, in);
      sum = slot;
    }
    return sum;
  }

  // Makes a node do what a product did, with other operands.
  void become(Id n, Id product, const std::vector<Id>& in) {
    d_.nodes[n].tape = d_.nodes[product].tape;
    d_.nodes[n].role = d_.nodes[product].role;
    d_.set_operands(n, in);
  }

  void join_sum_of_rows(Id n) {
    const Id operand = d_.in(n)[0];
    leaves_.assign(1, operand);
    if (adds(operand) && inner(operand)) {
      take_apart(operand);
      // Leaves that nobody else reads would be kept for nothing.
      if (!std::ranges::all_of(leaves_, [&](Id l) { return uses_[l] > 1 && d_.computed(d_.root(l)); }))
        return;
      std::ranges::reverse(leaves_);  // gradients are recorded from the last step to the first
      if (!one_segment(leaves_)) return join_segments(n);
    }
    if (folds_to_a_row(n))
      multiply_by_ones(n);
    else if (leaves_.size() > 1)
      d_.set_operands(n, std::array{d_.rows_of(leaves_, true)});
  }

  // A sum over the rows of each segment, as long as these are there, which adds to the one before.
  void join_segments(Id n) {
    if (!folds_to_a_row(n)) return;
    Id sum = none;
    std::size_t left = leaves_.size();
    for_each_segment(leaves_, [&](std::span<const Id> part) {
      left -= part.size();
      const Id product = last_product(d_.segment(part[0]));
      std::vector<Id> in = times_ones(part);
      if (sum != none) in.push_back(sum);
      if (left > 0) {
        sum = d_.add_node(d_.nodes[product].tape, Role::long_product, d_.shape(n), in);
      } else {
        become(n, product, in);
        d_.nodes[n].role = Role::long_product;
      }
    });
    uses_.resize(d_.nodes.size(), 2);  // nothing more becomes of them
    user_.resize(d_.nodes.size(), none);
    level_.resize(d_.nodes.size(), 0);
  }

  // Whether all axes are folded but the last, which is long enough for the kernels of products.
  bool folds_to_a_row(Id n) const {
    const Shape& s = d_.shape(leaves_[0]);
    return product_ != none && s.rank() >= 2 && static_cast<int>(d_.attrs(n).size()) == s.rank() - 1 &&
           d_.attrs(n).back() == s.rank() - 2 && s.back() >= 8 &&
           s.size() * static_cast<std::int64_t>(leaves_.size()) >= 256;
  }

  // A sum over rows is a product of the transpose of ones with them: read where they lie, shared out by
  // columns.
  void multiply_by_ones(Id n) {
    become(n, last_product(d_.segment(leaves_[0])), times_ones(leaves_));
    d_.nodes[n].role = Role::long_product;
  }
  std::vector<Id> times_ones(std::span<const Id> leaves) {
    std::vector<Id> in;
    for (const Id leaf : leaves) {
      in.push_back(ones(d_.size(leaf) / d_.shape(leaf).back()));
      in.push_back(leaf);
    }
    return in;
  }
  // The last product of a segment, or some other: work that is made from it runs at its time.
  Id last_product(std::uint32_t segment) const {
    const auto found = last_product_.find(segment);
    return found == last_product_.end() ? product_ : found->second;
  }

  Id ones(std::int64_t rows) {
    Id& node = ones_[rows];
    if (node == 0) {
      const auto scalar = static_cast<std::int64_t>(d_.scalars.size());
      d_.scalars.push_back({none, {}});
      const Id one = d_.add_node(d_.nodes[product_].tape, Role::uniform, Shape{1, 1}, {});
      d_.set_layout(one, {one, scalar, 1, 1, 0, 0});
      node = d_.add_node(d_.nodes[product_].tape, Role::view, Shape{rows, 1}, {});
      d_.set_layout(node, {one, scalar, rows, 1, 0, 1});
    }
    return node;
  }

  Draft& d_;
  std::vector<std::uint32_t> uses_, level_;
  boost::unordered_flat_map<std::pair<Id, std::int64_t>, std::uint32_t>
      latest_;                                                 // by weight: the highest level of its products
  boost::unordered_flat_map<std::int64_t, Id> ones_;           // by how many
  boost::unordered_flat_map<std::uint32_t, Id> last_product_;  // by segment
  Id product_ = none;                                          // some product, whose kernels serve
  std::vector<Id> user_;
  std::vector<Id> leaves_, slots_, stack_, long_, rows_, added_, others_;  // of one tree
  std::size_t next_slot_ = 0;
};

}  // namespace

void join_sums(Draft& d) { Sums(d).join(); }

}  // namespace spool::plan
