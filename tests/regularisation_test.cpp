// What drops or keeps values at random in recurrent layers: where it acts, how often it draws, and that a
// user's cell gets the same.
#include <spool/spool.hpp>

#include <cmath>

#include "catch.hpp"

using namespace spool;

namespace {

// The nodes of random ops, in the order of recording.
Vars random_nodes(Tape& tape) {
  Vars found;
  for (std::uint32_t id = 0; id < tape.size(); ++id)
    if (tape.op(id).kind == Kind::random) found.push_back(tape.at(id));
  return found;
}

Tensor numbers(const Shape& shape, std::uint64_t seed) {
  return Init{.seed = seed}.param("x", shape, fill::normal(0, 1)).value();
}

const LayerCall train{.training = true}, evaluate{.training = false};

}  // namespace

TEST_CASE("recurrent dropout has one mask for a whole sequence, each layer and direction its own") {
  const Lstm lstm({.seed = 1},
                  {.input = 3, .hidden = 8, .layers = 2, .bidirectional = true, .recurrent_dropout = 0.5});
  Tape tape;
  const Var xs = tape.input(numbers({5, 6, 3}, 2));
  const Var ys = lstm.unroll(xs, train).ys;
  const Vars masks = random_nodes(tape);
  REQUIRE(masks.size() == 4);
  tape.run({masks[0], masks[1], masks[2], masks[3], ys});
  for (std::size_t i = 0; i < masks.size(); ++i) {
    CHECK(masks[i].shape() == Shape{6, 8});
    for (double m : tape.read(masks[i]).doubles()) CHECK((m == 0 || m == 2));
    for (std::size_t k = 0; k < i; ++k) CHECK(tape.read(masks[i]) != tape.read(masks[k]));
  }
  const Tensor mask = tape.read(masks[0]), out = tape.read(ys);
  tape.run({masks[0], ys});
  CHECK(tape.read(ys) == out);  // the same run is the same
  tape.next_draw();
  CHECK(tape.read(masks[0]) != mask);
  CHECK(tape.read(ys) != out);
}

TEST_CASE("recurrent dropout masks h in the products and nowhere else") {
  const Init init{.seed = 1};
  Tape tape;
  const Var x = tape.input(numbers({4, 3}, 2)), h = tape.input(numbers({4, 5}, 3)),
            c = tape.input(numbers({4, 5}, 4));
  const Var mask = tape.input(numbers({4, 5}, 5));
  const auto sums = [&](const auto& cell, Var from) {  // both products and biases
    const Params p = cell.parameters();
    return matmul(x, transpose(tape.param(p[0]))) + tape.param(p[2]) +
           matmul(from, transpose(tape.param(p[1]))) + tape.param(p[3]);
  };
  const auto distance = [&](Var a, Var b) { return tape.value(max(abs(a - b))); };

  const RnnCell rnn(init, 3, 5);
  CHECK(distance(RecurrentDropout{rnn, mask}.step(x, h), tanh(sums(rnn, h * mask))) < 1e-6);

  const LstmCell lstm(init, 3, 5);
  const auto [i, f, g, o] = split<4>(sums(lstm, h * mask));
  const Var c_next = sigmoid(f) * c + sigmoid(i) * tanh(g);
  const LstmState state = RecurrentDropout{lstm, mask}.step(x, LstmState{h, c});
  CHECK(distance(state.c, c_next) < 1e-6);
  CHECK(distance(state.h, sigmoid(o) * tanh(c_next)) < 1e-6);

  const GruCell gru(init, 3, 5);
  const Params p = gru.parameters();
  const auto from_x = split<3>(matmul(x, transpose(tape.param(p[0]))) + tape.param(p[2]));
  const auto from_h = split<3>(matmul(h * mask, transpose(tape.param(p[1]))) + tape.param(p[3]));
  const Var r = sigmoid(from_x[0] + from_h[0]), z = sigmoid(from_x[1] + from_h[1]);
  const Var n = tanh(from_x[2] + r * from_h[2]);
  CHECK(distance(RecurrentDropout{gru, mask}.step(x, h), (1 - z) * n + z * h) < 1e-6);  // this h is whole
}

