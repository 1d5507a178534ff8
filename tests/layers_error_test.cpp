// What cells and layers refuse, word for word, with the line of the program that called them.
#include <spool/spool.hpp>

#include <limits>

#include "catch.hpp"
#include "error_text.hpp"

using namespace spool;

namespace {

const Init init{.seed = 1};
const double not_a_number = std::numeric_limits<double>::quiet_NaN();

template <class F>
std::string shape_text(F&& f) {
  return here(shape_error(f));
}
template <class F>
std::string tape_text(F&& f) {
  return here(tape_error(f));
}

// A user's cell whose state grows from step to step.
struct GrowingCell {
  Var step(Var x, Var h) const { return concat({x, h}, -1); }
};
struct ListCell {
  std::pair<Var, Vars> step(Var x, Vars s) const {
    s.push_back(x);
    return {x, s};
  }
};

}  // namespace

TEST_CASE("sizes below 1") {
  CHECK(shape_text([] { RnnCell(init, 2, 0); }) ==
        "parameter \"weight_ih\" would be [0, 2]; set the layer's sizes above 0");
  CHECK(shape_text([] { RnnCell(init, 2, -3); }) == "shape [-3, 2]: a size is negative");
  CHECK(shape_text([] { LstmCell(init, 0, 3); }) ==
        "parameter \"weight_ih\" would be [12, 0]; set the layer's sizes above 0");
  CHECK(shape_text([] { GruCell(init, -1, 3); }) == "shape [9, -1]: a size is negative");
  CHECK(shape_text([] { Gru(init.named("encoder"), {.hidden = 3}); }) ==
        "parameter \"encoder.weight_ih_l0\" would be [9, 0]; set the layer's sizes above 0");
  CHECK(shape_text([] { Lstm(init, {.input = 2}); }) ==
        "parameter \"weight_ih_l0\" would be [0, 2]; set the layer's sizes above 0");
  CHECK(shape_text([] { Rnn(init, {.input = 2, .hidden = 3, .layers = 0}); }) ==
        "rnn: layers is 0; it must be 1 or more");
  CHECK(shape_text([] { Lstm(init, {.input = 2, .hidden = 3, .cell = {.proj = 4}}); }) ==
        "LstmCell: proj is 4; it must lie in 0..3 (hidden)");
  CHECK(shape_text([] { LstmCell(init, 2, 3, {.proj = -1}); }) ==
        "LstmCell: proj is -1; it must lie in 0..3 (hidden)");
  CHECK(shape_text([] { LstmCell(init, 2, 3, {.cell_clip = -1}); }) ==
        "LstmCell: cell_clip is -1; it must not be negative");
  CHECK(shape_text([] { LstmCell(init, 2, 3, {.coupled = true, .forget_bias = 1}); }) ==
        "LstmCell: forget_bias is given, but there is no such bias; drop it, or .coupled or .bias = false");
  CHECK(shape_text([] { Linear(init, 2, 0); }) ==
        "parameter \"weight\" would be [0, 2]; set the layer's sizes above 0");
  CHECK(shape_text([] { Embedding(init, 0, 4); }) ==
        "parameter \"weight\" would be [0, 4]; set the layer's sizes above 0");
  CHECK(shape_text([] { Embedding(init, 10, 4, {.padding_idx = -11}); }) ==
        "Embedding: padding_idx -11 is no row of a table of 10");
  CHECK(shape_text([] { Lstm(init, {.input = 2, .hidden = 3}).zero_state(-1); }) ==
        "shape [-1, 3]: a size is negative");
}

