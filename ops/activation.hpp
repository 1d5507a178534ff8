// Activation functions. Names, parameters and defaults are PyTorch's; so are the gradients at kinks, given
// with each function. tanh is in ops/elementwise.hpp. All are right at +-1e4 in every precision.
// TapeError when the operand is a plain number.
#pragma once

#include <spool/graph/op.hpp>
#include <spool/graph/tape.hpp>

#include <cstdint>

namespace spool {

/// 1 / (1 + exp(-x))
Var sigmoid(Operand x);
/// g y (1 - y): the gradient that sigmoid passes on, y being its result. One op, since every cell needs it.
Var sigmoid_grad(Operand g, Operand y);
/// log(sigmoid(x))
Var log_sigmoid(Operand x);
/// slope x + offset held within 0..1; gradient 0 at both bends. PyTorch's by default; Keras has slope 0.2,
/// and ONNX's alpha and beta are slope and offset.
Var hard_sigmoid(Operand x, double slope = 1.0 / 6, double offset = 0.5);

/// max(x, 0), gradient 0 at 0.
Var relu(Operand x);
/// x above 0, slope x below; at 0 the gradient is slope.
Var leaky_relu(Operand x, double slope = 0.01);
/// x above alpha, else 0; gradient 0 at alpha.
Var thresholded_relu(Operand x, double alpha = 1.0);
/// x above 0, alpha (exp(x) - 1) below (Clevert et al. 2015); at 0 the gradient is alpha.
Var elu(Operand x, double alpha = 1.0);
/// gamma elu(x, alpha) (Klambauer et al. 2017; the default numbers are theirs).
Var selu(Operand x, double alpha = 1.6732632423543772, double gamma = 1.0507009873554805);

enum class Gelu : std::uint8_t { erf, tanh };
/// x Phi(x), Phi being the normal distribution's; or its approximation by tanh (Hendrycks, Gimpel 2016).
Var gelu(Operand x, Gelu form = Gelu::erf);
/// x sigmoid(x), also called swish.
Var silu(Operand x);
/// log(1 + exp(beta x)) / beta, and x itself where beta x > threshold, as PyTorch does. An infinite threshold
/// gives the exact function everywhere. TapeError for beta = 0.
Var softplus(Operand x, double beta = 1.0, double threshold = 20.0);

/// x held within low..high, with gradient 0 at the bounds (unlike clamp). TapeError when low > high.
Var hard_tanh(Operand x, double low = -1.0, double high = 1.0);
/// x / (1 + |x|)
Var softsign(Operand x);
/// alpha x + beta
Var affine(Operand x, double alpha, double beta = 0.0);
/// alpha tanh(beta x)
Var scaled_tanh(Operand x, double alpha, double beta);

}  // namespace spool
