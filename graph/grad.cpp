#include <spool/graph/error.hpp>
#include <spool/graph/grad.hpp>

#include <fmt/format.h>
#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <map>

namespace spool {

namespace {

// A contribution that fills [begin, end) of one axis of its target and is 0 elsewhere.
struct Placement {
  Var part;
  int axis;
  std::int64_t begin, end;
};

// The adjoint of one node while it grows: a running sum, and placements waiting to become one concat.
struct Adjoint {
  Var sum;
  std::map<std::int64_t, Placement> placements;  // by begin
};

// Whether p lies along the axis of the others, and between them.
bool fits(const std::map<std::int64_t, Placement>& others, const Placement& p) {
  if (others.empty()) return true;
  if (others.begin()->second.axis != p.axis) return false;
  const auto next = others.lower_bound(p.begin);
  if (next != others.end() && next->first < p.end) return false;
  return next == others.begin() || std::prev(next)->second.end <= p.begin;
}

class Walk {
 public:
  Walk(Tape& tape, const Adjoints& ops) : tape_(tape), ops_(ops) {}

  void contribute(std::uint32_t target, Var g) {
    Adjoint& a = adjoints_[target];
    if (tape_.op(g.id()).kind != Kind::place) {
      a.sum = a.sum.valid() ? ops_.add(a.sum, g) : g;
      return;
    }
    const Attrs attrs = tape_.attrs(g.id());
    const Var part = tape_.at(tape_.operands(g.id())[0]);
    const int axis = static_cast<int>(attrs[0]);
    const Placement p{part, axis, attrs[1], attrs[1] + part.shape()[axis]};
    if (p.begin == p.end) return;  // it places nothing
    if (!fits(a.placements, p)) flush(target, a);
    a.placements.emplace(p.begin, p);
  }

  // The finished adjoint; empty when nothing reached the node.
  Var take(std::uint32_t id) {
    const auto it = adjoints_.find(id);
    if (it == adjoints_.end()) return {};
    Adjoint a = std::move(it->second);
    adjoints_.erase(it);
    flush(id, a);
    return a.sum;
  }

 private:
  void flush(std::uint32_t target, Adjoint& a) {
    if (a.placements.empty()) return;
    const int axis = a.placements.begin()->second.axis;
    const Shape& whole = tape_.shape(target);
    Vars parts;
    std::int64_t at = 0;
    const auto fill_to = [&](std::int64_t end) {
      if (end > at) parts.push_back(ops_.zeros(tape_, whole.with(axis, end - at)));
    };
    for (const auto& [begin, p] : a.placements) {
      fill_to(begin);
      parts.push_back(p.part);
      at = p.end;
    }
    fill_to(whole[axis]);
    a.placements.clear();
    const Var joined = parts.size() == 1 ? parts[0] : ops_.concat(parts, axis);
    a.sum = a.sum.valid() ? ops_.add(a.sum, joined) : joined;
  }

  Tape& tape_;
  const Adjoints& ops_;
  boost::unordered_flat_map<std::uint32_t, Adjoint> adjoints_;
};

// Which nodes up to `last` depend on one of wrt.
std::vector<bool> depends_on(const Tape& tape, std::span<const Var> wrt, std::uint32_t last) {
  std::vector<bool> needed(last + 1, false);
  for (const Var& v : wrt)
    if (v.id() <= last) needed[v.id()] = true;
  for (std::uint32_t id = 0; id <= last; ++id)
    if (tape.op(id).vjp != nullptr && !needed[id])
      needed[id] = std::ranges::any_of(tape.operands(id), [&](std::uint32_t o) { return needed[o]; });
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
      tape.check(grads[i], rule().c_str());
    const Shape &got = grads[i].shape(), &expected = tape.shape(operands[i]);
    if (got != expected)
      throw ShapeError(fmt::format("{} gave operand {} of shape {} a gradient of shape {}\n  recorded at {}",
                                   rule(), i, expected.text(), got.text(), tape.where(id)));
  }
}

}  // namespace

Vars reverse_walk(Var loss, std::span<const Var> wrt, const Adjoints& ops) {
  Tape& tape = loss.tape();
  if (loss.shape().size() != 1 || loss.shape().rank() != 0)
    throw ShapeError(fmt::format("grad: the loss must be a scalar, shape [], not {}; take its sum or mean",
                                 loss.shape().text()));
  for (const Var& v : wrt) tape.check(v, "grad");

  const std::vector<bool> needed = depends_on(tape, wrt, loss.id());
  Walk walk(tape, ops);
  boost::unordered_flat_map<std::uint32_t, Var> found;
  for (const Var& v : wrt) found.emplace(v.id(), Var{});

  if (needed[loss.id()]) walk.contribute(loss.id(), ops.ones(tape, {}));
  for (std::uint32_t id = loss.id() + 1; id-- > 0;) {
    if (!needed[id]) continue;
    const Tape::As as(tape, id);
    const Var g = walk.take(id);
    if (!g.valid()) continue;
    if (const auto it = found.find(id); it != found.end()) it->second = g;
    const OpDef& op = tape.op(id);
    const auto is_needed = [&](std::uint32_t operand) { return needed[operand]; };
    if (op.vjp == nullptr || std::ranges::none_of(tape.operands(id), is_needed)) continue;
    const Grads grads = op.vjp(Step(tape, id, needed), g);
    check_grads(tape, id, grads);
    for (std::size_t i = 0; i < grads.size(); ++i) {
      const std::uint32_t operand = tape.operands(id)[i];
      if (grads[i].valid() && needed[operand]) walk.contribute(operand, grads[i]);
    }
  }

  Vars result;
  for (const Var& v : wrt) {
    const Var g = found[v.id()];
    result.push_back(g.valid() ? g : ops.zeros(tape, v.shape()));
  }
  return result;
}

}  // namespace spool
