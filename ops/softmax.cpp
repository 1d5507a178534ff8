#include <spool/ops/elementwise.hpp>
#include <spool/ops/kernels/softmax_rows.hpp>
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

Var log_softmax(Operand x, Axes axes) {
  return record(log_softmax_op, std::span(&x, 1), axes_of("log_softmax", x, axes));
}

}  // namespace spool