TEST_CASE("rates outside 0..1") {
  CHECK(shape_text([] { Lstm(init, {.input = 2, .hidden = 3, .dropout = 1.5}); }) ==
        "lstm: a rate of dropout or zoneout is 1.5; it must lie in 0..1");
  CHECK(shape_text([] {
          Gru(init.named("encoder"), {.input = 2, .hidden = 3, .recurrent_dropout = -0.1});
        }) == "encoder: a rate of dropout or zoneout is -0.1; it must lie in 0..1");
  CHECK(shape_text([] {
          Lstm(init, {.input = 2, .hidden = 3, .zoneout = {0.1, 2}});
        }) == "lstm: a rate of dropout or zoneout is 2; it must lie in 0..1");
  CHECK(shape_text([] { Rnn(init, {.input = 2, .hidden = 3, .dropout = not_a_number}); }) ==
        "rnn: a rate of dropout or zoneout is nan; it must lie in 0..1");
  CHECK(shape_text([] {
          Tape tape;
          const RnnCell cell(init, 2, 3);
          const Var x = tape.input(Shape{4, 2}, "x");
          step(Zoneout{cell, {-1}, true}, x, cell.zero_state(tape, 4));
        }) == "Zoneout: a rate of dropout or zoneout is -1; it must lie in 0..1");
}

TEST_CASE("inputs of another size") {
  Tape tape;
  const Var x = tape.input(Shape{4, 2}, "x"), wide = tape.input(Shape{4, 5}, "wide");
  const RnnCell rnn(init, 2, 3);
  const LstmCell lstm(init, 2, 3);
  const GruCell gru(init, 2, 3);
  CHECK(shape_text([&] { rnn.step(wide, rnn.zero_state(tape, 4)); }) ==
        "RnnCell: x must be [B, 2]\n"
        "  a  input \"wide\"  [4, 5]\n"
        "  recorded here");
  CHECK(shape_text([&] { lstm.step(wide, lstm.zero_state(tape, 4)); }) ==
        "LstmCell: x must be [B, 2]\n"
        "  a  input \"wide\"  [4, 5]\n"
        "  recorded here");
  CHECK(shape_text([&] { gru.step(reshape(x, {8}), gru.zero_state(tape, 4)); }) ==
        "GruCell: x must be [B, 2]\n"
        "  a  reshape  [8]\n"
        "  recorded here");
  CHECK(shape_text([&] { Rnn(init, {.input = 2, .hidden = 3}).unroll(x); }) ==
        "rnn: xs must be [T, B, 2] with at least one step\n"
        "  a  input \"x\"  [4, 2]\n"
        "  recorded here");
  CHECK(shape_text([&] { Lstm(init, {.input = 2, .hidden = 3}).unroll(stack({wide})); }) ==
        "lstm: xs must be [T, B, 2] with at least one step\n"
        "  a  reshape  [1, 4, 5]\n"
        "  recorded here");
  CHECK(shape_text([&] { Linear(init, 2, 3)(wide); }) ==
        "Linear: the last axis of x must be 2\n"
        "  a  input \"wide\"  [4, 5]\n"
        "  recorded here");
  CHECK(shape_text([&] { Linear(init, 2, 3)(tape.constant(1)); }) ==
        "Linear: the last axis of x must be 2\n"
        "  a  constant  []\n"
        "  recorded here");
  CHECK(tape_text([&] { rnn.step(Var(), rnn.zero_state(tape, 4)); }) ==
        "the Var is empty; it refers to no tape\n  used here");
  CHECK(tape_text([&] { Gru(init, {.input = 2, .hidden = 3}).unroll(Var()); }) ==
        "the Var is empty; it refers to no tape\n  used here");
}

