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
