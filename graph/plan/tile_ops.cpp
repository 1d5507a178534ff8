// A cluster's program as what a run carries out: which results live in temporary tiles, and where.
#include <spool/graph/plan/emit.hpp>

#include <algorithm>

namespace spool::plan {

namespace {

// Whose room the elements of each op's result lie in: its own; that of the join it is a part of; or that of
// what it is a slice of. And which rooms are read for the last time by each op.
class Rooms {
 public:
  explicit Rooms(const TileProgram& p) : of_(p.ops.size()), ending_(p.ops.size()) {
    std::vector<std::uint32_t> last(p.ops.size());
    for (std::uint32_t i = 0; i < p.ops.size(); ++i) {
      const TileProgram::Op& op = p.ops[i];
      const auto operands = std::span(p.operands).subspan(op.first, op.count);
      of_[i] = op.form == Form::slice ? of_[operands[0] - p.inputs] : op.into != none ? op.into : i;
      last[of_[i]] = i;
      for (const std::uint32_t o : operands)
        if (o >= p.inputs) last[of_[o - p.inputs]] = i;
    }
    for (std::uint32_t i = 0; i < p.ops.size(); ++i)
      if (of_[i] == i) ending_[last[i]].push_back(i);
  }
  std::uint32_t of(std::uint32_t op) const { return of_[op]; }
  std::span<const std::uint32_t> ending(std::uint32_t op) const { return ending_[op]; }

 private:
  std::vector<std::uint32_t> of_;
  std::vector<std::vector<std::uint32_t>> ending_;
};

}  // namespace

KeptAttrs keep(Attrs attrs, std::vector<std::int64_t>& in) {
  const auto at = static_cast<std::uint32_t>(in.size());
  in.insert(in.end(), attrs.begin(), attrs.end());
  return {at, static_cast<std::uint32_t>(attrs.size())};
}

TileOps tile_ops(const Tape& tape, const TileProgram& p, std::vector<std::int64_t>& attrs) {
  TileOps t;
  t.inputs = p.inputs;
  t.outputs = static_cast<std::uint32_t>(p.outputs.size());
  t.operands = p.operands;
  std::int64_t longest = 0, all = 0;
  for (const TileProgram::Op& op : p.ops) longest = std::max(longest, op.cols), all += op.cols;
  t.mean_cols = std::max<std::int64_t>(1, all / static_cast<std::int64_t>(p.ops.size()));

  const Rooms rooms(p);
  std::vector<std::int32_t> output(p.ops.size(), -1);
  for (std::size_t k = 0; k < p.outputs.size(); ++k) output[p.outputs[k]] = static_cast<std::int32_t>(k);
  std::vector<std::uint32_t> free, temporary(p.ops.size(), none);
  for (std::uint32_t i = 0; i < p.ops.size(); ++i) {
    const TileProgram::Op& op = p.ops[i];
    const std::uint32_t room = rooms.of(i);
    if (output[room] < 0 && temporary[room] == none) {
      if (free.empty()) free.push_back(t.temporaries++);
      temporary[room] = free.back();
      free.pop_back();
    }
    const bool fold = op.form == Form::fold;
    const auto [at, count] = keep(tape.attrs(op.tape), attrs);
    t.ops.push_back({.op = &tape.op(op.tape),
                     .attrs = at,
                     .attr_count = count,
                     .operands = op.first,
                     .arity = op.count,
                     .output = output[room],
                     .temporary = output[room] < 0 ? temporary[room] : 0,
                     .form = op.form,
                     .single = longest > 1 && (fold || op.cols == 1),
                     .cols = op.cols,
                     .row = fold ? 1 : p.ops[room].cols,
                     .at = op.at});
    t.whole_rows |= op.form != Form::each || (op.cols != 1 && op.cols != longest);
    for (const std::uint32_t ended : rooms.ending(i))
      if (output[ended] < 0) free.push_back(temporary[ended]);
  }
  return t;
}

}  // namespace spool::plan
