// LstmCell: long short-term memory (Hochreiter and Schmidhuber 1997) with the forget gate of Gers,
// Schmidhuber and Cummins (2000), and the usual variants by option.
#pragma once

#include <spool/layers/activation.hpp>
#include <spool/layers/gates.hpp>
#include <spool/ops/activation.hpp>
#include <spool/ops/elementwise.hpp>

namespace spool {

struct LstmState {
  Var h;  ///< [B,H], or [B,P] with a projection: also the output
  Var c;  ///< [B,H]
};

struct LstmCellOptions {
  bool bias = true;
  /// Gates see the cell: i and f that of the last step, o the new one (Gers and Schmidhuber 2000). Weights
  /// weight_ci, weight_cf, weight_co [H].
  bool peepholes = false;
  /// f = 1 - i, and the weights have three gates (Greff et al. 2017, "CIFG").
  bool coupled = false;
  /// Size of h after a projection weight_hr [P,H]; 0: none (Sak, Senior and Beaufays 2014).
  std::int64_t proj = 0;
  /// Layer normalisation of the gates' two summands and of the cell (Ba, Kiros and Hinton 2016, eqs. 20-22).
  bool layer_norm = false;
  /// The cell is kept within -cell_clip..cell_clip; 0: it is not.
  double cell_clip = 0;
  /// First value of the forget gate's bias (Jozefowicz, Zaremba and Sutskever 2015 advise 1). By default the
  /// scheme's.
  std::optional<double> forget_bias = {};
  Activation gate = sigmoid, candidate = tanh, output = tanh;
};

/// i, f, g, o = W_ih x + b_ih + W_hh h + b_hh, in this order
/// c' = gate(f) c + gate(i) candidate(g)
/// h' = gate(o) output(c')
class LstmCell {
 public:
  static constexpr const char* layer_name = "lstm";
  using State = LstmState;
  using Options = LstmCellOptions;

  /// Sizes D and H. ShapeError when one is below 1.
  LstmCell(const Init& init, std::int64_t input, std::int64_t hidden, Options options = {});

  /// x [B,D], s.h [B,H] (or [B,P]), s.c [B,H]. ShapeError for other shapes.
  LstmState step(Var x, LstmState s, Where where = Where::current()) const;
  /// The same with h_in in place of s.h where it is multiplied: for dropout.
  LstmState step_from(Var h_in, Var x, LstmState s, Where where = Where::current()) const;

  LstmState zero_state(Tape& tape, std::int64_t batch, Where where = Where::current()) const;
  Params parameters() const;
  std::int64_t output_size() const { return options_.proj > 0 ? options_.proj : hidden_; }

 private:
  std::int64_t input_, hidden_;
  Options options_;
  detail::GateWeights weights_;
  std::optional<Param> peep_i_, peep_f_, peep_o_, projection_;
  detail::OptionalNorm norm_ih_, norm_hh_, norm_c_;
};

}  // namespace spool