TEST_CASE("zoneout keeps elements with its rate, anew at each step") {
  const LstmCell cell({.seed = 1}, 3, 64);
  Tape tape;
  const Var x = tape.input(numbers({64, 3}, 2));
  const LstmState before{tape.input(numbers({64, 64}, 3)), tape.input(numbers({64, 64}, 4))};
  const Zoneout zoned{cell, {0.05, 0.5}, true};
  const LstmState plain = cell.step(x, before), next = zoned.step(x, before);
  tape.run({before.h, before.c, plain.h, plain.c, next.h, next.c});
  const auto kept = [&](Var old, Var fresh, Var mixed) {
    double count = 0;
    for (std::size_t i = 0; i < 64 * 64; ++i) {
      const double v = tape.read(mixed).at(i);
      const bool is_old = v == tape.read(old).at(i);
      CHECK((is_old || v == tape.read(fresh).at(i)));
      count += is_old ? 1 : 0;
    }
    return count / (64 * 64);
  };
  CHECK(kept(before.h, plain.h, next.h) == Approx(0.05).margin(0.015));
  CHECK(kept(before.c, plain.c, next.c) == Approx(0.5).margin(0.04));

  const Gru gru({.seed = 1}, {.input = 3, .hidden = 4, .zoneout = {0.3}});
  Tape steps;
  gru.unroll(steps.input(numbers({7, 2, 3}, 2)), train);
  const Vars masks = random_nodes(steps);
  CHECK(masks.size() == 7);
  steps.run(masks);
  CHECK(steps.read(masks[0]) != steps.read(masks[1]));
}

TEST_CASE("zoneout refuses a state that changes its shape, and without rates does nothing") {
  struct Growing {
    Var step(Var x, Var h) const { return concat({h, x}, 1); }
    Var output(Var h) const { return slice(h, 1, 0, 1); }
  };
  Tape tape;
  const Var xs = tape.input(Shape{2, 4, 3}), h = tape.input(Shape{4, 1});
  CHECK(unroll(Growing{}, xs, h).state.shape() == Shape{4, 7});
  CHECK_THROWS_WITH(unroll(Zoneout{Growing{}, {0.5}, true}, xs, h),
                    Catch::StartsWith("Zoneout: each part of the state keeps its shape\n"));
  const RnnCell cell({.seed = 1}, 3, 1);
  CHECK(unroll(Zoneout{cell, {}, true}, xs, h).state == unroll(cell, xs, h).state);
}

TEST_CASE("dropout acts between layers, never after the last, and only in training") {
  const Init init{.seed = 1};
  const auto options = [](double dropout, std::int64_t layers) {
    return Rnn::Options{.input = 3, .hidden = 4, .layers = layers, .dropout = dropout};
  };
  const Tensor x = numbers({5, 2, 3}, 2);
  const auto run = [&](const Rnn& rnn, const LayerCall& call, std::size_t masks) {
    Tape tape;
    const Var ys = rnn.unroll(tape.input(x), call).ys;
    CHECK(random_nodes(tape).size() == masks);
    return tape.read(ys);
  };
  const Rnn three({.seed = 1}, options(0.5, 3)), plain({.seed = 1}, options(0, 3)),
      one({.seed = 1}, options(0.5, 1));
  CHECK(run(three, train, 2) != run(plain, {}, 0));
  CHECK(run(three, evaluate, 0) == run(plain, {}, 0));
  CHECK(run(one, train, 0) == run(one, evaluate, 0));

  // With everything dropped, the second layer sees zeros: what it says of zeros is the output.
  const Rnn all({.seed = 1}, options(1, 2));
  Tape tape;
  const Var zeros = tape.constant(0, {5, 2, 4});
  const Tensor want = tape.read(unroll(all.cells()[1], zeros, tape.constant(0, {2, 4})).ys);
  Tape other;
  CHECK(other.read(all.unroll(other.input(x), train).ys) == want);
}

