#include <spool/graph/error.hpp>
#include <spool/layers/token_decoder.hpp>
#include <spool/ops/elementwise.hpp>
#include <spool/ops/record.hpp>
#include <spool/ops/reduce.hpp>

#include <fmt/format.h>

#include <cmath>

namespace spool {

namespace detail {

Var drawn_tokens(Var scores) {
  // 0 and, after rounding, 1 would give infinite noise.
  const Var u = clamp(uniform(scores.tape(), scores.shape()), 1e-30, 0.9999999);
  return argmax(scores - log(-log(u)));
}

Var mixed_rows(Var probability, Var yes, Var no) {
  return where(lt(uniform(yes.tape(), yes.shape()), probability), yes, no);
}

void check_decoder(Var tokens, Var teacher, const Where& where) {
  if (tokens.shape(where).rank() != 2 || tokens.shape()[0] == 0)
    fail_shape("TokenDecoder", "tokens must be [T, B] with at least one step", {tokens}, where);
  if (teacher.valid() && teacher.shape() != Shape{})
    fail_shape("TokenDecoder", "the probability of the true token must be a scalar", {teacher}, where);
}

}  // namespace detail

double inverse_sigmoid_decay(double step, double k) {
  if (!(k >= 1)) throw TapeError(fmt::format("inverse_sigmoid_decay: k must be at least 1, not {}", k));
  return k / (k + std::exp(step / k));
}

}  // namespace spool
