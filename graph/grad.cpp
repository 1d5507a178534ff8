#include <spool/graph/error.hpp>
#include <spool/graph/grad.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <memory_resource>
#include <tuple>

namespace spool {

namespace {

template <class T>
using Scratch = std::pmr::vector<T>;

constexpr std::uint32_t none = 0xffffffffU;

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
    const Var part = tape_.at(tape_.operands(g.id())[0]);
    const int axis = static_cast<int>(attrs[0]);
    const std::int64_t begin = attrs[1], end = begin + tape_.shape(part.id())[axis];
    if (begin == end) return;  // it places nothing
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

// Which nodes up to `last` depend on one of wrt.
Scratch<std::uint8_t> depends_on(Tape& tape, std::span<const Var> wrt, std::uint32_t last) {
  Scratch<std::uint8_t> needed(last + 1, 0, &tape.scratch());
  for (const Var& v : wrt)
    if (v.id() <= last) needed[v.id()] = 1;
  for (std::uint32_t id = 0; id <= last; ++id)
    if (tape.op(id).vjp != nullptr)
      for (std::uint32_t o : tape.operands(id)) needed[id] |= needed[o];
  return needed;
}

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

}  // namespace

void reverse_walk(Var loss, std::span<const Var> wrt, const Adjoints& ops, std::span<Var> gradients) {
  Tape& tape = loss.tape();
  if (loss.shape().size() != 1 || loss.shape().rank() != 0)
    throw ShapeError(fmt::format("grad: the loss must be a scalar, shape [], not {}; take its sum or mean",
                                 loss.shape().text()));
  for (const Var& v : wrt) tape.check(v, "grad");

  const Scratch<std::uint8_t> needed = depends_on(tape, wrt, loss.id());
  Walk walk(tape, ops, loss.id() + 1);
  if (needed[loss.id()]) walk.contribute(loss.id(), ops.ones(tape, {}));
  for (std::uint32_t id = loss.id() + 1; id-- > 0;) {
    if (!walk.reached(id)) continue;
    const Tape::As as(tape, id);
    const Var g = walk.finish(id);
    const OpDef& op = tape.op(id);
    const auto is_needed = [&](std::uint32_t operand) { return needed[operand] != 0; };
    if (op.vjp == nullptr || std::ranges::none_of(tape.operands(id), is_needed)) continue;
    const Grads grads = op.vjp(Step(tape, id, needed), g);
    check_grads(tape, id, grads);
    for (std::size_t i = 0; i < grads.size(); ++i) {
      const std::uint32_t operand = tape.operands(id)[i];
      if (grads[i].valid() && is_needed(operand)) walk.contribute(operand, grads[i]);
    }
  }

  for (std::size_t i = 0; i < wrt.size(); ++i) {
    const Var g = walk.finished(wrt[i].id());
    gradients[i] = g.valid() ? g : ops.zeros(tape, tape.shape(wrt[i].id()));
  }
}

}  // namespace spool
