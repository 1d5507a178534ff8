// GruCell: the gated recurrent unit (Cho et al. 2014), in both of its usual forms.
#pragma once

#include <spool/layers/activation.hpp>
#include <spool/layers/gates.hpp>
#include <spool/ops/activation.hpp>
#include <spool/ops/elementwise.hpp>

namespace spool {

struct GruCellOptions {
  bool bias = true;
  /// Whether r scales the product W_hn h (PyTorch, cuDNN), or h before it (Cho et al.; Keras 2).
  bool reset_after = true;
  /// Layer normalisation of each summand, of r and z together and of n (Ba, Kiros and Hinton 2016, suppl.).
  bool layer_norm = false;
  Activation gate = sigmoid, candidate = tanh;
};

/// r, z, n: the order in the weights, x' = W_ih x + b_ih and h' = W_hh h + b_hh in parts:
/// r = gate(x'r + h'r),  z = gate(x'z + h'z)
/// n = candidate(x'n + r h'n), or candidate(x'n + W_hn (r h) + b_hn)
/// h' = (1 - z) n + z h
class GruCell {
 public:
  static constexpr const char* layer_name = "gru";
  using State = Var;  ///< h [B,H]
  using Options = GruCellOptions;

  /// Sizes D and H. ShapeError when one is below 1.
  GruCell(const Init& init, std::int64_t input, std::int64_t hidden, Options options = {});

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
  detail::OptionalNorm norm_ih_, norm_hh_, norm_in_, norm_hn_;  // gates r and z, then the candidate
};

}  // namespace spool
