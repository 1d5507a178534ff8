#include <spool/ops/conv.hpp>
#include <spool/ops/elementwise.hpp>
#include <spool/ops/im2col.hpp>
#include <spool/ops/index.hpp>
#include <spool/ops/matmul.hpp>
#include <spool/ops/movement.hpp>
#include <spool/ops/record.hpp>
#include <spool/ops/reduce.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

namespace spool {

namespace {

using Dims = boost::container::small_vector<std::int64_t, Shape::max_rank>;
using Windows = std::span<const Window>;

Shape shape_of(std::initializer_list<std::int64_t> first, std::span<const std::int64_t> rest) {
  Dims dims(first.begin(), first.end());
  dims.insert(dims.end(), rest.begin(), rest.end());
  return Shape(std::span<const std::int64_t>(dims.data(), dims.size()));
}

// [C, B, counts...] -> [B, C, counts...]
Var batch_first(Var x) {
  std::array<int, Shape::max_rank> order{1, 0};
  for (int i = 2; i < x.shape().rank(); ++i) order[static_cast<std::size_t>(i)] = i;
  return permute(x, std::span(order.data(), static_cast<std::size_t>(x.shape().rank())));
}

void check_channels(const char* name, Var x, Var weight, std::int64_t groups, const Where& where) {
  const std::int64_t in = x.shape()[1], out = weight.shape()[0];
  if (groups < 1 || in % groups != 0 || out % groups != 0)
    fail_shape(name,
               fmt::format("{} input and {} output channels do not fall into {} groups", in, out, groups),
               {x, weight}, where);
  if (weight.shape()[1] != in / groups)
    fail_shape(name,
               fmt::format("the weight is for {} input channels in a group; x has {}", weight.shape()[1],
                           in / groups),
               {x, weight}, where);
}

// One matrix product for the whole batch: weight [O, C * kernels] x columns [C * kernels, B * counts], or one
// for each group. `windows` come without kernels, which are the weight's.
Var conv(const char* name, const Operand& x, const Operand& weight, std::span<Window> windows,
         std::int64_t groups) {
  const Var v = var_of(name, x), w = var_of(name, weight, v.tape());
  const CalledFrom from(v.tape(), x.where());
  const int rank = static_cast<int>(windows.size()) + 2;
  if (v.shape().rank() != rank || w.shape().rank() != rank)
    fail_shape(name, fmt::format("x and weight must be of rank {}", rank), {v, w}, x.where());
  for (std::size_t i = 0; i < windows.size(); ++i) windows[i].kernel = w.shape()[static_cast<int>(i) + 2];
  if (const std::string mistake = window_mistake(v.shape(), windows); !mistake.empty())
    fail_shape(name, mistake, {v, w}, x.where());
  check_channels(name, v, w, groups, x.where());

  const Shape ws = w.shape();
  const std::int64_t out = ws[0], taps = ws.without(0).size();
  const Var columns = im2col(v, windows);
  const auto counts = columns.shape().dims().subspan(windows.size() + 1);  // [B, counts...]
  const std::int64_t places = shape_of({}, counts).size();
  const Var y = groups == 1 ? matmul(reshape(w, {out, taps}), reshape(columns, {taps, places}))
                            : matmul(reshape(w, {groups, out / groups, taps}),
                                     reshape(columns, {groups, taps, places}));
  return batch_first(reshape(y, shape_of({out}, counts)));
}

Var add_bias(const char* name, Var y, const Operand& bias) {
  const Var b = var_of(name, bias, y.tape());
  const std::int64_t channels = y.shape()[1];
  if (b.shape() != Shape{channels})
    fail_shape(name, fmt::format("the bias must be of shape [{}]", channels), {b}, bias.where());
  const CalledFrom from(y.tape(), bias.where());
  Shape spread = y.shape().with(0, 1);
  for (int i = 2; i < spread.rank(); ++i) spread = spread.with(i, 1);
  return y + reshape(b, spread);
}

// The windows as columns [C, taps, B, counts...].
Var pool_columns(const char* name, const Operand& x, Windows windows, double fill) {
  const Var v = var_of(name, x);
  std::string mistake = window_mistake(v.shape(), windows);
  for (const Window& w : windows)
    if (mistake.empty() && 2 * w.padding > w.kernel)
      mistake = fmt::format("padding {} is more than half the kernel {}", w.padding, w.kernel);
  if (!mistake.empty()) fail_shape(name, mistake, {v}, x.where());
  const Var columns = im2col(x, windows, fill);
  std::int64_t taps = 1;
  for (const Window& w : windows) taps *= w.kernel;
  return reshape(columns, shape_of({v.shape()[1], taps}, columns.shape().dims().subspan(windows.size() + 1)));
}

// The windows of an image of ones, the same for every sequence and channel: 1 inside, 0 in the padding.
Var inside_columns(const char* name, Var x, Windows windows) {
  return pool_columns(name, x.tape().constant(1, x.shape().with(0, 1).with(1, 1)), windows, 0);
}

// Where a window holds nothing above -inf, the padding would win; then its first element inside does.
Var max_pool(const char* name, const Operand& x, Windows windows) {
  const Var v = var_of(name, x);
  const CalledFrom from(v.tape(), x.where());
  constexpr double lowest = -std::numeric_limits<double>::infinity();
  const Var columns = pool_columns(name, x, windows, lowest);
  Var chosen = argmax(columns, 1, /*keepdims=*/true);
  if (std::ranges::any_of(windows, [](const Window& w) { return w.padding > 0; })) {
    const Var inside = argmax(inside_columns(name, v, windows), 1, /*keepdims=*/true);
    chosen = where(eq(gather(columns, chosen, 1), lowest), inside, chosen);
  }
  return batch_first(reshape(gather(columns, chosen, 1), columns.shape().without(1)));
}

Var avg_pool(const char* name, const Operand& x, Windows windows, bool count_include_pad) {
  const CalledFrom from(var_of(name, x).tape(), x.where());
  const Var columns = pool_columns(name, x, windows, 0);
  if (count_include_pad) return batch_first(mean(columns, 1));
  const Var counts = sum(inside_columns(name, x.var(), windows), 1);
  return batch_first(sum(columns, 1) / counts);
}

std::array<Window, 1> windows_of(const Conv1dOptions& o) {
  return {{{.stride = o.stride, .padding = o.padding, .dilation = o.dilation}}};
}

std::array<Window, 2> windows_of(const Conv2dOptions& o) {
  return {{{.stride = o.stride.h, .padding = o.padding.h, .dilation = o.dilation.h},
           {.stride = o.stride.w, .padding = o.padding.w, .dilation = o.dilation.w}}};
}

std::array<Window, 1> windows_of(const Pool1dOptions& o) {
  return {{{o.kernel, o.stride, o.padding, o.dilation}}};
}

std::array<Window, 2> windows_of(const Pool2dOptions& o) {
  return {{{o.kernel.h, o.stride.h, o.padding.h, o.dilation.h},
           {o.kernel.w, o.stride.w, o.padding.w, o.dilation.w}}};
}

}  // namespace

Var conv1d(Operand x, Operand weight, const Conv1dOptions& options) {
  auto windows = windows_of(options);
  return conv("conv1d", x, weight, windows, options.groups);
}

Var conv1d(Operand x, Operand weight, Operand bias, const Conv1dOptions& options) {
  return add_bias("conv1d", conv1d(x, weight, options), bias);
}

Var conv2d(Operand x, Operand weight, const Conv2dOptions& options) {
  auto windows = windows_of(options);
  return conv("conv2d", x, weight, windows, options.groups);
}

Var conv2d(Operand x, Operand weight, Operand bias, const Conv2dOptions& options) {
  return add_bias("conv2d", conv2d(x, weight, options), bias);
}

Var max_pool1d(Operand x, const Pool1dOptions& options) {
  return max_pool("max_pool1d", x, windows_of(options));
}

Var max_pool2d(Operand x, const Pool2dOptions& options) {
  return max_pool("max_pool2d", x, windows_of(options));
}

Var avg_pool1d(Operand x, const Pool1dOptions& options, bool count_include_pad) {
  return avg_pool("avg_pool1d", x, windows_of(options), count_include_pad);
}

Var avg_pool2d(Operand x, const Pool2dOptions& options, bool count_include_pad) {
  return avg_pool("avg_pool2d", x, windows_of(options), count_include_pad);
}

}  // namespace spool
