// TokenDecoder: a decoder over words: embedding, any cell, and a head that scores the next word. It is itself
// a cell whose x is token numbers, so that unroll() and DecodeStepper run it; training goes by teacher
// forcing, or by scheduled sampling. With dropout it must know whether it trains, as recurrent layers must:
// a step throws TapeError until `training` is said.
#pragma once

#include <spool/layers/cell.hpp>
#include <spool/layers/embedding.hpp>
#include <spool/layers/linear.hpp>
#include <spool/layers/unroll.hpp>
#include <spool/ops/random.hpp>

#include <optional>
#include <utility>

namespace spool {

namespace detail {
/// One token of each row drawn from softmax(scores), by the largest of scores + Gumbel noise (Gumbel 1954):
/// [B,V] -> [B]. No gradient.
Var drawn_tokens(Var scores);
/// Rows where a uniform number is below `probability` (a scalar) from `yes`, the others from `no`.
Var mixed_rows(Var probability, Var yes, Var no);
/// Throws ShapeError unless tokens are [T,B] with T > 0 and the probability, if there is one, is [].
void check_decoder(Var tokens, Var teacher, const Where& where);
}  // namespace detail

template <class C>
struct TokenDecoder {
  Embedding table;
  C cell;  ///< the library's, yours, or a wrapper such as LuongCell
  Linear head;
  double dropout = 0;                 ///< of the embedded words and of the head's input
  std::optional<bool> training = {};  ///< must be said where there is dropout: whether to drop

  /// tokens [B] -> scores [B,V] of the next one, and the next state.
  template <class S>
  std::pair<Var, S> step(Var tokens, const S& s, const Where& where = Where::current()) const {
    const CalledFrom from(tokens.tape(where), where);
    check_training();
    auto [y, next] = spool::step(cell, dropped(table(tokens, where)), s, where);
    return {head(dropped(y), where), std::move(next)};
  }

  /// Teacher forcing: tokens [T,B], which begin with the begin token -> scores [T,B,V], those of step t being
  /// of token t+1. The same as unroll() of this cell, with one embedding and one product for all steps.
  template <class S>
  Unrolled<S> operator()(Var tokens, S state, const UnrollOptions& options = {},
                         Where where = Where::current()) const {
    const CalledFrom from(tokens.tape(where), where);
    detail::check_decoder(tokens, {}, where);
    check_training();
    auto [ys, last] = unroll(cell, dropped(table(tokens, where)), std::move(state), options, where);
    return {head(dropped(ys), where), std::move(last)};
  }

  /// Scheduled sampling (Bengio et al. 2015, section 2.4): from the second step on each row reads the true
  /// token with probability `teacher`, a scalar Var, else one drawn from the model's scores of the step
  /// before, through which no gradient flows. With an input as `teacher` one plan serves the whole schedule.
  template <class S>
  Unrolled<S> sampled(Var tokens, S state, Var teacher, Where where = Where::current()) const {
    Tape& tape = tokens.tape(where);
    const CalledFrom from(tape, where);
    detail::check_decoder(tokens, teacher, where);
    Vars all;
    for (std::int64_t t = 0; t < tokens.shape()[0]; ++t) {
      const Scope scope(tape, "t", t);
      Var now = select({tokens, where}, 0, t);
      if (t > 0) now = detail::mixed_rows(teacher, now, detail::drawn_tokens(all.back()));
      auto [scores, next] = step(now, state, where);
      all.push_back(scores);
      state = std::move(next);
    }
    return {stack(all, 0, where), std::move(state)};
  }

 private:
  void check_training() const {
    if (dropout > 0) detail::check_training("TokenDecoder", "it", training);
  }
  Var dropped(Var x) const { return spool::dropout(x, dropout, training.value_or(false)); }
};
template <class C>
TokenDecoder(Embedding, C, Linear, double = 0, std::optional<bool> = {}) -> TokenDecoder<C>;

/// The probability of the true token after `step` of inverse sigmoid decay, k / (k + exp(step / k)) (Bengio
/// et al. 2015, section 2.4): about 1 at first, 1/2 at step k log k. TapeError for k below 1.
double inverse_sigmoid_decay(double step, double k);

}  // namespace spool
