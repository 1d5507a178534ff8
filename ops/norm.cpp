#include <spool/ops/elementwise.hpp>
#include <spool/ops/movement.hpp>
#include <spool/ops/norm.hpp>
#include <spool/ops/record.hpp>
#include <spool/ops/reduce.hpp>

#include <fmt/format.h>

namespace spool {

namespace {

// A weight or bias: a number, or an array of the shape `own`.
void check_affine(const char* name, Var x, const Operand& weight, const Operand& bias, const Shape& own) {
  for (const Operand* o : {&weight, &bias})
    if (!o->is_number() && var_of(name, *o, x.tape()).shape() != own)
      fail_shape(name,
                 fmt::format("the {} must be of shape {}", o == &weight ? "weight" : "bias", own.text()),
                 {x, o->var()}, o->where());
}

// y * weight + bias, each reshaped to `spread`.
Var scale_and_shift(Var y, const Operand& weight, const Operand& bias, const Shape& spread) {
  const auto prepared = [&](const Operand& o) { return o.is_number() ? o : Operand(reshape(o, spread)); };
  if (!weight.is_number() || weight.number() != 1) y = y * prepared(weight);
  if (!bias.is_number() || bias.number() != 0) y = y + prepared(bias);
  return y;
}

// All axes of x but that of the channels.
Axes but_channels(const Shape& x) {
  boost::container::small_vector<int, Shape::max_rank> axes;
  for (int i = 0; i < x.rank(); ++i)
    if (i != 1) axes.push_back(i);
  return Axes(axes);
}

// [C] -> [1, C, 1...] for the rank of x.
Shape spread_channels(const Shape& x) {
  Shape s = x;
  for (int i = 0; i < x.rank(); ++i)
    if (i != 1) s = s.with(i, 1);
  return s;
}

Var channels_of(const char* name, const Operand& x) {
  const Var v = var_of(name, x);
  if (v.shape().rank() < 2) fail_shape(name, "needs x [B, C, ...]", {v}, x.where());
  return v;
}

}  // namespace

Var layer_norm(Operand x, int axes, Operand weight, Operand bias, double eps) {
  const Var v = var_of("layer_norm", x);
  const CalledFrom from(v.tape(), x.where());
  const int rank = v.shape().rank();
  if (axes < 1 || axes > rank)
    fail_shape("layer_norm", fmt::format("there are no last {} axes in an array of rank {}", axes, rank), {v},
               x.where());
  boost::container::small_vector<int, Shape::max_rank> last;
  for (int i = rank - axes; i < rank; ++i) last.push_back(i);
  const Shape own(v.shape().dims().last(last.size()));
  check_affine("layer_norm", v, weight, bias, own);
  const Var centred = v - mean(v, Axes(last), /*keepdims=*/true);
  const Var y = centred * rsqrt(mean(square(centred), Axes(last), /*keepdims=*/true) + eps);
  return scale_and_shift(y, weight, bias, own);
}

Var group_norm(Operand x, std::int64_t groups, Operand weight, Operand bias, double eps) {
  const Var v = channels_of("group_norm", x);
  const CalledFrom from(v.tape(), x.where());
  const std::int64_t B = v.shape()[0], C = v.shape()[1];
  if (groups < 1 || C % groups != 0)
    fail_shape("group_norm", fmt::format("{} channels can't be divided into {} groups", C, groups), {v},
               x.where());
  check_affine("group_norm", v, weight, bias, {C});
  const std::int64_t rest = v.shape().with(0, 1).size() / groups;
  const Var y = reshape(layer_norm(reshape(v, {B, groups, rest}), 1, 1, 0, eps), v.shape());
  return scale_and_shift(y, weight, bias, spread_channels(v.shape()));
}

BatchNormed batch_norm(Operand x, Operand weight, Operand bias, double eps) {
  const Var v = channels_of("batch_norm", x);
  const CalledFrom from(v.tape(), x.where());
  const Shape own{v.shape()[1]};
  const std::int64_t count = v.shape().with(1, 1).size();
  if (count < 2)
    fail_shape("batch_norm", "training needs at least two elements in each channel", {v}, x.where());
  check_affine("batch_norm", v, weight, bias, own);
  const Axes axes = but_channels(v.shape());
  const Var centre = mean(v, axes, /*keepdims=*/true);
  const Var centred = v - centre;
  const Var biased = mean(square(centred), axes, /*keepdims=*/true);
  const Var y = scale_and_shift(centred * rsqrt(biased + eps), weight, bias, spread_channels(v.shape()));
  const auto n = static_cast<double>(count);
  return {y, {reshape(centre, own), reshape(biased, own) * (n / (n - 1))}};
}

Var batch_norm(Operand x, const BatchStatistics& statistics, Operand weight, Operand bias, double eps) {
  const Var v = channels_of("batch_norm", x);
  const CalledFrom from(v.tape(), x.where());
  const Shape own{v.shape()[1]}, spread = spread_channels(v.shape());
  for (const Var& s : {statistics.mean, statistics.variance})
    if (var_of("batch_norm", {s, x.where()}, v.tape()).shape() != own)
      fail_shape("batch_norm", fmt::format("statistics must be of shape {}", own.text()), {v, s}, x.where());
  check_affine("batch_norm", v, weight, bias, own);
  const Var y = (v - reshape(statistics.mean, spread)) * rsqrt(reshape(statistics.variance, spread) + eps);
  return scale_and_shift(y, weight, bias, spread);
}

}  // namespace spool
