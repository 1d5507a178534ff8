#include <spool/graph/error.hpp>
#include <spool/graph/grad.hpp>
#include <spool/graph/segment.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory_resource>
#include <tuple>

namespace spool {

namespace {

template <class T>
using Scratch = std::pmr::vector<T>;

constexpr std::uint32_t none = 0xffffffffU;

bool has_gradient(const OpDef& op) { return op.vjp != nullptr || op.kind == Kind::slice; }

// A contribution that fills [begin, end) of one axis of its target and is 0 elsewhere.
struct Placement {
  Var part;
  int axis;
  std::int64_t begin, end;
  std::uint32_t next;  // of the same target; an index into the list of all, or none
};

// The adjoint of a node while it grows: a running sum, and placements waiting to become concats.
struct Adjoint {
  std::uint32_t sum = none;
  std::uint32_t placements = none;
};

class Walk {
 public:
  Walk(Tape& tape, const Adjoints& ops, std::uint32_t nodes)
      : tape_(tape),
        ops_(ops),
        adjoints_(nodes, &tape.scratch()),
        placements_(&tape.scratch()),
        waiting_(&tape.scratch()),
        parts_(&tape.scratch()) {}

  bool reached(std::uint32_t id) const {
    return adjoints_[id].sum != none || adjoints_[id].placements != none;
  }

  void contribute(std::uint32_t target, Var g) {
    if (tape_.op(g.id()).kind != Kind::place) return add(target, g);
    const Attrs attrs = tape_.attrs(g.id());
    place(target, tape_.at(tape_.operands(g.id())[0]), static_cast<int>(attrs[0]), attrs[1]);
  }
  // A contribution of zeros but for `part`, which begins at `begin` of an axis.
  void place(std::uint32_t target, Var part, int axis, std::int64_t begin) {
    const std::int64_t end = begin + tape_.shape(part.id())[axis];
    if (begin == end) return;
    std::uint32_t& first = adjoints_[target].placements;
    placements_.push_back({part, axis, begin, end, first});
    first = static_cast<std::uint32_t>(placements_.size() - 1);
  }

  // The adjoint of a node that was reached, to which nothing will be added any more.
  Var finish(std::uint32_t id) {
    waiting_.clear();
    for (std::uint32_t i = std::exchange(adjoints_[id].placements, none); i != none; i = placements_[i].next)
      waiting_.push_back(placements_[i]);
    std::ranges::sort(waiting_, {},
                      [](const Placement& p) { return std::tuple(p.axis, p.begin, p.part.id()); });
    while (!waiting_.empty()) add(id, join_some(tape_.shape(id)));
    return finished(id);
  }
  // Lists what has been contributed to a node so far.
  void pending(std::uint32_t id, Scratch<Var>& all) const {
    if (adjoints_[id].sum != none) all.push_back(tape_.at(adjoints_[id].sum));
    for (std::uint32_t i = adjoints_[id].placements; i != none; i = placements_[i].next)
      all.push_back(placements_[i].part);
  }
  // What was contributed to a node, and what will be, counts for its copy.
  void move(std::uint32_t id, std::uint32_t copy) {
    if (adjoints_.size() <= copy) adjoints_.resize(copy + 1);
    adjoints_[copy] = std::exchange(adjoints_[id], {});
  }
  Var finished(std::uint32_t id) const {
    return id < adjoints_.size() && adjoints_[id].sum != none ? tape_.at(adjoints_[id].sum) : Var();
  }

 private:
  void add(std::uint32_t target, Var g) {
    std::uint32_t& sum = adjoints_[target].sum;
    sum = (sum == none ? g : ops_.add(tape_.at(sum), g)).id();
  }

