// The reverse walk: what it adds to the tape, how placements join, and what it says of wrong gradient rules.
#include <spool/spool.hpp>

#include <algorithm>

#include "catch.hpp"

using namespace spool;

namespace {

using Numbers = std::vector<double>;

Numbers numbers(Var v) { return v.tape().read(v).doubles(); }

int count(const Tape& tape, std::uint32_t from, std::string_view op) {
  int n = 0;
  for (std::uint32_t id = from; id < tape.size(); ++id) n += tape.op(id).name == op;
  return n;
}

OpDef copy_with(Grads (*rule)(const Step&, Var)) {
  return {
      .name = "copy",
      .arity = 1,
      .kind = Kind::elementwise,
      .shape = shapes::same,
      .eval = map([](auto x) { return x; }),
      .vjp = rule,
  };
}

}  // namespace

TEST_CASE("the gradient of split is one concat") {
  Tape tape;
  const Var x = tape.input(Tensor({2, 8}));
  const auto [a, b, c, d] = split<4>(x);
  const Var loss = sum(sigmoid(a) * b + tanh(c) * d);
  const std::uint32_t before = tape.size();
  grad(loss, x);
  CHECK(count(tape, before, "concat") == 1);
  CHECK(count(tape, before, "place") == 0);
}

TEST_CASE("placements that overlap, leave gaps, cross axes or are empty add up all the same") {
  Tape tape(DType::f64);
  const Var x = tape.input(Tensor({3, 4}, DType::f64));
  const auto gradient = [&](std::initializer_list<Var> parts) {
    Var loss = tape.constant(0);
    for (const Var& p : parts) loss = loss + sum(p);
    return numbers(grad(loss, x));
  };
  const auto rows = [&](std::int64_t begin, std::int64_t end) { return slice(x, 0, begin, end); };
  CHECK(gradient({rows(0, 1), rows(2, 3)}) == Numbers{1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1});
  CHECK(gradient({rows(0, 2), rows(1, 3)}) == Numbers{1, 1, 1, 1, 2, 2, 2, 2, 1, 1, 1, 1});
  CHECK(gradient({rows(1, 2), slice(x, 1, 0, 1)}) == Numbers{1, 0, 0, 0, 2, 1, 1, 1, 1, 0, 0, 0});
  CHECK(gradient({rows(0, 0), rows(0, 3) * 2, rows(3, 3)}) == Numbers(12, 2));
  CHECK(gradient({rows(0, 0), rows(0, 2), rows(2, 2), rows(2, 3)}) == Numbers(12, 1));
  CHECK(gradient({rows(1, 1)}) == Numbers(12, 0));
  CHECK(gradient({x, rows(0, 1), x * 3}) == Numbers{5, 5, 5, 5, 4, 4, 4, 4, 4, 4, 4, 4});
}

TEST_CASE("a user's slice has the gradient that its rule gives, where it has one") {
  OpDef op{
      .name = "rows",
      .arity = 1,
      .kind = Kind::slice,
      .shape = [](const Call& c) -> Shape { return c.shape(0).with(0, c.attr(2) - c.attr(1)); },
      .eval = eval_of([]<class T>(const Args<T>& a) {
        std::copy_n(a.in[0] + a.attrs[1] * (a.in_size(0) / (*a.in_shapes[0])[0]), a.size(), a.out);
      }),
  };
  Tape tape(DType::f64);
  const Var x = tape.input(Tensor({3}, {1, 2, 3}));
  CHECK(numbers(grad(sum(record(op, {x}, {0, 1, 3})), x)) == Numbers{0, 1, 1});
  OpDef reversed = op;
  reversed.vjp = [](const Step& s, Var g) -> Grads { return {place(-g, 0, s.attr(1), s.shape(0)[0])}; };
  CHECK(numbers(grad(sum(record(reversed, {x}, {0, 1, 3})), x)) == Numbers{0, -1, -1});
}

TEST_CASE("a hundred thousand slices of one array are differentiated in no time to speak of") {
  constexpr std::int64_t steps = 100'000;
  Tape tape;
  const Var x = tape.input(Tensor({steps}));
  Vars parts;
  for (std::int64_t i = 0; i < steps; ++i) parts.push_back(tanh(select(x, 0, (i * 7) % steps)));
  CHECK(grad(sum(stack(parts)), x).shape() == Shape{steps});
}

