// Tapes as text and as drawings: a two-step tanh RNN, in full.
#include <spool/spool.hpp>

#include "catch.hpp"

using namespace spool;

namespace {

// h_t = tanh(x_t W + h_{t-1} U + b), twice; the loss is the mean of the last h.
Var record_rnn(Tape& tape, const Param& w, const Param& u, const Param& b) {
  const Scope model(tape, "rnn");
  Var h = tape.constant(0, {1, 2});
  for (int t = 0; t < 2; ++t) {
    const Scope step(tape, "t", t);
    const Var x = tape.input(Shape{1, 3}, t == 0 ? "x0" : "");
    // One op a statement: the order in which a compiler evaluates operands is its own.
    const Var projected = matmul(x, tape.param(w));
    const Var recurrent = matmul(h, tape.param(u));
    const Var bias = tape.param(b);
    h = tanh(projected + recurrent + bias);
  }
  return mean(h);
}

const Param w("weight_ih", Tensor({3, 2})), u("weight_hh", Tensor({2, 2})), b("bias \"b\"", Tensor({2}));

}  // namespace

TEST_CASE("a tape as text") {
  Tape tape;
  record_rnn(tape, w, u, b);
  CHECK(to_text(tape) == R"(   %0 = constant 0                               [1, 2]  in rnn
   %1 = input "x0"                               [1, 3]  in rnn/t=0
   %2 = param "weight_ih"                        [3, 2]  in rnn/t=0
   %3 = matmul(%1, %2) NN                        [1, 2]  in rnn/t=0
   %4 = param "weight_hh"                        [2, 2]  in rnn/t=0
   %5 = matmul(%0, %4) NN                        [1, 2]  in rnn/t=0
   %6 = param "bias "b""                         [2]  in rnn/t=0
   %7 = add(%3, %5)                              [1, 2]  in rnn/t=0
   %8 = broadcast(%6) [1, 2]                     [1, 2]  in rnn/t=0
   %9 = add(%7, %8)                              [1, 2]  in rnn/t=0
  %10 = tanh(%9)                                 [1, 2]  in rnn/t=0
  %11 = input                                    [1, 3]  in rnn/t=1
  %12 = matmul(%11, %2) NN                       [1, 2]  in rnn/t=1
  %13 = matmul(%10, %4) NN                       [1, 2]  in rnn/t=1
  %14 = add(%12, %13)                            [1, 2]  in rnn/t=1
  %15 = add(%14, %8)                             [1, 2]  in rnn/t=1
  %16 = tanh(%15)                                [1, 2]  in rnn/t=1
  %17 = sum(%16) {0, 1}                          [1, 1]  in rnn
  %18 = reshape(%17)                             []  in rnn
  %19 = constant 2                               []  in rnn
  %20 = div(%18, %19)                            []  in rnn
)");
}

TEST_CASE("a tape as a drawing") {
  Tape tape;
  record_rnn(tape, w, u, b);
  CHECK(to_dot(tape) == R"(digraph tape {
  node [shape=box, fontname="sans-serif"];
  subgraph cluster_0 {
    label="rnn";
    n0 [label="constant 0 [1, 2]"];
    n17 [label="sum {0, 1} [1, 1]"];
    n18 [label="reshape []"];
    n19 [label="constant 2 []"];
    n20 [label="div []"];
  }
  subgraph cluster_1 {
    label="rnn/t=0";
    n1 [label="input \"x0\" [1, 3]", style=filled, fillcolor=lightblue];
    n2 [label="param \"weight_ih\" [3, 2]", style=filled, fillcolor=lightblue];
    n3 [label="matmul NN [1, 2]"];
    n4 [label="param \"weight_hh\" [2, 2]", style=filled, fillcolor=lightblue];
    n5 [label="matmul NN [1, 2]"];
    n6 [label="param \"bias \"b\"\" [2]", style=filled, fillcolor=lightblue];
    n7 [label="add [1, 2]"];
    n8 [label="broadcast [1, 2] [1, 2]"];
    n9 [label="add [1, 2]"];
    n10 [label="tanh [1, 2]"];
  }
  subgraph cluster_2 {
    label="rnn/t=1";
    n11 [label="input [1, 3]", style=filled, fillcolor=lightblue];
    n12 [label="matmul NN [1, 2]"];
    n13 [label="matmul NN [1, 2]"];
    n14 [label="add [1, 2]"];
    n15 [label="add [1, 2]"];
    n16 [label="tanh [1, 2]"];
  }
  n1 -> n3;
  n2 -> n3;
  n0 -> n5;
  n4 -> n5;
  n3 -> n7;
  n5 -> n7;
  n6 -> n8;
  n7 -> n9;
  n8 -> n9;
  n9 -> n10;
  n11 -> n12;
  n2 -> n12;
  n10 -> n13;
  n4 -> n13;
  n12 -> n14;
  n13 -> n14;
  n14 -> n15;
  n8 -> n15;
  n15 -> n16;
  n16 -> n17;
  n17 -> n18;
  n18 -> n20;
  n19 -> n20;
}
)");
}

TEST_CASE("a tape in numbers") {
  Tape tape;
  record_rnn(tape, w, u, b);
  const TapeStats s = stats(tape);
  CHECK(s.params == 3);
  CHECK(s.inputs == 2);
  CHECK(s.nodes == tape.size());
  CHECK(s.tape_bytes == tape.bytes());
  CHECK(s.value_bytes == 46 * sizeof(float));
  CHECK(to_text(TapeStats{21, 3, 2, 1857, 184}) ==
        "21 nodes (3 parameters, 2 inputs), 1857 bytes of tape, 184 bytes of values");
}
