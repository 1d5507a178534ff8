#include <spool/ops/elementwise.hpp>
#include <spool/ops/grad.hpp>
#include <spool/ops/movement.hpp>
#include <spool/ops/record.hpp>

namespace spool {

void grad(Var loss, std::span<const Var> wrt, std::span<Var> gradients, Where where) {
  static constexpr Adjoints adjoints{
      .add = [](Var a, Var b) { return a + b; },
      .zeros = [](Tape& tape, const Shape& shape) { return tape.constant(0, shape); },
      .ones = [](Tape& tape, const Shape& shape) { return tape.constant(1, shape); },
      .concat = [](std::span<const Var> parts, int axis) { return concat(parts, axis); },
  };
  reverse_walk(loss, wrt, adjoints, gradients, where);
}

Vars grad(Var loss, std::span<const Var> wrt, Where where) {
  Vars gradients(wrt.size());
  grad(loss, wrt, gradients, where);
  return gradients;
}

Vars grad(Var loss, std::initializer_list<Var> wrt, Where where) {
  return grad(loss, std::span(wrt.begin(), wrt.size()), where);
}

Var grad(Var loss, Var wrt, Where where) { return grad(loss, std::span(&wrt, 1), where)[0]; }

Vars grad(Var loss, const Params& params, Where where) {
  Tape& tape = tape_of("grad", {Operand(loss, where)});
  Vars wrt;
  for (const Param& p : params) wrt.push_back(tape.param(p, where));
  return grad(loss, wrt, where);
}

bool depends(Var gradient) {
  const Tape& tape = gradient.tape();
  return !is_constant(tape.op(gradient.id())) || constant_value(tape, gradient.id()) != 0;
}

}  // namespace spool
