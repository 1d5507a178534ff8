// Cells and functions in checkpoints have the gradients that they have without.
#include <spool/spool.hpp>

#include <cmath>
#include <utility>

#include "catch.hpp"
#include "checkpointed.hpp"

using namespace spool;

namespace {

// A user's cell: its state is a pair, its output is none of it.
struct UserCell {
  Param w, u;
  struct State {
    Var a, b;
  };
  std::pair<Var, State> step(Var x, const State& s) const {
    Tape& t = x.tape();
    const Var gate = sigmoid(matmul(x, t.param(w)) + matmul(s.a, transpose(t.param(u))));
    const Var b = gate * s.b + (1 - gate) * s.a * s.a;
    const Var kept = where(bernoulli(t, b.shape(), 0.3), 0.0, b);
    return {kept * exp(-s.a), {tanh(kept), b}};
  }
};

template <class C, class S>
Var loss_of(const C& cell, Var xs, S state) {
  const auto [ys, last] = unroll(cell, xs, std::move(state));
  Var loss = mean(ys * ys);
  for (const Var s : flatten(last)) loss = loss + sum(s * tanh(s));
  return loss;
}

}  // namespace

TEST_CASE("a cell in checkpoints has the gradients that it has without") {
  const std::int64_t T = 7, B = 3, D = 4, H = 5;
  const Init init{.seed = 2};
  const auto check = [&](const auto& cell) {
    const auto zero = [&](Tape& t) { return cell.zero_state(t, B); };
    check_same(
        cell.parameters(), {T, B, D}, [&](Tape& t, Var xs) { return loss_of(cell, xs, zero(t)); },
        [&](Tape& t, Var xs) { return loss_of(checkpoint(cell), xs, zero(t)); });
    check_same(
        cell.parameters(), {T, B, D},
        [&](Tape& t, Var xs) {
          return loss_of(Zoneout{cell, {0.2, 0.1}, true}, xs, zero(t));
        },
        [&](Tape& t, Var xs) {
          return loss_of(Zoneout{checkpoint(cell), {0.2, 0.1}, true}, xs, zero(t));
        });
    check_same(
        cell.parameters(), {T, B, D},
        [&](Tape& t, Var xs) {
          return loss_of(Zoneout{cell, {0.2, 0.1}, true}, xs, zero(t));
        },
        [&](Tape& t, Var xs) {
          return loss_of(checkpoint(Zoneout{cell, {0.2, 0.1}, true}), xs, zero(t));
        });
  };
  check(RnnCell(init, D, H));
  check(GruCell(init, D, H));
  check(LstmCell(init, D, H));
  check(LstmCell(init, D, H, {.peepholes = true, .proj = 3, .layer_norm = true}));
}

TEST_CASE("a user's cell in checkpoints, which draws random numbers") {
  const std::int64_t T = 6, B = 2, H = 3;
  const UserCell cell{Param("w", tensor({H, H})), Param("u", tensor({H, H}))};
  const auto start = [&](Tape& t) {
    return UserCell::State{t.input(tensor({B, H})), t.constant(0.5, {B, H})};
  };
  check_same(
      {cell.w, cell.u}, {T, B, H}, [&](Tape& t, Var xs) { return loss_of(cell, xs, start(t)); },
      [&](Tape& t, Var xs) { return loss_of(checkpoint(cell), xs, start(t)); });
}

TEST_CASE("functions in checkpoints, one inside of the other") {
  const Param w("w", tensor({4, 4}));
  const auto block = [&](Var x) { return tanh(matmul(x, x.tape().param(w) * 0.5) + x); };
  const auto two = [&](Var x) { return block(block(x)) * x; };
  check_same(
      {w}, {3, 4}, [&](Tape&, Var x) { return sum(two(two(x))); },
      [&](Tape&, Var x) {
        const auto inner = [&](Var v) { return checkpoint(block, v); };
        const auto outer = [&](Var v) { return inner(inner(v)) * v; };
        return sum(checkpoint(outer, checkpoint(outer, x)));
      });
  check_same(
      {w}, {3, 4}, [&](Tape&, Var x) { return sum(block(x)); },
      [&](Tape&, Var x) {
        const auto once = [&](Var v) { return checkpoint(block, v); };
        return sum(checkpoint(once, x));
      });
}

TEST_CASE("checkpoints have gradients of second order") {
  const Param w("w", tensor({4, 4}));
  const auto block = [&](Var x) { return tanh(matmul(x, x.tape().param(w)) * x); };
  const auto second = [&](Var loss, Var x) {
    const Var g = grad(loss, x);
    return sum(g * g);
  };
  check_same(
      {w}, {3, 4}, [&](Tape&, Var x) { return second(sum(block(block(x))), x); },
      [&](Tape&, Var x) {
        const auto inner = [&](Var v) { return checkpoint(block, v); };
        return second(sum(checkpoint(inner, inner(x))), x);
      },
      2);
}

TEST_CASE("gradients with respect to what lies inside of a checkpoint") {
  for (const bool with : {false, true}) {
    Tape tape(DType::f64);
    const Var x = tape.input(Tensor({3}, {0.1, 0.2, 0.3}), "x");
    Var input, inner;
    const auto f = [&](Var v) {
      input = v;
      inner = sin(v);
      return inner * inner * v;
    };
    const Var y = with ? checkpoint(f, x) : f(x);
    const Vars g = grad(sum(y * inner), {x, input, inner});
    tape.run(g);
    for (std::size_t i = 0; i < 3; ++i) {
      const double v = 0.1 * static_cast<double>(i + 1), s = std::sin(v);
      CHECK(tape.read(g[2]).at(i) == Approx(3 * s * s * v));
      CHECK(tape.read(g[0]).at(i) == Approx(3 * s * s * v * std::cos(v) + s * s * s));
      CHECK(tape.read(g[1]).at(i) == tape.read(g[0]).at(i));
    }
  }
}

TEST_CASE("inputs that a checkpoint can't start from are refused") {
  CHECK_THROWS_WITH(checkpoint([](Var x) { return x; }, Var()),
                    "checkpoint: there is no input to start from");
  Tape a, b;
  const auto f = [](Var x, Var y) { return x + y; };
  const Var x = a.input(Shape{2}), y = b.input(Shape{2});
  CHECK_THROWS_WITH(checkpoint(f, x, y), "checkpoint: the Var belongs to another tape");
  a.clear();
  CHECK_THROWS_WITH(checkpoint(f, x, x), "checkpoint: the Var is stale; it was recorded before clear()");
}