TEST_CASE("a layer that drops values must be told whether it trains; others need not") {
  const auto text = [](const std::string& name) {
    return name + ": it drops values at random; tell unroll {.training = true} or {.training = false}";
  };
  const Init init{.seed = 1};
  Tape tape;
  const Var xs = tape.input(Shape{2, 1, 3});
  CHECK_THROWS_WITH(Gru(init, {.input = 3, .hidden = 4, .dropout = 0.1}).unroll(xs), text("gru"));
  CHECK_THROWS_WITH(Rnn(init.named("top"), {.input = 3, .hidden = 4, .zoneout = {0.1}}).unroll(xs),
                    text("top"));
  CHECK_THROWS_WITH(Lstm(init, {.input = 3, .hidden = 4, .recurrent_dropout = 0.1}).unroll(xs), text("lstm"));
  CHECK_NOTHROW(Lstm(init, {.input = 3, .hidden = 4}).unroll(xs));
  CHECK_THROWS_WITH(Lstm(init, {.input = 3, .hidden = 4, .dropout = 1.5}),
                    "lstm: a rate of dropout or zoneout is 1.5; it must lie in 0..1");
}

namespace {

struct MemoryState {
  Var memory, count;
};

// A cell in a user's program: a decaying memory, and a count of steps.
struct MemoryCell {
  using State = MemoryState;
  struct Options {
    double decay = 0.9;
  };
  Param w;
  Options options;
  MemoryCell(const Init& init, std::int64_t input, std::int64_t hidden, Options o)
      : w(init.param("w", {input, hidden}, fill::xavier_uniform())), options(o) {}

  State step(Var x, State s) const {
    return {s.memory * options.decay + tanh(matmul(x, x.tape().param(w))), s.count + 1};
  }
  Var output(const State& s) const { return s.memory; }
  State zero_state(Tape& tape, std::int64_t batch) const {
    return {tape.constant(0, {batch, output_size()}), tape.constant(0, {batch, 1})};
  }
  Params parameters() const { return {w}; }
  std::int64_t output_size() const { return w.shape()[1]; }
};

}  // namespace

TEST_CASE("a user's cell makes a layer like the library's") {
  using Memory = Recurrent<MemoryCell>;
  const Memory layer({.seed = 1}, {.input = 3,
                                   .hidden = 4,
                                   .layers = 2,
                                   .bidirectional = true,
                                   .zoneout = {0.2},
                                   .residual = true,
                                   .learn_initial_state = true,
                                   .cell = {.decay = 0.5}});
  std::vector<std::string> names;
  for (const Param& p : layer.parameters()) names.push_back(p.name());
  CHECK(names == std::vector<std::string>{"w_l0", "w_l0_reverse", "w_l1", "w_l1_reverse", "initial_0_l0",
                                          "initial_1_l0", "initial_0_l0_reverse", "initial_1_l0_reverse",
                                          "initial_0_l1", "initial_1_l1", "initial_0_l1_reverse",
                                          "initial_1_l1_reverse"});
  Tape tape;
  const Var xs = tape.input(numbers({5, 2, 3}, 2));
  const auto [ys, state] = layer.unroll(xs, evaluate);

  // The same by hand.
  const auto start = layer.initial_state(tape, 2);
  Var below = xs;
  for (std::size_t l = 0; l < 2; ++l) {
    Vars both;
    for (std::size_t d = 0; d < 2; ++d) {
      const Zoneout cell{layer.cells()[2 * l + d], {0.2}, false};
      both.push_back(unroll(cell, below, start[2 * l + d], {.reverse = d == 1}).ys);
    }
    const Var out = concat(both, -1);
    below = l == 1 ? out + below : out;
  }
  CHECK(tape.read(ys) == tape.read(below));
  CHECK(tape.value(max(abs(grad(sum(ys), layer.parameters()).back()))) == 0);  // counts reach no output
  CHECK(tape.value(max(abs(grad(sum(ys), layer.parameters())[4]))) > 0);

  CHECK_THROWS_WITH(Memory({.seed = 1}, {.input = 3, .hidden = 4, .recurrent_dropout = 0.1}),
                    "recurrent: recurrent_dropout needs a cell with step_from(h_in, x, state, where)");
}
