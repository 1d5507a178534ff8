#include <spool/graph/run/fold.hpp>

#include <algorithm>

namespace spool::run {

namespace {

// A table is not multiplied ahead when the product would have more elements (16 MB of floats): it could crowd
// out of the caches what the steps need.
constexpr std::int64_t most_folded = 1 << 22;

// The operand's elements in rows of another number of axes.
constexpr OpDef rows_op{
    .name = "rows",
    .arity = 1,
    .kind = Kind::view,
    .shape = [](const Call& c) -> Shape {
      return {c.shape(0).size() / std::max<std::int64_t>(1, c.attr(0)), c.attr(0)};
    },
    .eval = eval_of([]<class T>(const Args<T>& a) { std::copy_n(a.in[0], a.size(), a.out); }),
};

// One row, repeated. Attribute: how often.
constexpr OpDef repeat_row_op{
    .name = "repeat_row",
    .arity = 1,
    .kind = Kind::broadcast,
    .shape = [](const Call& c) -> Shape {
      return {c.attr(0), c.shape(0).size()};
    },
    .eval = eval_of([]<class T>(const Args<T>& a) {
      for (std::int64_t i = 0; i < a.attrs[0]; ++i)
        std::copy_n(a.in[0], a.in_size(0), a.out + i * a.in_size(0));
    }),
};

class Folder {
 public:
  Folder(Tape& tape, std::span<const Var> wanted) : tape_(tape), wanted_(wanted) {}

  Folded fold() {
    mark_live();
    for (std::uint32_t id = 0; id < map_.size(); ++id)
      if (map_[id] == live) map_[id] = substitute(id);
    Folded all;
    for (const Var& v : wanted_) all.wanted.push_back(tape_.at(map_[v.id()]));
    find_fixed(all);
    return all;
  }

 private:
  static constexpr std::uint32_t dead = 0xffffffffU, live = 0xfffffffeU;

  enum class Depends : std::uint8_t { on_nothing, on_parameters, on_more };

  void mark_live() {
    std::uint32_t top = 0;
    for (const Var& v : wanted_) top = std::max(top, v.id() + 1);
    map_.assign(top, dead);
    for (const Var& v : wanted_) map_[v.id()] = live;
    for (std::uint32_t id = top; id-- > 0;)
      if (map_[id] == live)
        for (const std::uint32_t o : tape_.operands(id)) map_[o] = live;
  }

  // The node itself, or another one with its value.
  std::uint32_t substitute(std::uint32_t id) {
    Vars in;
    bool changed = false;
    for (const std::uint32_t o : tape_.operands(id)) {
      in.push_back(tape_.at(map_[o]));
      changed |= map_[o] != o;
    }
    const Tape::As as(tape_, id);
    if (const Var picked = picked_product(id, in); picked.valid()) return picked.id();
    if (is_sum(id))
      for (std::size_t i = 0; i < 2; ++i)
        if (const Var sum = with_row(tape_.op(id), in[1 - i], in[i]); sum.valid()) return sum.id();
    return changed ? tape_.add(tape_.op(id), in, attrs_of(id), Where::current()).id() : id;
  }

  // Attributes outside of the tape, which moves its own as it grows.
  std::vector<std::int64_t> attrs_of(std::uint32_t id) const {
    const Attrs attrs = tape_.attrs(id);
    return {attrs.begin(), attrs.end()};
  }

  // Rows picked from a product in place of a product of picked rows; an empty Var where it is none.
  Var picked_product(std::uint32_t id, const Vars& in) {
    if (tape_.op(id).kind != Kind::product || in.size() != 2 || tape_.attrs(id)[0] != 0) return {};
    if (tape_.shape(id).rank() != 2 || tape_.shape(id).size() == 0) return {};
    const std::uint32_t picked = under_views(in[0].id());
    if (tape_.op(picked).row_map != RowMap::selects || depends(in[1].id()) == Depends::on_more) return {};
    const Var table = tape_.at(tape_.operands(picked)[0]);
    if (depends(table.id()) == Depends::on_more || table.shape().rank() != 2 ||
        table.shape()[1] != in[0].shape()[1] || table.shape()[0] > most_folded / tape_.shape(id)[1])
      return {};
    return pick_rows(tape_.add(tape_.op(id), Vars{table, in[1]}, attrs_of(id), Where::current()), picked);
  }

