#include <spool/layers/linear.hpp>
#include <spool/ops/elementwise.hpp>
#include <spool/ops/matmul.hpp>
#include <spool/ops/movement.hpp>
#include <spool/ops/record.hpp>

#include <fmt/format.h>

#include <cmath>

namespace spool {

namespace {

// Of weight and bias alike: PyTorch's kaiming_uniform with a = sqrt(5) comes to this.
Fill torch_uniform(std::int64_t in) {
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  return fill::uniform(-bound, bound);
}

}  // namespace

Linear::Linear(const Init& init, std::int64_t in, std::int64_t out, LinearOptions options)
    : weight_(init.param("weight", {out, in},
                         init.scheme == Scheme::keras ? fill::xavier_uniform() : torch_uniform(in))) {
  if (options.bias)
    bias_ = init.param("bias", {out}, init.scheme == Scheme::keras ? fill::zeros() : torch_uniform(in));
}

Var Linear::operator()(Var x, Where where) const {
  Tape& tape = x.tape(where);
  const CalledFrom from(tape, where);
  const Shape& s = x.shape();
  const std::int64_t in = weight_.shape()[1];
  if (s.rank() == 0 || s.back() != in)
    fail_shape("Linear", fmt::format("the last axis of x must be {}", in), {x}, where);
  const Var rows = s.rank() == 1 ? reshape(x, {1, in}) : x;
  const Var product = matmul(rows, transpose(tape.param(weight_)));
  const Var y = bias_ ? product + tape.param(*bias_) : product;
  return s.rank() == 1 ? reshape(y, {weight_.shape()[0]}) : y;
}

Params Linear::parameters() const {
  Params all{weight_};
  if (bias_) all.push_back(*bias_);
  return all;
}

}  // namespace spool
