// What clusters do: the rows that their tiles are cut by, the operands and results, and the program that goes
// over each tile. A slice of a result is a part of its rows where they lie; parts of a join are computed
// right in its rows.
#include <spool/graph/plan/draft.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>

namespace spool::plan {

namespace {

class ProgramWriter {
 public:
  explicit ProgramWriter(Draft& d) : d_(d) {}

  void write() {
    find_stored();
    slot_.resize(d_.nodes.size());
    for (std::uint32_t i = 0; i < d_.clusters.size(); ++i) {
      Cluster& c = d_.clusters[i];
      self_ = i;
      for (const Id n : c.nodes)
        if (stored_[n]) outputs_.push_back(n);
      choose_rows(c);
      number_inputs(c);
      write_ops(c);
      fit(c.inputs, inputs_);
      fit(c.outputs, outputs_);
      c.program = intern(c);
    }
  }

 private:
  using Op = TileProgram::Op;

  // Takes a list out of the room that it grew in.
  template <class T>
  static void fit(std::vector<T>& list, std::vector<T>& room) {
    list.assign(room.begin(), room.end());
    room.clear();
  }

  // The results that others read, and the rows in which a concat will take them.
  void find_stored() {
    stored_.assign(d_.nodes.size(), false);
    row_wish_.assign(d_.nodes.size(), 0);
    for (const Id v : d_.order) {
      const bool concat = d_.nodes[v].role == Role::concat;
      const std::int64_t outer = concat ? d_.shape(v).split(d_.nodes[v].axis).outer : 1;
      for (const Id o : d_.in(v)) {
        const Id u = d_.root(o);
        if (d_.cluster_of[u] == none || d_.cluster_of[u] == d_.cluster_of[v]) continue;
        stored_[u] = true;
        if (outer > 1) row_wish_[u] = std::max(row_wish_[u], outer);
      }
    }
    for (const Id w : d_.wanted) stored_[d_.root(w)] = true;
  }

  // Whether an operand is computed in the cluster at hand.
  bool inside(Id operand) const { return d_.cluster_of[d_.root(operand)] == self_; }
  Form form(Id n) const {
    const Kind kind = d_.op(n).kind;
    return kind == Kind::reduce ? Form::fold : kind == Kind::concat ? Form::join : Form::each;
  }
  // Elements of each row that an op goes through, and that it reads of an operand.
  std::int64_t width(const Cluster& c, Id n) const {
    return d_.size(form(n) == Form::fold ? d_.in(n)[0] : n) / c.rows;
  }
  std::int64_t width(const Cluster& c, Id n, Id operand) const {
    return form(n) == Form::join ? d_.size(operand) / c.rows : width(c, n);
  }

  void choose_rows(Cluster& c) const {
    if (c.rows == 0) {
      c.cols = shortest_row(c);
      c.rows = d_.size(c.nodes[0]) / std::max<std::int64_t>(c.cols, 1);
      return;
    }
    for (const Id n : c.nodes) c.cols = std::max(c.cols, width(c, n));
  }

  // The shortest row that an operand or the place of a result asks for, where all have one size.
  std::int64_t shortest_row(const Cluster& c) const {
    const std::int64_t size = d_.size(c.nodes[0]);
    std::int64_t cols = size;
    const auto ask = [&](std::int64_t wish) {
      if (wish > 0 && wish < cols && size % wish == 0) cols = wish;
    };
    for (const Id n : c.nodes)
      for (const Id o : d_.in(n))
        if (const Layout l = d_.layout(o); !inside(o) && !l.dense() && !l.uniform()) ask(l.cols);
    for (const Id n : outputs_)
      if (row_wish_[n] > 0) ask(size / row_wish_[n]);
    return cols;
  }

  // The operands from outside, and for each op's operands their slots as far as they are known by now.
  void number_inputs(Cluster& c) {
    input_slots_.clear();
    for (const Id n : c.nodes)
      for (std::uint32_t k = 0; k < d_.nodes[n].count; ++k) {  // by number: a copy may move the operands
        const Id o = d_.in(n)[k];
        input_slots_.push_back(inside(o) ? none : input_slot(o, width(c, n, o)));
      }
    program_.inputs = static_cast<std::uint32_t>(inputs_.size());
  }
  std::uint32_t input_slot(Id operand, std::int64_t cols) {
    auto l = with_cols(d_.layout(operand), cols);
    if (!l) l = with_cols(d_.layout(d_.copy_of(operand)), cols);
    for (std::uint32_t i = 0; i < inputs_.size(); ++i)
      if (inputs_[i] == *l) return i;
    inputs_.push_back(*l);
    return static_cast<std::uint32_t>(inputs_.size() - 1);
  }

  void write_ops(const Cluster& c) {
    program_.ops.clear();
    program_.operands.clear();
    program_.outputs.clear();
    slices_.clear();
    const std::uint32_t* known = input_slots_.data();
    for (const Id n : c.nodes) {
      operands_.clear();
      for (const Id o : d_.in(n)) {
        operands_.push_back(*known != none ? *known : inner_slot(c, o));
        ++known;
      }
      if (form(n) == Form::join) gather(c, n);
      slot_[n] = append_op(n, form(n), width(c, n), operands_);
    }
    for (const Id n : outputs_) program_.outputs.push_back(slot_[n] - program_.inputs);
  }

