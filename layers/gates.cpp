#include <spool/layers/gates.hpp>
#include <spool/ops/elementwise.hpp>
#include <spool/ops/matmul.hpp>
#include <spool/ops/movement.hpp>
#include <spool/ops/norm.hpp>
#include <spool/ops/record.hpp>

#include <fmt/format.h>

#include <cmath>

namespace spool::detail {

namespace {

// One bias with the forget gate's part at `value`.
Fill with_forget(const Fill& rest, int gates, int forget, double value) {
  std::vector<Fill> parts(static_cast<std::size_t>(gates), rest);
  parts[static_cast<std::size_t>(forget)] = fill::constant(value);
  return fill::stacked(std::move(parts));
}

}  // namespace

Fill usual_weight(const Init& init, std::int64_t hidden) {
  if (init.scheme == Scheme::keras) return fill::xavier_uniform();
  const double bound = 1 / std::sqrt(static_cast<double>(hidden));
  return fill::uniform(-bound, bound);
}

GateWeights::GateWeights(const Init& init, const GateSizes& sizes, bool bias, int forget,
                         std::optional<double> forget_bias)
    : weight_ih(init.param("weight_ih", {sizes.gates * sizes.hidden, sizes.input},
                           usual_weight(init, sizes.hidden))),
      weight_hh(
          init.param("weight_hh", {sizes.gates * sizes.hidden, sizes.recurrent},
                     init.scheme == Scheme::keras ? fill::orthogonal() : usual_weight(init, sizes.hidden))) {
  if (!bias) return;
  if (!forget_bias && init.scheme == Scheme::keras) forget_bias = 1;
  Fill ih = init.scheme == Scheme::keras ? fill::zeros() : usual_weight(init, sizes.hidden), hh = ih;
  if (forget >= 0 && forget_bias) {
    ih = with_forget(ih, sizes.gates, forget, *forget_bias);
    hh = with_forget(hh, sizes.gates, forget, 0);
  }
  bias_ih = init.param("bias_ih", {sizes.gates * sizes.hidden}, ih);
  bias_hh = init.param("bias_hh", {sizes.gates * sizes.hidden}, hh);
}

Var GateWeights::inputs(Var x) const { return matmul(x, transpose(x.tape().param(weight_ih))); }

Var GateWeights::recurrent(Var h) const { return matmul(h, transpose(h.tape().param(weight_hh))); }

Var GateWeights::biased(Var y) const {
  if (!bias_ih) return y;
  const Var b_ih = y.tape().param(*bias_ih), b_hh = y.tape().param(*bias_hh);
  return y + slice(b_ih + b_hh, 0, 0, y.shape().back());
}

Params GateWeights::parameters() const {
  Params all{weight_ih, weight_hh};
  if (bias_ih) all.insert(all.end(), {*bias_ih, *bias_hh});
  return all;
}

OptionalNorm::OptionalNorm(const Init& init, std::string_view name, std::int64_t size)
    : weight_(init.param(fmt::format("{}_weight", name), {size}, fill::constant(1))),
      bias_(init.param(fmt::format("{}_bias", name), {size}, fill::zeros())) {}

Var OptionalNorm::operator()(Var x) const {
  if (!weight_) return x;
  const Var weight = x.tape().param(*weight_), bias = x.tape().param(*bias_);
  return layer_norm(x, 1, weight, bias);
}

void OptionalNorm::append_to(Params& params) const {
  if (weight_) params.insert(params.end(), {*weight_, *bias_});
}

void check_input(const char* cell, Var x, std::int64_t input, const Where& where) {
  if (x.shape(where).rank() != 2 || x.shape()[1] != input)
    fail_shape(cell, fmt::format("x must be [B, {}]", input), {x}, where);
}

void check_state(const char* cell, const char* part, Var x, Var state, std::int64_t size,
                 const Where& where) {
  const Shape expected{x.shape()[0], size};
  if (state.shape(where) != expected)
    fail_shape(cell, fmt::format("the state's {} must be {}", part, expected.text()), {state, x}, where);
}

}  // namespace spool::detail
