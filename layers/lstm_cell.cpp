#include <spool/graph/error.hpp>
#include <spool/layers/lstm_cell.hpp>
#include <spool/ops/matmul.hpp>
#include <spool/ops/movement.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace spool {

namespace {

LstmCellOptions checked(LstmCellOptions o, std::int64_t hidden) {
  if (o.proj < 0 || o.proj > std::max<std::int64_t>(hidden, 0))
    throw ShapeError(fmt::format("LstmCell: proj is {}; it must lie in 0..{} (hidden)", o.proj, hidden));
  if (!(o.cell_clip >= 0))
    throw ShapeError(fmt::format("LstmCell: cell_clip is {}; it must not be negative", o.cell_clip));
  if (o.forget_bias && (o.coupled || !o.bias))
    throw ShapeError(
        "LstmCell: forget_bias is given, but there is no such bias; drop it, or .coupled or .bias = false");
  return o;
}

// The weights that one gate gives to the cell.
Var peep(Var gate, const std::optional<Param>& weight, Var c) {
  return weight ? gate + c * c.tape().param(*weight) : gate;
}

}  // namespace

LstmCell::LstmCell(const Init& init, std::int64_t input, std::int64_t hidden, Options options)
    : input_(input),
      hidden_(hidden),
      options_(checked(std::move(options), hidden)),
      weights_(init, {input, hidden, output_size(), options_.coupled ? 3 : 4}, options_.bias,
               options_.coupled ? -1 : 1, options_.forget_bias) {
  const auto vector = [&](const char* name) {
    return init.param(name, {hidden}, detail::usual_weight(init, hidden));
  };
  if (options_.proj > 0)
    projection_ = init.param("weight_hr", {options_.proj, hidden}, detail::usual_weight(init, hidden));
  if (options_.peepholes) {
    peep_i_ = vector("weight_ci");
    if (!options_.coupled) peep_f_ = vector("weight_cf");
    peep_o_ = vector("weight_co");
  }
  if (options_.layer_norm) {
    norm_ih_ = {init, "norm_ih", weights_.weight_ih.shape()[0]};
    norm_hh_ = {init, "norm_hh", weights_.weight_ih.shape()[0]};
    norm_c_ = {init, "norm_c", hidden};
  }
}

LstmState LstmCell::step(Var x, LstmState s, Where where) const { return step_from(s.h, x, s, where); }

LstmState LstmCell::step_from(Var h_in, Var x, LstmState s, Where where) const {
  const CalledFrom from(x.tape(where), where);
  detail::check_input("LstmCell", x, input_, where);
  detail::check_state("LstmCell", "h", x, s.h, output_size(), where);
  detail::check_state("LstmCell", "c", x, s.c, hidden_, where);
  const Activation &gate = options_.gate, &candidate = options_.candidate, &output = options_.output;

  const Var from_x = norm_ih_(weights_.inputs(x));
  const Var from_h = norm_hh_(weights_.recurrent(h_in));
  const Vars parts = split(weights_.biased(from_x + from_h), options_.coupled ? 3 : 4);  // i f g o, or i g o
  const Var i = gate(peep(parts[0], peep_i_, s.c));
  const Var f = options_.coupled ? 1 - i : gate(peep(parts[1], peep_f_, s.c));
  const Var g = candidate(parts[parts.size() - 2]);
  const Var kept = f * s.c;
  Var c = kept + i * g;
  if (options_.cell_clip > 0) c = clamp(c, -options_.cell_clip, options_.cell_clip);
  const Var o = gate(peep(parts.back(), peep_o_, c));
  const Var h = o * output(norm_c_(c));
  return {projection_ ? matmul(h, transpose(h.tape().param(*projection_))) : h, c};
}

LstmState LstmCell::zero_state(Tape& tape, std::int64_t batch, Where where) const {
  return {tape.constant(0, {batch, output_size()}, where), tape.constant(0, {batch, hidden_}, where)};
}

Params LstmCell::parameters() const {
  Params all = weights_.parameters();
  for (const auto& p : {projection_, peep_i_, peep_f_, peep_o_})
    if (p) all.push_back(*p);
  for (const auto* norm : {&norm_ih_, &norm_hh_, &norm_c_}) norm->append_to(all);
  return all;
}

}  // namespace spool
