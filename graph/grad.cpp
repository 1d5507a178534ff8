#include <spool/graph/error.hpp>
#include <spool/graph/grad.hpp>

#include <fmt/format.h>
#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>

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
  std::vector<Placement> placements;
};

class Walk {
 public:
  Walk(Tape& tape, const Adjoints& ops) : tape_(tape), ops_(ops) {}

  void contribute(std::uint32_t target, Var g) {
    if (g.shape() != tape_.shape(target))
      throw InternalError(fmt::format("the gradient of {} {} has shape {}", tape_.label(target),
                                      tape_.shape(target).text(), g.shape().text()));
    Adjoint& a = adjoints_[target];
    if (tape_.op(g.id()).kind != Kind::place) {
      a.sum = a.sum.valid() ? ops_.add(a.sum, g) : g;
      return;
    }
    const Attrs attrs = tape_.attrs(g.id());
    const Var part = tape_.at(tape_.operands(g.id())[0]);
    const int axis = static_cast<int>(attrs[0]);
    const Placement p{part, axis, attrs[1], attrs[1] + part.shape()[axis]};
    const bool fits = std::ranges::none_of(a.placements, [&](const Placement& q) {
      return q.axis != p.axis || (p.begin < q.end && q.begin < p.end);
    });
    if (!fits) flush(target, a);
    a.placements.push_back(p);
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
    std::ranges::sort(a.placements, {}, &Placement::begin);
    const int axis = a.placements.front().axis;
    const Shape& whole = tape_.shape(target);
    Vars parts;
    std::int64_t at = 0;
    const auto fill_to = [&](std::int64_t end) {
      if (end > at) parts.push_back(ops_.zeros(tape_, whole.with(axis, end - at)));
    };
    for (const Placement& p : a.placements) {
      fill_to(p.begin);
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
    if (op.vjp == nullptr) continue;
    const Step step(tape, id, needed);
    const Grads grads = op.vjp(step, g);
    if (grads.size() != tape.operands(id).size())
      throw TapeError(fmt::format("{}: its vjp gave {} gradients for {} operands", op.name, grads.size(),
                                  tape.operands(id).size()));
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
