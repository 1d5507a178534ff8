// Matrix products. A transposed operand costs nothing: the product reads it where it lies.
#pragma once

#include <spool/graph/op.hpp>
#include <spool/graph/tape.hpp>

namespace spool {

/// [..., M, K] x [..., K, N] -> [..., M, N]; leading axes broadcast. ShapeError when K differs or a rank is
/// below 2.
Var matmul(Operand a, Operand b);

}  // namespace spool
