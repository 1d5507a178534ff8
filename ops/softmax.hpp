// Softmax over one axis or several. Both are right at +-1e4 and where some elements are -inf (weight 0, no
// gradient). Elements of +inf share the weight equally. A row that is -inf throughout has no distribution:
// its weights are all 0 (and their logs -inf), so a fully masked row adds nothing and its gradient is 0,
// never NaN.
#pragma once

#include <spool/ops/reduce.hpp>

namespace spool {

/// exp(x) / sum(exp(x)) over the axes.
Var softmax(Operand x, Axes axes = -1);
/// Softmax over the elements where `mask`, which broadcasts to x, is not 0. The others have weight 0 and no
/// gradient, whatever their values; a row that is masked throughout is all 0. Unlike scores of -inf it runs
/// where a tape checks for infinities. ShapeError for a mask that does not broadcast to x.
Var masked_softmax(Operand x, Operand mask, Axes axes = -1);
/// log(softmax(x)), without its loss of digits.
Var log_softmax(Operand x, Axes axes = -1);

}  // namespace spool
