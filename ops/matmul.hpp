// Matrix products. A transposed operand costs nothing: the product reads it where it lies.
#pragma once

#include <spool/graph/op.hpp>
#include <spool/graph/tape.hpp>

namespace spool {

/// [..., M, K] x [..., K, N] -> [..., M, N]; leading axes broadcast. ShapeError when K differs or a rank is
/// below 2.
Var matmul(Operand a, Operand b);

/// How many threads the matrix products may use (1 by default). Results do not depend on it beyond rounding.
void set_matmul_threads(int n);

}  // namespace spool
