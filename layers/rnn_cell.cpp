#include <spool/layers/rnn_cell.hpp>

namespace spool {

RnnCell::RnnCell(const Init& init, std::int64_t input, std::int64_t hidden, Options options)
    : input_(input),
      hidden_(hidden),
      options_(std::move(options)),
      weights_(init, {input, hidden, hidden, 1}, options_.bias) {
  if (options_.layer_norm) norm_ = {init, "norm", hidden};
}

Var RnnCell::step(Var x, Var h, Where where) const { return step_from(h, x, h, where); }

Var RnnCell::step_from(Var h_in, Var x, Var h, Where where) const {
  const CalledFrom from(x.tape(where), where);
  detail::check_input("RnnCell", x, input_, where);
  detail::check_state("RnnCell", "h", x, h, hidden_, where);
  const Var from_x = weights_.inputs(x);
  return options_.activation(norm_(weights_.biased(from_x + weights_.recurrent(h_in))));
}

Var RnnCell::zero_state(Tape& tape, std::int64_t batch, Where where) const {
  return tape.constant(0, {batch, hidden_}, where);
}

Params RnnCell::parameters() const {
  Params all = weights_.parameters();
  norm_.append_to(all);
  return all;
}

}  // namespace spool
