#include <spool/graph/columns.hpp>
#include <spool/graph/segment.hpp>

namespace spool {

namespace {

Grads to_first_operand(const Step& s, Var g) {
  Grads grads = s.grads();
  grads.resize(static_cast<std::size_t>(s.arity()));
  grads[0] = g;
  return grads;
}

constexpr OpDef barrier(const char* name) {
  return {.name = name,
          .arity = OpDef::variadic,
          .kind = Kind::barrier,
          .shape = [](const Call& c) { return c.shape(0); },
          .eval = eval_of([]<class T>(const Args<T>& a) { std::copy_n(a.in[0], a.size(), a.out); }),
          .vjp = to_first_operand};
}

// Their attribute is the number of the segment, so that no two segments share a barrier.
constexpr OpDef enter_op = barrier("enter");
constexpr OpDef again_op = barrier("again");

}  // namespace

Segment::Segment(Tape& tape, std::span<Var> inputs, const Where& where)
    : tape_(tape), begin_(tape.size()), inputs_(static_cast<std::uint32_t>(inputs.size())) {
  if (inputs.empty()) throw TapeError("checkpoint: there is no input to start from");
  for (const Var& v : inputs) tape.check(v, "checkpoint", where);
  const std::int64_t number = tape_.c_->segments_begun++;
  Vars in(inputs.begin(), inputs.end()), barriers;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    std::swap(in[0], in[i]);  // the one that it stands for goes first
    barriers.push_back(tape.add(enter_op, in, Attrs(&number, 1), where));
    std::swap(in[0], in[i]);
  }
  std::ranges::copy(barriers, inputs.begin());
}

Segment::~Segment() { tape_.c_->segments.push_back({begin_, inputs_, tape_.size()}); }

std::pmr::vector<Var> record_again(Tape& tape, const SegmentRange& segment, std::span<const Var> inputs,
                                   std::span<const Var> after) {
  const std::int64_t number = tape.c_->segments_begun++;
  const auto size = segment.end - segment.begin;
  std::pmr::vector<Var> copies(&tape.scratch()), in(&tape.scratch());
  std::pmr::vector<std::uint32_t> begins(&tape.scratch());  // where each copy begins, if there is one
  copies.reserve(size);
  begins.reserve(size + 1);
  const auto now = [&](std::uint32_t id) {
    return id >= segment.begin && id < segment.end ? copies[id - segment.begin] : tape.at(id);
  };
  for (std::uint32_t i = 0; i < size; ++i) {
    const std::uint32_t id = segment.begin + i;
    const OpDef& op = tape.op(id);
    begins.push_back(tape.size());
    const Tape::As as(tape, id);
    if (i < segment.inputs) {
      in.assign(1, inputs[i]);
      in.insert(in.end(), after.begin(), after.end());
      copies.push_back(tape.add(again_op, in, Attrs(&number, 1), Where::current()));
      continue;
    }
    in.clear();
    bool same = op.kind != Kind::random && op.kind != Kind::barrier;
    for (const std::uint32_t o : tape.operands(id)) {
      in.push_back(now(o));
      same = same && in.back().id() == o;
    }
    copies.push_back(same ? tape.at(id) : tape.add_copy(id, in));
  }
  begins.push_back(tape.size());
  // Segments are listed by where they end, those inside before those around.
  auto& segments = tape.c_->segments;
  const auto after_end = [&](std::uint32_t end) {
    return std::ranges::upper_bound(segments, end, {}, &SegmentRange::end) - segments.begin();
  };
  const auto last = static_cast<std::size_t>(after_end(segment.end));
  for (auto s = static_cast<std::size_t>(after_end(segment.begin)); s < last; ++s)
    if (const SegmentRange inner = segments[s]; inner.begin > segment.begin)
      segments.push_back(
          {begins[inner.begin - segment.begin], inner.inputs, begins[inner.end - segment.begin]});
  segments.push_back({begins[0], segment.inputs, begins[size]});
  return copies;
}

}  // namespace spool
