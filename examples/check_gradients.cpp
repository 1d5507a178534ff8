// Verifying gradients: a function, a cell's state and a whole model are right, and a wrong rule is caught.
// What this prints is the listing that docs/gradients.md explains.
#include <spool/spool.hpp>

#include <fmt/format.h>

using namespace spool;

// x^3, with a slip of the pen in its rule: 3x instead of 3x^2.
constexpr OpDef cube_op{
    .name = "cube",
    .arity = 1,
    .kind = Kind::elementwise,
    .shape = shapes::same,
    .eval = map([](auto x) { return x * x * x; }),
    .vjp = [](const Step& s, Var g) -> Grads { return {g * 3 * s.in(0)}; },
};
Var cube(Operand x) { return record(cube_op, {x}); }

int main() {
  const Tensor x({3}, {0.5, -1, 2});
  const GradReport wrong = grad_check([](Tape&, const Vars& in) { return cube(in[0]); }, {x});
  fmt::print("A wrong rule. {}\n", wrong.text());

  const GradReport kink =
      grad_check([](Tape&, const Vars& in) { return relu(in[0]); }, {Tensor({2}, {1, 0})});
  fmt::print("A kink. {}\n", kink.text());

  const Init init{.seed = 1};
  const GruCell cell(init.named("gru"), 2, 3);
  struct Inputs {
    Var x, h;
  };
  Tape tape(DType::f64);
  const Inputs at{tape.input(Tensor({1, 2}, {0.3, -0.7})), tape.input(Tensor({1, 3}, {0.1, 0, -0.2}))};
  const GradReport state = grad_check_state([&](Tape&, const Inputs& in) { return cell.step(in.x, in.h); },
                                            at, {.order = 2, .names = {"x", "h"}});
  fmt::print("One step of a cell. {}\n", state.text());

  const Linear head(init.named("head"), 3, 1);
  const auto loss = [&](Tape& t) {
    const Var xs = t.input(Tensor({4, 1, 2}, {0.1, 0.2, -0.4, 0.8, 0.9, -0.3, 0, 0.5}));
    return mse_loss(head(unroll(cell, xs, cell.zero_state(t, 1)).state), t.constant(1, {1, 1}));
  };
  const GradReport model = grad_check(loss, parameters(cell, head), {.quad = true});
  fmt::print("A model. {}", model.text());
  return !wrong && !kink && state && model ? 0 : 1;
}