  // Of the waiting placements, in order, as many as lie side by side: with zeros between them, an array of
  // this shape.
  Var join_some(const Shape& whole) {
    const int axis = waiting_.front().axis;
    std::int64_t filled = 0;
    parts_.clear();
    const auto fill_to = [&](std::int64_t end) {
      if (end > filled) parts_.push_back(ops_.zeros(tape_, whole.with(axis, end - filled)));
    };
    std::size_t left = 0;
    for (const Placement& p : waiting_) {
      if (p.axis != axis || p.begin < filled) {
        waiting_[left++] = p;
        continue;
      }
      fill_to(p.begin);
      parts_.push_back(p.part);
      filled = p.end;
    }
    waiting_.resize(left);
    fill_to(whole[axis]);
    return parts_.size() == 1 ? parts_[0] : ops_.concat(parts_, axis);
  }

  Tape& tape_;
  const Adjoints& ops_;
  Scratch<Adjoint> adjoints_;
  Scratch<Placement> placements_;
  Scratch<Placement> waiting_;
  Scratch<Var> parts_;
};

// A gradient rule may be a user's: what it gave must be gradients of this op's operands.
void check_grads(const Tape& tape, std::uint32_t id, const Grads& grads) {
  const auto rule = [&] { return fmt::format("{}: its vjp", tape.op(id).name); };
  const auto operands = tape.operands(id);
  if (grads.size() != operands.size())
    throw TapeError(fmt::format("{} gave {} gradients for {} operands\n  recorded at {}", rule(),
                                grads.size(), operands.size(), tape.where(id)));
  for (std::size_t i = 0; i < grads.size(); ++i) {
    if (!grads[i].valid()) continue;
    if (grads[i].tape_or_null() != &tape || grads[i].epoch() != tape.epoch())
      tape.check(grads[i], rule().c_str());  // whose text is costly to make
    const Shape &got = tape.shape(grads[i].id()), &expected = tape.shape(operands[i]);
    if (&got != &expected)
      throw ShapeError(fmt::format("{} gave operand {} of shape {} a gradient of shape {}\n  recorded at {}",
                                   rule(), i, expected.text(), got.text(), tape.where(id)));
  }
}

bool is_own_copy(const OpDef& op) { return op.kind == Kind::leaf || op.kind == Kind::constant; }

// Goes over the nodes from the loss backwards: over those of a segment in a copy, and in copies of copies.
class Reverse {
 public:
  Reverse(Tape& tape, std::span<const Var> wrt, const Adjoints& ops, std::uint32_t loss)
      : tape_(tape),
        walk_(tape, ops, loss + 1),
        needed_(loss + 1, 0, &tape.scratch()),
        wrt_(&tape.scratch()),
        ranges_(&tape.scratch()) {
    for (const Var& v : wrt) wrt_.push_back(v.id());
    find_needed();
    if (needed_[loss]) walk_.contribute(loss, ops.ones(tape, {}));
    ranges_.push_back({0, loss + 1, loss + 1});
    while (!ranges_.empty()) {
      Range& r = ranges_.back();
      if (r.next == r.begin) {
        ranges_.pop_back();
      } else if (const SegmentRange* s = segment_to_copy(r)) {
        r.copied = s->begin;
        copy(*s);
      } else {
        visit(--r.next);
      }
    }
  }

  Var gradient(std::size_t i) const { return walk_.finished(wrt_[i]); }

 private:
  // Nodes begin..next-1 are still to be visited; segments that begin at `copied` or later have been.
  struct Range {
    std::uint32_t begin, next, copied;
  };

  // Which nodes depend on one of wrt.
  void find_needed() {
    for (const std::uint32_t id : wrt_)
      if (id < needed_.size()) needed_[id] = 1;
    for (std::uint32_t id = 0; id < needed_.size(); ++id)
      if (has_gradient(tape_.op(id)))
        for (std::uint32_t o : values(id)) needed_[id] |= needed_[o];
  }
  // The operands whose values a node's own depends on.
  std::span<const std::uint32_t> values(std::uint32_t id) const {
    const auto operands = tape_.operands(id);
    return tape_.op(id).kind == Kind::barrier ? operands.first(1) : operands;
  }
  bool is_needed(std::uint32_t id) const { return id < needed_.size() && needed_[id] != 0; }
  bool is_wrt(std::uint32_t id) const { return std::ranges::find(wrt_, id) != wrt_.end(); }