TEST_CASE("what the loss does not depend on has gradient 0") {
  Tape tape(DType::f64);
  const Var x = tape.input(Tensor({2}, {1, 2})), y = tape.input(Tensor({3}));
  const Var loss = sum(x * x);
  const Var later = tanh(x);
  const Vars g = grad(loss, {x, y, later, loss, detach(x), x});
  CHECK(numbers(g[0]) == Numbers{2, 4});
  CHECK(numbers(g[1]) == Numbers{0, 0, 0});
  CHECK(numbers(g[2]) == Numbers{0, 0});
  CHECK(numbers(g[3]) == Numbers{1});
  CHECK(numbers(g[4]) == Numbers{0, 0});
  CHECK(g[5] == g[0]);
  CHECK(grad(loss, Vars{}).empty());
  CHECK(numbers(grad(sum(x * detach(x)), x)) == Numbers{1, 2});
}

TEST_CASE("with respect to an inner node the walk stops there") {
  Tape tape(DType::f64);
  const Var x = tape.input(Tensor({2}, {1, 2})), inner = x * 3, loss = sum(inner * inner);
  const std::uint32_t before = tape.size();
  CHECK(numbers(grad(loss, inner)) == Numbers{6, 12});
  CHECK(count(tape, before, "mul") <= 3);  // none for inner's own rule
  const Vars both = grad(loss, {x, inner});
  CHECK(numbers(both[0]) == Numbers{18, 36});
  CHECK(numbers(both[1]) == Numbers{6, 12});
}

TEST_CASE("only a scalar has a gradient") {
  Tape tape;
  const Var x = tape.input(Tensor({1}));
  CHECK_THROWS_WITH(grad(x, x), "grad: the loss must be a scalar, shape [], not [1]; take its sum or mean");
}

TEST_CASE("a gradient rule that does not fit is named, with the line that recorded its op") {
  static Tape other;
  const auto text = [](const OpDef& op) -> std::string {
    Tape tape;
    const Var x = tape.input(Tensor({3}));
    try {
#line 41 "my_model.cpp"
      const Var y = record(op, {x});
#line 200 "grad_test.cpp"
      grad(sum(y), x);
    } catch (const Error& e) {
      return e.what();
    }
    return "nothing was thrown";
  };
  CHECK(text(copy_with([](const Step&, Var g) -> Grads { return {sum(g)}; })) ==
        "copy: its vjp gave operand 0 of shape [3] a gradient of shape []\n  recorded at my_model.cpp:41");
  CHECK(text(copy_with([](const Step&, Var g) {
          return Grads{g, g};
        })) == "copy: its vjp gave 2 gradients for 1 operands\n  recorded at my_model.cpp:41");
  CHECK(text(copy_with([](const Step&, Var) -> Grads { return {other.input(Tensor({3}))}; })) ==
        "copy: its vjp: the Var belongs to another tape\n  used at my_model.cpp:41");
  OpDef shapeless = copy_with(nullptr);
  shapeless.shape = nullptr;
  CHECK(text(shapeless) == "copy: its OpDef has no shape rule");
}

namespace {
// Attributes: many numbers, so that columns grow while they are passed on.
constexpr OpDef tagged_op{
    .name = "tagged",
    .arity = 1,
    .kind = Kind::elementwise,
    .shape = shapes::same,
    .eval = map([](auto x) { return x; }),
    .vjp = [](const Step& s, Var g) -> Grads {
      const Operand in = g;
      return {record(tagged_op, std::span(&in, 1), s.attrs())};
    },
};
}  // namespace

TEST_CASE("a gradient rule may pass on the attributes of its op") {
  Tape tape;
  std::vector<std::int64_t> attrs(1000);
  for (std::size_t i = 0; i < attrs.size(); ++i) attrs[i] = static_cast<std::int64_t>(i * i);
  const Var first = tape.input(Tensor({2}));
  const Operand in = first;
  const Var x = record(tagged_op, std::span(&in, 1), attrs);
  Var y = sum(x * x);
  for (int order = 0; order < 4; ++order) y = sum(grad(y, first) * first);
  for (std::uint32_t id = 0; id < tape.size(); ++id)
    if (&tape.op(id) == &tagged_op) CHECK(std::ranges::equal(tape.attrs(id), attrs));
}
