#include <spool/graph/error.hpp>
#include <spool/layers/conv.hpp>
#include <spool/ops/activation.hpp>
#include <spool/ops/elementwise.hpp>
#include <spool/ops/movement.hpp>
#include <spool/ops/norm.hpp>
#include <spool/ops/record.hpp>
#include <spool/ops/reduce.hpp>

#include <fmt/format.h>

#include <cmath>

namespace spool {

namespace {

// The shape of a convolution's weight, refused where its sizes have no meaning.
Shape weight_shape(const char* layer, std::int64_t in, std::int64_t out, std::int64_t groups,
                   std::initializer_list<std::int64_t> kernel) {
  for (const std::int64_t size : kernel)
    if (size < 1)
      throw ShapeError(fmt::format("{}: a kernel's size is {}; it must be at least 1", layer, size));
  if (in < 1 || out < 1 || groups < 1 || in % groups != 0 || out % groups != 0)
    throw ShapeError(
        fmt::format("{}: in and out must be at least 1 and multiples of groups; they are {}, {} and {}",
                    layer, in, out, groups));
  Shape s{out, in / groups};
  for (const std::int64_t size : kernel) s = s.inserted(s.rank(), size);
  return s;
}

// PyTorch's kaiming_uniform with a = sqrt(5), which comes to this for weight and bias alike.
Fill first_values(const Init& init, const Shape& weight, bool bias) {
  if (init.scheme == Scheme::keras) return bias ? fill::zeros() : fill::xavier_uniform();
  const double bound = 1 / std::sqrt(static_cast<double>(weight.size() / weight[0]));
  return fill::uniform(-bound, bound);
}

Param weight_param(const Init& init, const Shape& shape) {
  return init.param("weight", shape, first_values(init, shape, false));
}

std::optional<Param> bias_param(const Init& init, const Shape& weight, bool wanted) {
  if (!wanted) return {};
  return init.param("bias", {weight[0]}, first_values(init, weight, true));
}

void append(Params& all, const std::optional<Param>& p) {
  if (p) all.push_back(*p);
}

void check_grid(Var grid, const Where& where) {
  if (grid.shape(where).rank() != 4) fail_shape("grid", "the features must be [B, C, H, W]", {grid}, where);
}

}  // namespace

Conv1d::Conv1d(const Init& init, const Conv1dLayer& o)
    : conv_(o.conv),
      weight_(weight_param(init, weight_shape("Conv1d", o.in, o.out, o.conv.groups, {o.kernel}))),
      bias_(bias_param(init, weight_.shape(), o.bias)) {}

Var Conv1d::operator()(Var x, Where where) const {
  Tape& tape = x.tape(where);
  const CalledFrom from(tape, where);
  const Var weight = tape.param(weight_);
  return bias_ ? conv1d(x, weight, tape.param(*bias_), conv_) : conv1d(x, weight, conv_);
}

Params Conv1d::parameters() const {
  Params all{weight_};
  append(all, bias_);
  return all;
}

Conv2d::Conv2d(const Init& init, const Conv2dLayer& o)
    : conv_(o.conv),
      weight_(
          weight_param(init, weight_shape("Conv2d", o.in, o.out, o.conv.groups, {o.kernel.h, o.kernel.w}))),
      bias_(bias_param(init, weight_.shape(), o.bias)) {}

Var Conv2d::operator()(Var x, Where where) const {
  Tape& tape = x.tape(where);
  const CalledFrom from(tape, where);
  const Var weight = tape.param(weight_);
  return bias_ ? conv2d(x, weight, tape.param(*bias_), conv_) : conv2d(x, weight, conv_);
}

Params Conv2d::parameters() const {
  Params all{weight_};
  append(all, bias_);
  return all;
}

Size2 ConvEncoderOptions::grid_size(Size2 picture) const {
  return {picture.h >> channels.size(), picture.w >> channels.size()};
}

ConvEncoder::ConvEncoder(const Init& init, const ConvEncoderOptions& options) : options_(options) {
  if (options.channels.empty()) throw ShapeError("ConvEncoder: needs the channels of at least one block");
  if (options.kernel % 2 == 0)
    throw ShapeError(fmt::format("ConvEncoder: the kernel must be odd, not {}", options.kernel));
  std::int64_t in = options.in;
  for (const std::int64_t out : options.channels) {
    if (options.norm_groups < 0 || (options.norm_groups > 0 && out % options.norm_groups != 0))
      throw ShapeError(
          fmt::format("ConvEncoder: norm_groups must be 0 or divide a block's {} channels, not {}", out,
                      options.norm_groups));
    const Init here = init.named(fmt::format("{}", blocks_.size()));
    Block b{Conv2d(here,
                   {.in = in, .out = out, .kernel = options.kernel, .conv = {.padding = options.kernel / 2}}),
            {},
            {}};
    if (options.norm_groups > 0) {
      const Init norm = here.named("norm");
      b.weight = norm.param("weight", {out}, fill::constant(1));
      b.bias = norm.param("bias", {out}, fill::zeros());
    }
    blocks_.push_back(std::move(b));
    in = out;
  }
}

Var ConvEncoder::operator()(Var x, Where where) const {
  Tape& tape = x.tape(where);
  const CalledFrom from(tape, where);
  const Shape& s = x.shape();
  const std::int64_t least = std::int64_t{1} << blocks_.size();
  if (s.rank() != 4 || s[1] != options_.in || s[2] < least || s[3] < least)
    fail_shape(
        "ConvEncoder",
        fmt::format("the pictures must be [B, {}, H, W] of at least {} x {}", options_.in, least, least), {x},
        where);
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const Scope scope(tape, "conv", static_cast<std::int64_t>(i));
    const Block& b = blocks_[i];
    x = b.conv(x, where);
    if (b.weight) x = group_norm(x, options_.norm_groups, tape.param(*b.weight), tape.param(*b.bias));
    x = max_pool2d(relu(x), {.kernel = 2});
  }
  return x;
}

Params ConvEncoder::parameters() const {
  Params all;
  for (const Block& b : blocks_) {
    const Params some = b.conv.parameters();
    all.insert(all.end(), some.begin(), some.end());
    append(all, b.weight);
    append(all, b.bias);
  }
  return all;
}

Var grid_as_memory(Var grid, Where where) {
  check_grid(grid, where);
  const CalledFrom from(grid.tape(), where);
  const Shape& s = grid.shape();
  return reshape(permute(grid, {2, 3, 0, 1}), Shape{s[2] * s[3], s[0], s[1]});
}

Var grid_mean(Var grid, Where where) {
  check_grid(grid, where);
  const CalledFrom from(grid.tape(), where);
  return mean(grid, {2, 3});
}

}  // namespace spool