  void visit(std::uint32_t id) {
    if (!walk_.reached(id)) return;
    const Tape::As as(tape_, id);
    const Var g = walk_.finish(id);
    const OpDef& op = tape_.op(id);
    if (!has_gradient(op) ||
        std::ranges::none_of(values(id), [&](std::uint32_t operand) { return is_needed(operand); }))
      return;
    if (op.vjp == nullptr) {  // a slice: g where it was cut out, which joins with what other slices give
      const Attrs attrs = tape_.attrs(id);
      walk_.place(behind_barriers(tape_.operands(id)[0]), g, static_cast<int>(attrs[0]), attrs[1]);
      return;
    }
    const Grads grads = op.vjp(Step(tape_, id, needed_), g);
    check_grads(tape_, id, grads);
    for (std::size_t i = 0; i < grads.size(); ++i) {
      const std::uint32_t operand = tape_.operands(id)[i];
      if (grads[i].valid() && is_needed(operand)) walk_.contribute(behind_barriers(operand), grads[i]);
    }
  }

  // A barrier is what it stands for: its contributions add up there, in the order of a recording without it.
  std::uint32_t behind_barriers(std::uint32_t id) const {
    while (tape_.op(id).kind == Kind::barrier && !is_wrt(id)) id = tape_.operands(id)[0];
    return id;
  }

  // The outermost segment that ends where the range does, if its adjoints are wanted.
  const SegmentRange* segment_to_copy(const Range& r) const {
    const SegmentRange* found = nullptr;
    const auto segments = tape_.segments();
    for (auto s = std::ranges::lower_bound(segments, r.next, {}, &SegmentRange::end);
         s != segments.end() && s->end == r.next; ++s)
      if (s->begin > r.begin && s->begin < r.copied) found = &*s;
    if (found == nullptr) return nullptr;
    for (std::uint32_t id = found->begin; id < found->end; ++id)
      if (!is_own_copy(tape_.op(id)) && walk_.reached(id)) return found;
    return nullptr;
  }

  void copy(const SegmentRange s) {
    Scratch<Var> inputs(&tape_.scratch()), after(&tape_.scratch());
    for (std::uint32_t id = s.begin; id < s.begin + s.inputs; ++id)
      inputs.push_back(tape_.at(behind_barriers(id)));
    for (std::uint32_t id = s.begin; id < s.end; ++id)
      if (!is_own_copy(tape_.op(id))) walk_.pending(id, after);
    const std::uint32_t begin = tape_.size();
    const Scratch<Var> copies = record_again(tape_, s, inputs, after);
    const std::uint32_t end = tape_.size();
    needed_.resize(end, 0);
    for (std::uint32_t id = s.begin; id < s.end; ++id) {
      const std::uint32_t now = copies[id - s.begin].id();
      if (now == id) continue;
      needed_[now] = needed_[id];
      walk_.move(id, now);
      std::ranges::replace(wrt_, id, now);
    }
    ranges_.push_back({begin, end, end});
  }

  Tape& tape_;
  Walk walk_;
  Scratch<std::uint8_t> needed_;  // by node
  Scratch<std::uint32_t> wrt_;    // where each of them is now
  Scratch<Range> ranges_;
};

}  // namespace

void reverse_walk(Var loss, std::span<const Var> wrt, const Adjoints& ops, std::span<Var> gradients,
                  const Where& where) {
  Tape& tape = tape_of("grad", std::array{Operand(loss, where)});
  if (loss.shape().size() != 1 || loss.shape().rank() != 0)
    throw ShapeError(fmt::format("grad: the loss must be a scalar, shape [], not {}; take its sum or mean",
                                 loss.shape().text()));
  for (const Var& v : wrt) tape.check(v, "grad", where);

  const Reverse reverse(tape, wrt, ops, loss.id());
  for (std::size_t i = 0; i < wrt.size(); ++i) {
    const Var g = reverse.gradient(i);
    gradients[i] = g.valid() ? g : ops.zeros(tape, tape.shape(wrt[i].id()));
  }
}

}  // namespace spool
