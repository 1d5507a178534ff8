// Prints the tape of an LSTM over two steps and of its gradient: the listing that docs/tape.md explains.
// With the argument "dot" it prints a drawing instead: print_tape dot | dot -Tsvg > tape.svg
#include <spool/spool.hpp>

#include <fmt/format.h>

#include <string_view>

using namespace spool;

int main(int argc, char** argv) {
  const LstmCell cell(Init{.seed = 1}, /*input=*/3, /*hidden=*/2);
  Tape tape;
  const Var xs = tape.input(Shape{2, 1, 3}, "xs");  // 2 steps, 1 sequence, 3 numbers
  const auto [ys, last] = unroll(cell, xs, cell.zero_state(tape, 1));
  const Var loss = sum(square(ys));

  if (argc > 1 && std::string_view(argv[1]) == "dot") {
    fmt::print("{}", to_dot(tape));
    return 0;
  }
  fmt::print("{}", to_text(tape));
  const auto forward = tape.size();
  grad(loss, cell.parameters());
  fmt::print("\n{} nodes forward, {} with the gradient\n", forward, tape.size());
}
