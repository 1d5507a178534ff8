// RnnCell: the simple recurrent cell of Elman (1990).
#pragma once

#include <spool/layers/activation.hpp>
#include <spool/layers/gates.hpp>
#include <spool/ops/elementwise.hpp>

namespace spool {

struct RnnCellOptions {
  bool bias = true;
  bool layer_norm = false;  ///< of the summed inputs (Ba, Kiros and Hinton 2016, eq. 4)
  Activation activation = tanh;
};

/// h' = activation(W_ih x + b_ih + W_hh h + b_hh)
class RnnCell {
 public:
  static constexpr const char* layer_name = "rnn";
  using State = Var;  ///< h [B,H]
  using Options = RnnCellOptions;

  /// Sizes D and H. ShapeError when one is below 1.
  RnnCell(const Init& init, std::int64_t input, std::int64_t hidden, Options options = {});

  /// x [B,D], h [B,H] -> [B,H]. ShapeError for other shapes.
  Var step(Var x, Var h, Where where = Where::current()) const;
  /// The same with h_in in place of h where it is multiplied: for dropout.
  Var step_from(Var h_in, Var x, Var h, Where where = Where::current()) const;

  Var zero_state(Tape& tape, std::int64_t batch, Where where = Where::current()) const;
  Params parameters() const;
  std::int64_t output_size() const { return hidden_; }

 private:
  std::int64_t input_, hidden_;
  Options options_;
  detail::GateWeights weights_;
  detail::OptionalNorm norm_;
};

}  // namespace spool
