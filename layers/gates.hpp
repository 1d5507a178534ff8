// What the cells of the library share: the weights of all gates together, named and laid out as PyTorch's
// (weight_ih [G*H, D], weight_hh [G*H, R], bias_ih and bias_hh [G*H]); layer normalisation that may be
// absent; and the check of a step's operands.
#pragma once

#include <spool/graph/var.hpp>
#include <spool/layers/init.hpp>

#include <optional>

namespace spool::detail {

/// First values of weights that the schemes treat alike: PyTorch's uniform within 1/sqrt(H), Keras's Glorot.
Fill usual_weight(const Init& init, std::int64_t hidden);

/// Sizes of the weights of `gates` gates of `hidden` units, that read `input` and `recurrent` numbers.
struct GateSizes {
  std::int64_t input, hidden, recurrent;
  int gates;
};

struct GateWeights {
  /// forget: which gate's bias starts at forget_bias, where one is given (-1: none of them).
  GateWeights(const Init& init, const GateSizes& sizes, bool bias, int forget = -1,
              std::optional<double> forget_bias = {});

  Var inputs(Var x) const;     ///< [B,D] -> [B,G*H], without bias
  Var recurrent(Var h) const;  ///< [B,R] -> [B,G*H], without bias
  /// y [B,R] with the first R elements of both biases added, or y where there are none.
  Var biased(Var y) const;
  Params parameters() const;

  Param weight_ih, weight_hh;
  std::optional<Param> bias_ih, bias_hh;
};

/// Layer normalisation over the last axis with a gain and a bias of its own (Ba, Kiros and Hinton 2016), or
/// nothing at all.
class OptionalNorm {
 public:
  OptionalNorm() = default;
  /// Parameters NAME_weight and NAME_bias, [size].
  OptionalNorm(const Init& init, std::string_view name, std::int64_t size);

  Var operator()(Var x) const;
  void append_to(Params& params) const;

 private:
  std::optional<Param> weight_, bias_;
};

/// Throws ShapeError unless x is [B, input].
void check_input(const char* cell, Var x, std::int64_t input, const Where& where);
/// Throws ShapeError unless a part of the state is [B, size], B being x's.
void check_state(const char* cell, const char* part, Var x, Var state, std::int64_t size, const Where& where);

}  // namespace spool::detail
