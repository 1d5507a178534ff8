// Random ops: their numbers are a function of the tape's seed, its draw (see RandomState), the op's number on
// the tape and the element's position, so that a run repeated has the same bits, whatever the machine or the
// number of threads; and are the same real numbers in every dtype, up to rounding. They have no gradient.
#pragma once

#include <spool/graph/op.hpp>
#include <spool/graph/tape.hpp>

namespace spool {

/// Uniform in [0, 1). Every call draws anew. ShapeError above 2^33 elements (as all of this file).
Var uniform(Tape& tape, const Shape& shape, Where where = Where::current());
/// Mean 0, variance 1 (Box and Muller 1958).
Var normal(Tape& tape, const Shape& shape, Where where = Where::current());
/// 1 with probability p, else 0. ShapeError for p outside 0..1.
Var bernoulli(Tape& tape, const Shape& shape, double p, Where where = Where::current());

/// What dropout multiplies with: 0 with probability p, else 1 / (1 - p). For one mask used at many steps.
/// ShapeError for p outside 0..1.
Var dropout_mask(Tape& tape, const Shape& shape, double p, Where where = Where::current());
/// Each element 0 with probability p, else divided by 1 - p, which keeps the mean (Srivastava et al. 2014, in
/// the inverted form). x itself when not training or p is 0; zeros when p is 1.
Var dropout(Operand x, double p, bool training = true);

}  // namespace spool