  std::uint32_t append_op(Id n, Form form, std::int64_t cols, std::span<const std::uint32_t> operands) {
    program_.ops.push_back({d_.nodes[n].tape, static_cast<std::uint32_t>(program_.operands.size()),
                            static_cast<std::uint32_t>(operands.size()), form, cols});
    program_.operands.insert(program_.operands.end(), operands.begin(), operands.end());
    return program_.inputs + static_cast<std::uint32_t>(program_.ops.size() - 1);
  }

  // Of an operand that the cluster computes: all of a result, one element for each row, or a part of rows.
  std::uint32_t inner_slot(const Cluster& c, Id operand) {
    const Id u = d_.root(operand);
    if (d_.whole(operand)) return slot_[u];
    const Layout l = d_.layout(operand);
    if (l.step == 0) return slot_[u];
    for (const auto& [slice, slot] : slices_)
      if (slice == l) return slot;
    const std::uint32_t of[] = {slot_[u]};
    const std::uint32_t slot = append_op(u, Form::slice, l.size() / c.rows, of);
    program_.ops.back().at = l.offset;
    slices_.emplace_back(l, slot);
    return slot;
  }

  // Lets the parts of a join be computed in its rows, or copies them.
  void gather(const Cluster& c, Id n) {
    std::int64_t at = 0;
    for (std::size_t k = 0; k < operands_.size(); ++k) {
      const Id o = d_.in(n)[static_cast<std::uint32_t>(k)];
      const std::int64_t cols = d_.size(o) / c.rows;
      std::uint32_t part = operands_[k];
      if (!inside(o) || !can_lie_in_a_join(part, d_.root(o)))
        part = append_op(n, Form::copy, cols, {&operands_[k], 1});
      Op& op = program_.ops[part - program_.inputs];
      op.into = 0;  // its number is known when all copies have theirs
      op.at = at;
      operands_[k] = part;
      at += cols;
    }
    for (const std::uint32_t part : operands_)
      program_.ops[part - program_.inputs].into = static_cast<std::uint32_t>(program_.ops.size());
  }
  bool can_lie_in_a_join(std::uint32_t slot, Id n) const {
    const Op& op = program_.ops[slot - program_.inputs];
    return op.form == Form::each && op.into == none && !stored_[n];
  }

  // Clusters of one program look alike down to how their operands lie, and differ in where.
  std::uint32_t intern(const Cluster& c) {
    std::vector<std::int64_t>& key = key_;
    key.assign({c.cols, program_.inputs});
    for (const Layout& l : c.inputs) key.push_back(l.cols * 4 + l.step * 2 + (l.stride != 0 ? 1 : 0));
    for (const Op& op : program_.ops) {
      key.push_back((op.cols * 8 + static_cast<std::int64_t>(op.form)) << 16 | op.count);
      if (op.form == Form::each || op.form == Form::fold) {
        key.push_back(static_cast<std::int64_t>(std::bit_cast<std::uintptr_t>(&d_.tape.op(op.tape))));
        const Attrs attrs = d_.tape.attrs(op.tape);
        key.insert(key.end(), attrs.begin(), attrs.end());
      }
      if (op.form == Form::slice || op.into != none) key.insert(key.end(), {op.at, op.into});
    }
    key.insert(key.end(), program_.operands.begin(), program_.operands.end());
    key.push_back(-1);
    key.insert(key.end(), program_.outputs.begin(), program_.outputs.end());
    const auto [it, added] = program_ids_.try_emplace(key, static_cast<std::uint32_t>(d_.programs.size()));
    if (added) d_.programs.push_back(program_);
    return it->second;
  }

  Draft& d_;
  std::vector<bool> stored_;            // by node: whether others than its cluster read it
  std::vector<std::int64_t> row_wish_;  // by node: into how many rows of a concat it goes
  std::vector<std::uint32_t> slot_;     // by node
  // Of the cluster at hand; their memory serves again.
  std::uint32_t self_ = none;
  TileProgram program_;
  std::vector<std::int64_t> key_;
  std::vector<Layout> inputs_;
  std::vector<Id> outputs_;
  std::vector<std::uint32_t> input_slots_, operands_;
  std::vector<std::pair<Layout, std::uint32_t>> slices_;
  struct Hash {  // keys are long, so that their hash takes longer than all else
    std::size_t operator()(const std::vector<std::int64_t>& key) const {
      std::uint64_t hash = key.size();
      for (const std::int64_t k : key) hash = (hash ^ static_cast<std::uint64_t>(k)) * 0x9e3779b97f4a7c15;
      return hash ^ hash >> 32;
    }
  };
  boost::unordered_flat_map<std::vector<std::int64_t>, std::uint32_t, Hash> program_ids_;
};

}  // namespace

void write_programs(Draft& d) { ProgramWriter(d).write(); }

}  // namespace spool::plan