TEST_CASE("no steps") {
  Tape tape;
  const Var none = tape.input(Shape{0, 4, 2}, "none"), x = tape.input(Shape{4}, "x");
  const RnnCell cell(init, 2, 3);
  const Var h = cell.zero_state(tape, 4);
  CHECK(shape_text([&] { Lstm(init.named("encoder"), {.input = 2, .hidden = 3}).unroll(none); }) ==
        "encoder: xs must be [T, B, 2] with at least one step\n"
        "  a  input \"none\"  [0, 4, 2]\n"
        "  recorded here");
  CHECK(shape_text([&] { unroll(cell, none, h); }) ==
        "unroll: the steps must be [T, B, ...] with at least one step\n"
        "  a  input \"none\"  [0, 4, 2]\n"
        "  recorded here");
  CHECK(shape_text([&] { unroll(cell, x, h); }) ==
        "unroll: the steps must be [T, B, ...] with at least one step\n"
        "  a  input \"x\"  [4]\n"
        "  recorded here");
  CHECK(shape_text([&] { unroll(cell, Vars{}, h); }) == "stack: needs at least one operand");
}

TEST_CASE("a state that does not fit") {
  Tape tape, other;
  const Var x = tape.input(Shape{4, 2}, "x"), xs = tape.input(Shape{5, 4, 2}, "xs");
  const Var h = tape.input(Shape{4, 3}, "h"), c = tape.input(Shape{3, 3}, "c");
  const RnnCell rnn(init, 2, 3);
  const LstmCell lstm(init, 2, 3), projected(init, 2, 3, {.proj = 2});
  const Lstm two(init, {.input = 2, .hidden = 3, .layers = 2});
  CHECK(shape_text([&] { rnn.step(x, c); }) ==
        "RnnCell: the state's h must be [4, 3]\n"
        "  a  input \"c\"  [3, 3]\n"
        "  b  input \"x\"  [4, 2]\n"
        "  recorded here");
  CHECK(shape_text([&] {
          lstm.step(x, {c, h});
        }) ==
        "LstmCell: the state's h must be [4, 3]\n"
        "  a  input \"c\"  [3, 3]\n"
        "  b  input \"x\"  [4, 2]\n"
        "  recorded here");
  CHECK(shape_text([&] {
          lstm.step(x, {h, c});
        }) ==
        "LstmCell: the state's c must be [4, 3]\n"
        "  a  input \"c\"  [3, 3]\n"
        "  b  input \"x\"  [4, 2]\n"
        "  recorded here");
  CHECK(shape_text([&] {
          projected.step(x, {h, h});
        }) ==
        "LstmCell: the state's h must be [4, 2]\n"
        "  a  input \"h\"  [4, 3]\n"
        "  b  input \"x\"  [4, 2]\n"
        "  recorded here");
  CHECK(shape_text([&] {
          two.unroll(xs, Lstm::State{{h, h}});
        }) == "lstm: the state is of 1 cells; this model has 2");
  CHECK(shape_text([&] { two.unroll(xs, two.initial_state(tape, 3)); }) ==
        "LstmCell: the state's h must be [4, 3]\n"
        "  a  constant  [3, 3]\n"
        "  b  slice     [4, 2]  in lstm/l0/t=0\n"
        "  recorded here");
  CHECK(tape_text([&] { rnn.step(x, rnn.zero_state(other, 4)); }) ==
        "add: the Var belongs to another tape\n  used here");
  CHECK(tape_text([&] { rnn.step(x, Var()); }) == "the Var is empty; it refers to no tape\n  used here");
  CHECK(shape_text([&] { unroll(GrowingCell{}, xs, h, {.lengths = tape.input(Shape{4})}); }) ==
        "unroll with lengths: each part of the state keeps its shape\n"
        "  a  input \"h\"  [4, 3]\n"
        "  b  concat     [4, 5]  in t=0\n"
        "  recorded here");
  CHECK(shape_text([&] { unroll(ListCell{}, xs, Vars{h}, {.lengths = tape.input(Shape{4})}); }) ==
        "unroll with lengths: a state keeps its parts, but 1 became 2");
  CHECK(shape_text([&] {
          step(Zoneout{GrowingCell{}, {0.5}, true}, x, h);
        }) ==
        "Zoneout: each part of the state keeps its shape\n"
        "  a  input \"h\"  [4, 3]\n"
        "  b  concat     [4, 5]\n"
        "  recorded here");
  CHECK(shape_text([&] { step(Residual{rnn}, x, h); }) ==
        "residual: the cell's output must have the shape of x\n"
        "  a  input \"x\"  [4, 2]\n"
        "  b  tanh       [4, 3]\n"
        "  recorded here");
  CHECK(shape_text([&] {
          step(Stack{std::vector{rnn, rnn}}, x, Vars{h});
        }) == "Stack: the state is of 1 cells; this model has 2");
}

