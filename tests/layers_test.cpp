// Layers as a program uses them: cells of the library and of a user over time, states, errors.
#include <spool/spool.hpp>

#include "catch.hpp"

using namespace spool;

TEST_CASE("a small model trains on characters") {
  Init init{.seed = 1};
  const Embedding embed(init.named("embed"), 5, 3);
  const Lstm lstm(init.named("lstm"), {.input = 3, .hidden = 4, .layers = 2, .bidirectional = true});
  const Linear head(init.named("head"), 8, 5);
  Tape tape;
  const std::vector<int> ids{0, 1, 2, 3, 4, 0};
  const auto carried = lstm.zero_state(2);
  auto [ys, state] = lstm.unroll(embed(tape.tokens({3, 2}, ids)), carried.on(tape));
  const Var y = head(ys);
  CHECK(y.shape() == Shape{3, 2, 5});
  CHECK(state.size() == 4);
  const Vars gs = grad(sum(y), parameters(embed, lstm, head));
  tape.run(gs);
}

TEST_CASE("what a call says stands in braces, with and without a state before it") {
  const Init init{.seed = 1};
  const Gru gru(init, {.input = 3, .hidden = 4});
  const Lstm lstm(init, {.input = 3, .hidden = 4});
  Tape tape;
  const Var xs = tape.input(Shape{2, 5, 3});
  CHECK(gru.unroll(xs, {.training = true}).ys == gru.unroll(xs).ys);
  CHECK(gru.unroll(xs, {}).ys == gru.unroll(xs).ys);
  CHECK(lstm.unroll(xs, {.lengths = Var{}}).ys == lstm.unroll(xs).ys);
  CHECK(lstm.unroll(xs, lstm.initial_state(tape, 5), {.training = true}).ys == lstm.unroll(xs).ys);
}

TEST_CASE("zoneout refuses rates that are no probabilities, in training and in evaluation") {
  const RnnCell cell({.seed = 1}, 3, 4);
  Tape tape;
  const Var xs = tape.input(Shape{2, 5, 3}), h = cell.zero_state(tape, 5);
  for (const bool training : {true, false})
    CHECK_THROWS_WITH(unroll(Zoneout{cell, {0.5, -1}, training}, xs, h),
                      "Zoneout: a rate of dropout or zoneout is -1; it must lie in 0..1");
}
