// Prints the plan of one training step of a small LSTM: what runs, what was joined, and why not more.
#include <spool/spool.hpp>

#include <fmt/format.h>

using namespace spool;

int main() {
  const Init init{.seed = 1};
  const Embedding table(init.named("table"), 5, 4);
  const Lstm lstm(init, {.input = 4, .hidden = 8});
  const Linear head(init.named("head"), 8, 5);

  Tape tape;
  const Var x = tape.tokens({3, 4}, {0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1});  // [T,B]
  const Var loss = cross_entropy(head(lstm.unroll(table(x)).ys), x);
  Vars wanted = grad(loss, parameters(table, lstm, head));
  wanted.push_back(loss);
  fmt::print("{}", tape.explain_plan(wanted));
}
