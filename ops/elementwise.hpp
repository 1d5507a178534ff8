// Element-wise ops: arithmetic, functions of one number, comparisons and choices; activation functions are in
// ops/activation.hpp. Two operands of different shapes are broadcast first (numpy's rules) by an op of its
// own, so that no gradient rule knows of it. Numbers may stand for any operand but all: 1 - x.
//
// Where a function has a kink or a tie, its gradient follows PyTorch's convention, given with the function.
// ShapeError when shapes do not broadcast, TapeError when no operand belongs to a tape.
#pragma once

#include <spool/graph/op.hpp>
#include <spool/graph/tape.hpp>

namespace spool {

Var operator+(Operand a, Operand b);
Var operator-(Operand a, Operand b);
Var operator*(Operand a, Operand b);
Var operator/(Operand a, Operand b);
Var operator-(Operand x);

/// x^p, with std::pow's special values: 0^0 = 1. At x = 0 the gradient of p is 0 for p >= 0, and that of x is
/// 0 for p = 0. The gradient of p is NaN for a negative x; that of x is not.
Var pow(Operand x, Operand p);

Var exp(Operand x);
Var log(Operand x);
Var log1p(Operand x);  ///< log(1 + x), exact for small x
Var expm1(Operand x);  ///< exp(x) - 1, exact for small x
Var sqrt(Operand x);   ///< The gradient at 0 is infinite (and NaN times a 0 from above: see where()).
Var rsqrt(Operand x);  ///< 1 / sqrt(x)
Var square(Operand x);
Var abs(Operand x);    ///< Gradient 0 at 0.
Var sign(Operand x);   ///< -1, 0 or 1; NaN for NaN. No gradient.
Var floor(Operand x);  ///< No gradient.
Var sin(Operand x);
Var cos(Operand x);
Var tanh(Operand x);
/// g (1 - y^2): the gradient that tanh passes on, y being its result. One op, since every cell needs it.
Var tanh_grad(Operand g, Operand y);
Var erf(Operand x);

/// The smaller or larger of two; NaN when either is. Equal operands get half of the gradient each.
Var minimum(Operand a, Operand b);
Var maximum(Operand a, Operand b);
/// x held within low..high; infinite bounds are no bounds. The gradient passes at the bounds themselves.
/// TapeError when low > high or one is NaN.
Var clamp(Operand x, double low, double high);

/// 1 where it holds and 0 where not, in the tape's dtype; NaN equals nothing. No gradient.
Var eq(Operand a, Operand b);
Var ne(Operand a, Operand b);
Var lt(Operand a, Operand b);
Var le(Operand a, Operand b);
Var gt(Operand a, Operand b);
Var ge(Operand a, Operand b);
/// On numbers, of which 0 is false and all others are true; the result is 0 or 1. No gradient.
Var logical_and(Operand a, Operand b);
Var logical_or(Operand a, Operand b);
Var logical_not(Operand x);

/// a where cond is not 0, else b. The branch not chosen gets gradient 0, not 0 times something: NaN or
/// infinity coming from above stops here. What lies *below* the branch still multiplies that 0, and
/// 0 * infinity is NaN: where(gt(x, 0), log(x), 0) has a NaN gradient at x = 0. Keep the operand harmless
/// instead: where(gt(x, 0), log(where(gt(x, 0), x, 1)), 0).
Var where(Operand cond, Operand a, Operand b);

/// The same value with no gradient.
Var detach(Operand x);

}  // namespace spool