  // The rows that `picked` picks, of another table [V,N] -> [B,N].
  Var pick_rows(Var table, std::uint32_t picked) {
    const Var index = tape_.at(tape_.operands(picked)[1]);
    const std::int64_t cols = table.shape()[1];
    const Var rows = tape_.add(tape_.op(picked), Vars{table, index}, attrs_of(picked), Where::current());
    return tape_.add(rows_op, Vars{rows}, Attrs(&cols, 1), Where::current());
  }

  bool is_sum(std::uint32_t id) const {
    return tape_.op(id).kind == Kind::elementwise && tape_.op(id).sums && tape_.operands(id).size() == 2;
  }

  // The sum of v and a row that depends on parameters alone, where v is rows picked from a table of that
  // kind, or a sum with such rows: they are picked from the table plus the row. An empty Var otherwise.
  Var with_row(const OpDef& add, Var v, Var repeated) {
    if (const Var picked = picked_with_row(add, v, repeated); picked.valid()) return picked;
    if (!is_sum(v.id())) return {};
    for (std::size_t i = 0; i < 2; ++i) {
      Vars in{tape_.at(tape_.operands(v.id())[0]), tape_.at(tape_.operands(v.id())[1])};
      in[i] = picked_with_row(add, in[i], repeated);
      if (in[i].valid()) return tape_.add(tape_.op(v.id()), in, attrs_of(v.id()), Where::current());
    }
    return {};
  }

  Var picked_with_row(const OpDef& add, Var v, Var repeated) {
    const std::uint32_t r = repeated.id();
    if (&tape_.op(v.id()) != &rows_op || tape_.op(r).kind != Kind::broadcast ||
        depends(r) == Depends::on_more)
      return {};
    const Var row = tape_.at(tape_.operands(r)[0]);
    if (row.shape().rank() == 0 || row.shape().size() != v.shape()[1] || row.shape().back() != v.shape()[1])
      return {};
    const std::uint32_t picked = tape_.operands(v.id())[0];
    const Var table = tape_.at(tape_.operands(picked)[0]);
    const std::int64_t count = table.shape()[0];
    const Var all = tape_.add(repeat_row_op, Vars{row}, Attrs(&count, 1), Where::current());
    return pick_rows(tape_.add(add, Vars{table, all}, {}, Where::current()), picked);
  }

  // The node whose elements a view shows in their order.
  std::uint32_t under_views(std::uint32_t id) const {
    const auto shows_all = [&] {
      const Kind kind = tape_.op(id).kind;
      return kind == Kind::view || ((kind == Kind::slice || kind == Kind::concat) &&
                                    tape_.shape(id).size() == tape_.shape(tape_.operands(id)[0]).size());
    };
    while (shows_all()) id = tape_.operands(id)[0];
    return id;
  }

  Depends depends(std::uint32_t id) {
    for (auto n = static_cast<std::uint32_t>(depends_.size()); n <= id; ++n) {
      const OpDef& op = tape_.op(n);
      Depends d = is_param(op)                                       ? Depends::on_parameters
                  : op.kind == Kind::leaf || op.kind == Kind::random ? Depends::on_more
                                                                     : Depends::on_nothing;
      for (const std::uint32_t o : tape_.operands(n)) d = std::max(d, depends_[o]);
      depends_.push_back(d);
    }
    return depends_[id];
  }

  // Whether a node costs a plan nothing: it says where elements lie.
  bool is_free(std::uint32_t id) const {
    const Kind kind = tape_.op(id).kind;
    return kind == Kind::leaf || kind == Kind::view || kind == Kind::slice || kind == Kind::broadcast;
  }

  void find_fixed(Folded& all) {
    std::vector<bool> seen(tape_.size(), false);
    std::vector<std::uint32_t> trail;
    const auto visit = [&](std::uint32_t id) {
      if (!seen[id]) trail.push_back(id);
      seen[id] = true;
    };
    for (const Var& v : all.wanted) visit(v.id());
    while (!trail.empty()) {
      const std::uint32_t id = trail.back();
      trail.pop_back();
      if (depends(id) == Depends::on_parameters && !is_free(id))
        all.fixed.push_back(tape_.at(id));
      else
        for (const std::uint32_t o : tape_.operands(id)) visit(o);
    }
  }

  Tape& tape_;
  std::span<const Var> wanted_;
  std::vector<std::uint32_t> map_;  // by node: dead, live, or what stands for it
  std::vector<Depends> depends_;    // by node, as far as asked
};

}  // namespace

Folded fold(Tape& tape, std::span<const Var> wanted) { return Folder(tape, wanted).fold(); }

}  // namespace spool::run
