#include <spool/ops/elementwise.hpp>
#include <spool/ops/grad.hpp>
#include <spool/ops/movement.hpp>

namespace spool {

void grad(Var loss, std::span<const Var> wrt, std::span<Var> gradients) {
  static constexpr Adjoints adjoints{
      .add = [](Var a, Var b) { return a + b; },
      .zeros = [](Tape& tape, const Shape& shape) { return tape.constant(0, shape); },
      .ones = [](Tape& tape, const Shape& shape) { return tape.constant(1, shape); },
      .concat = [](std::span<const Var> parts, int axis) { return concat(parts, axis); },
  };
  reverse_walk(loss, wrt, adjoints, gradients);
}

Vars grad(Var loss, std::span<const Var> wrt) {
  Vars gradients(wrt.size());
  grad(loss, wrt, gradients);
  return gradients;
}

Vars grad(Var loss, std::initializer_list<Var> wrt) { return grad(loss, std::span(wrt.begin(), wrt.size())); }

Var grad(Var loss, Var wrt) { return grad(loss, std::span(&wrt, 1))[0]; }

Vars grad(Var loss, const Params& params) {
  Vars wrt;
  for (const Param& p : params) wrt.push_back(loss.tape().param(p));
  return grad(loss, wrt);
}

bool depends(Var gradient) {
  const Tape& tape = gradient.tape();
  return !is_constant(tape.op(gradient.id())) || constant_value(tape, gradient.id()) != 0;
}

}  // namespace spool
