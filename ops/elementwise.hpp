// Element-wise ops. Two operands of different shapes are broadcast first (numpy's rules) by an op of its own,
// so that no gradient rule knows of it. Numbers may stand for either operand: 1 - x.
#pragma once

#include <spool/graph/op.hpp>
#include <spool/graph/tape.hpp>

namespace spool {

Var operator+(Operand a, Operand b);
Var operator-(Operand a, Operand b);
Var operator*(Operand a, Operand b);
Var operator/(Operand a, Operand b);
Var operator-(Operand x);

Var exp(Operand x);
Var log(Operand x);
Var tanh(Operand x);
Var sigmoid(Operand x);

/// The same value with no gradient.
Var detach(Operand x);

}  // namespace spool
