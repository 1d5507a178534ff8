#include <spool/graph/error.hpp>
#include <spool/ops/elementwise.hpp>
#include <spool/ops/kernels/softmax_rows.hpp>
#include <spool/ops/movement.hpp>
#include <spool/ops/record.hpp>
#include <spool/ops/softmax.hpp>

namespace spool {

namespace {

template <kernels::SoftmaxKernels::Rows kernels::SoftmaxKernels::*rows,
          void (*plain)(const kernels::Folding&, const float*, float*)>
constexpr Eval quick{.f32 = [](const Args<float>& a) {
  kernels::softmax_quickly<rows, plain>(a.out_shape->dims(), a.attrs, a.in[0], a.out);
}};

// Attributes of both: the axes, ascending.
constexpr OpDef softmax_op{
    .name = "softmax",
    .arity = 1,
    .kind = Kind::other,
    .shape = shapes::same,
    .eval = eval_of([]<class T>(const Args<T>& a) {
      kernels::softmax(kernels::Folding(a.out_shape->dims(), a.attrs), a.in[0], a.out);
    }),
    .vjp = [](const Step& s, Var g) -> Grads {
      const Var y = s.out();
      return {y * (g - sum(g * y, Axes(s.attrs()), true))};
    },
    .fast = quick<&kernels::SoftmaxKernels::softmax, kernels::softmax<float>>,
    .divides = divides::unless_along_rows,
};

constexpr OpDef log_softmax_op{
    .name = "log_softmax",
    .arity = 1,
    .kind = Kind::other,
    .shape = shapes::same,
    .eval = eval_of([]<class T>(const Args<T>& a) {
      kernels::log_softmax(kernels::Folding(a.out_shape->dims(), a.attrs), a.in[0], a.out);
    }),
    .vjp = [](const Step& s, Var g) -> Grads { return {g - exp(s.out()) * sum(g, Axes(s.attrs()), true)}; },
    .fast = quick<&kernels::SoftmaxKernels::log_softmax, kernels::log_softmax<float>>,
    .divides = divides::unless_along_rows,
};

}  // namespace

Var softmax(Operand x, Axes axes) {
  return record(softmax_op, std::span(&x, 1), axes_of("softmax", x, axes));
}

Var masked_softmax(Operand x, Operand mask, Axes axes) {
  const Var v = var_of("masked_softmax", x), m = var_of("masked_softmax", mask, v.tape());
  const CalledFrom from(v.tape(), x.where());
  if (broadcast_shapes(v.shape(), m.shape()) != v.shape())
    fail_shape("masked_softmax", "the mask must broadcast to x", {v, m}, x.where());
  // Not -inf, at which a tape that looks for infinities would stop.
  constexpr double never = -1e30;
  return where(m, softmax(where(m, v, never), axes), 0);
}

Var log_softmax(Operand x, Axes axes) {
  return record(log_softmax_op, std::span(&x, 1), axes_of("log_softmax", x, axes));
}

}  // namespace spool
