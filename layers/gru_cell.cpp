#include <spool/layers/gru_cell.hpp>
#include <spool/ops/matmul.hpp>
#include <spool/ops/movement.hpp>

namespace spool {

GruCell::GruCell(const Init& init, std::int64_t input, std::int64_t hidden, Options options)
    : input_(input),
      hidden_(hidden),
      options_(std::move(options)),
      weights_(init, {input, hidden, hidden, 3}, options_.bias) {
  if (options_.layer_norm) {
    norm_ih_ = {init, "norm_ih", 2 * hidden};
    norm_hh_ = {init, "norm_hh", 2 * hidden};
    norm_in_ = {init, "norm_in", hidden};
    norm_hn_ = {init, "norm_hn", hidden};
  }
}

Var GruCell::step(Var x, Var h, Where where) const { return step_from(h, x, h, where); }

Var GruCell::step_from(Var h_in, Var x, Var h, Where where) const {
  Tape& tape = x.tape(where);
  const CalledFrom from(tape, where);
  detail::check_input("GruCell", x, input_, where);
  detail::check_state("GruCell", "h", x, h, hidden_, where);

  // The first 2H of the weights' 3H rows are r and z, the rest is n.
  const auto gates = [&](Var v, int axis = -1) { return slice(v, axis, 0, 2 * hidden_); };
  const auto last = [&](Var v, int axis = -1) { return slice(v, axis, 2 * hidden_, 3 * hidden_); };
  const auto plus_last = [&](Var y, const std::optional<Param>& b) {
    return b ? y + last(tape.param(*b)) : y;
  };
  const bool after = options_.reset_after;

  const Var wx = weights_.inputs(x);
  const Var w_hh = tape.param(weights_.weight_hh);
  const Var wh = matmul(h_in, transpose(after ? w_hh : gates(w_hh, 0)));
  const Var from_x = norm_ih_(gates(wx));
  const Var from_h = norm_hh_(gates(wh));
  const auto [r, z] = split<2>(options_.gate(weights_.biased(from_x + from_h)));
  const Var xn = plus_last(norm_in_(last(wx)), weights_.bias_ih);
  const Var reset = after ? h_in : r * h_in;
  const Var wn = after ? last(wh) : matmul(reset, transpose(last(w_hh, 0)));
  const Var hn = plus_last(norm_hn_(wn), weights_.bias_hh);
  const Var n = options_.candidate(xn + (after ? r * hn : hn));
  const Var kept = z * h;
  return (1 - z) * n + kept;
}

Var GruCell::zero_state(Tape& tape, std::int64_t batch, Where where) const {
  return tape.constant(0, {batch, hidden_}, where);
}

Params GruCell::parameters() const {
  Params all = weights_.parameters();
  for (const auto* norm : {&norm_ih_, &norm_hh_, &norm_in_, &norm_hn_}) norm->append_to(all);
  return all;
}

}  // namespace spool