TEST_CASE("whether a layer trains must be said where it matters") {
  Tape tape;
  const Var xs = tape.input(Shape{5, 4, 2}, "xs");
  const Lstm dropping(init, {.input = 2, .hidden = 3, .layers = 2, .dropout = 0.5});
  CHECK(tape_text([&] { dropping.unroll(xs); }) ==
        "lstm: it drops values at random; tell unroll {.training = true} or {.training = false}");
  CHECK(tape_text([&] {
          Gru(init.named("decoder"), {.input = 2, .hidden = 3, .recurrent_dropout = 0.5}).unroll(xs);
        }) == "decoder: it drops values at random; tell unroll {.training = true} or {.training = false}");
  CHECK(tape_text([&] { Rnn(init, {.input = 2, .hidden = 3, .zoneout = {0.5}}).unroll(xs); }) ==
        "rnn: it drops values at random; tell unroll {.training = true} or {.training = false}");
  CHECK(dropping.unroll(xs, {.training = false}).ys.shape() == Shape{5, 4, 3});
}

TEST_CASE("lengths that do not fit") {
  Tape tape;
  const Var xs = tape.input(Tensor({5, 2, 2}), "xs");
  const Lstm lstm(init, {.input = 2, .hidden = 3});
  const RnnCell cell(init, 2, 3);
  const Var h = cell.zero_state(tape, 2);
  const auto lengths = [&](double a, double b) { return tape.input(Tensor({2}, {a, b}), "lengths"); };
  const Var three = tape.input(Shape{3}, "three");
  CHECK(shape_text([&] { lstm.unroll(xs, {.lengths = three}); }) ==
        "lengths: must be [2], one for each sequence of the batch\n"
        "  a  input \"three\"  [3]\n"
        "  b  input \"xs\"     [5, 2, 2]\n"
        "  recorded here");
  CHECK(shape_text([&] { unroll(cell, xs, h, {.lengths = tape.constant(5)}); }) ==
        "lengths: must be [2], one for each sequence of the batch\n"
        "  a  constant    []\n"
        "  b  input \"xs\"  [5, 2, 2]\n"
        "  recorded here");
  CHECK(shape_text([&] { mask_past_end(three, lengths(1, 2)); }) ==
        "lengths: the steps must be [T, B, ...]\n"
        "  a  input \"three\"  [3]\n"
        "  recorded here");
  CHECK(tape_text([&] { tape.read(lstm.unroll(xs, {.lengths = lengths(5, 6)}).ys); }) ==
        "lengths: length 6 at position 1 is outside 0..5\n"
        "  a  input \"lengths\"  [2]\n"
        "  recorded here");
  CHECK(tape_text([&] { tape.read(unroll(cell, xs, h, {.lengths = lengths(-1, 5), .reverse = true}).ys); }) ==
        "lengths: length -1 at position 0 is outside 0..5\n"
        "  a  input \"lengths\"  [2]\n"
        "  recorded here");
  CHECK(tape_text([&] { tape.read(unroll(cell, xs, h, {.lengths = lengths(1, 2.5)}).state); }) ==
        "lengths: length 2.5 at position 1 is no whole number\n"
        "  a  input \"lengths\"  [2]\n"
        "  recorded here");
  CHECK(tape_text([&] { tape.read(mask_past_end(xs, lengths(not_a_number, 1))); }) ==
        "lengths: length nan at position 0 is outside 0..5\n"
        "  a  input \"lengths\"  [2]\n"
        "  recorded here");
}
