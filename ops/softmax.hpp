// Softmax over one axis or several. Both are right at +-1e4 and where some elements are -inf (weight 0, no
// gradient). Elements of +inf share the weight equally. A row that is -inf throughout has no distribution:
// its weights are all 0 (and their logs -inf), so a fully masked row adds nothing and its gradient is 0,
// never NaN.
#pragma once

#include <spool/ops/reduce.hpp>

namespace spool {

/// exp(x) / sum(exp(x)) over the axes.
Var softmax(Operand x, Axes axes = -1);
/// log(softmax(x)), without its loss of digits.
Var log_softmax(Operand x, Axes axes = -1);

}  // namespace spool
