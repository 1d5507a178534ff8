#include <spool/ops/elementwise.hpp>
#include <spool/ops/record.hpp>

#include <cmath>

namespace spool {

namespace {

constexpr OpDef add_op{
    .name = "add",
    .arity = 2,
    .kind = Kind::elementwise,
    .shape = shapes::same,
    .eval = map([](auto x, auto y) { return x + y; }),
    .vjp = [](const Step&, Var g) -> Grads {
      return {g, g};
    },
};

constexpr OpDef sub_op{
    .name = "sub",
    .arity = 2,
    .kind = Kind::elementwise,
    .shape = shapes::same,
    .eval = map([](auto x, auto y) { return x - y; }),
    .vjp = [](const Step& s, Var g) -> Grads {
      return {g, s.needs(1) ? -g : Var{}};
    },
};

constexpr OpDef mul_op{
    .name = "mul",
    .arity = 2,
    .kind = Kind::elementwise,
    .shape = shapes::same,
    .eval = map([](auto x, auto y) { return x * y; }),
    .vjp = [](const Step& s, Var g) -> Grads {
      return {s.needs(0) ? g * s.in(1) : Var{}, s.needs(1) ? g * s.in(0) : Var{}};
    },
};

constexpr OpDef div_op{
    .name = "div",
    .arity = 2,
    .kind = Kind::elementwise,
    .shape = shapes::same,
    .eval = map([](auto x, auto y) { return x / y; }),
    .vjp = [](const Step& s, Var g) -> Grads {
      const Var gx = g / s.in(1);
      return {gx, s.needs(1) ? -(gx * s.out()) : Var{}};
    },
};

constexpr OpDef neg_op{
    .name = "neg",
    .arity = 1,
    .kind = Kind::elementwise,
    .shape = shapes::same,
    .eval = map([](auto x) { return -x; }),
    .vjp = [](const Step&, Var g) -> Grads { return {-g}; },
};

constexpr OpDef exp_op{
    .name = "exp",
    .arity = 1,
    .kind = Kind::elementwise,
    .shape = shapes::same,
    .eval = map([](auto x) {
      using std::exp;
      return exp(x);
    }),
    .vjp = [](const Step& s, Var g) -> Grads { return {g * s.out()}; },
};

constexpr OpDef log_op{
    .name = "log",
    .arity = 1,
    .kind = Kind::elementwise,
    .shape = shapes::same,
    .eval = map([](auto x) {
      using std::log;
      return log(x);
    }),
    .vjp = [](const Step& s, Var g) -> Grads { return {g / s.in(0)}; },
};

constexpr OpDef tanh_op{
    .name = "tanh",
    .arity = 1,
    .kind = Kind::elementwise,
    .shape = shapes::same,
    .eval = map([](auto x) {
      using std::tanh;
      return tanh(x);
    }),
    .vjp = [](const Step& s, Var g) -> Grads { return {g * (1 - s.out() * s.out())}; },
};

constexpr OpDef sigmoid_op{
    .name = "sigmoid",
    .arity = 1,
    .kind = Kind::elementwise,
    .shape = shapes::same,
    .eval = map([](auto x) {
      using std::exp;
      return 1 / (1 + exp(-x));
    }),
    .vjp = [](const Step& s, Var g) -> Grads { return {g * s.out() * (1 - s.out())}; },
};

constexpr OpDef detach_op{
    .name = "detach",
    .arity = 1,
    .kind = Kind::elementwise,
    .shape = shapes::same,
    .eval = map([](auto x) { return x; }),
};

}  // namespace

Var operator+(Operand a, Operand b) { return record_broadcast(add_op, {a, b}); }
Var operator-(Operand a, Operand b) { return record_broadcast(sub_op, {a, b}); }
Var operator*(Operand a, Operand b) { return record_broadcast(mul_op, {a, b}); }
Var operator/(Operand a, Operand b) { return record_broadcast(div_op, {a, b}); }
Var operator-(Operand x) { return record(neg_op, {x}); }

Var exp(Operand x) { return record(exp_op, {x}); }
Var log(Operand x) { return record(log_op, {x}); }
Var tanh(Operand x) { return record(tanh_op, {x}); }
Var sigmoid(Operand x) { return record(sigmoid_op, {x}); }
Var detach(Operand x) { return record(detach_op, {x}); }

}  // namespace spool
