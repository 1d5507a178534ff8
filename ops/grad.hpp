// grad: the gradient of a loss, as ops on the loss's own tape.
#pragma once

#include <spool/graph/grad.hpp>

namespace spool {

/// Appends d loss / d wrt to the tape, one node for each of wrt, of its shape (zeros where the loss does not
/// depend on it). The loss must have shape []. Gradients are ordinary nodes: differentiate them again for
/// higher orders. Throws ShapeError for a loss that is no scalar.
Vars grad(Var loss, std::span<const Var> wrt, Where where = Where::current());
Vars grad(Var loss, std::initializer_list<Var> wrt, Where where = Where::current());
Var grad(Var loss, Var wrt, Where where = Where::current());
/// The same into a list as long as wrt, for loops that keep one.
void grad(Var loss, std::span<const Var> wrt, std::span<Var> gradients, Where where = Where::current());
/// With respect to parameters.
Vars grad(Var loss, const Params& params, Where where = Where::current());

/// Of a gradient that grad() gave: whether the loss depends on what it is the gradient of.
bool depends(Var gradient);

}  // namespace spool
