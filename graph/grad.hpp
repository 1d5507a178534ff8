// The reverse walk: gradients as appended ops. It knows no arithmetic; whoever calls it says how to add two
// adjoints and how to join placements (ops/grad.hpp does, and is what users call).
#pragma once

#include <spool/graph/op.hpp>
#include <spool/graph/tape.hpp>

#include <span>

namespace spool {

/// The few ops the walk needs.
struct Adjoints {
  Var (*add)(Var a, Var b);
  Var (*zeros)(Tape& tape, const Shape& shape);
  Var (*ones)(Tape& tape, const Shape& shape);
  Var (*concat)(std::span<const Var> parts, int axis);
};

/// Appends d loss / d wrt, one node for each of wrt (zeros where loss does not depend on it), and lists them
/// in `gradients`, which is as long. The loss must be a scalar; its tape grows, nothing is computed.
/// Contributions that are placements along one axis and do not overlap become one concat instead of padded
/// additions.
void reverse_walk(Var loss, std::span<const Var> wrt, const Adjoints& ops, std::span<Var> gradients,
                  const Where& where);

}  // namespace spool
