// What cells leave on the tape: the nodes of one step, in an order that no compiler may change; how many each
// step costs; the line that an error shows; and what counts as a cell.
#include <spool/spool.hpp>

#include "catch.hpp"

#include <regex>

using namespace spool;

namespace {

std::string ops_of(const Tape& tape) {
  std::string text;
  for (std::uint32_t id = 0; id < tape.size(); ++id)
    text += (id == 0 ? "" : " ") + std::string(tape.op(id).name);
  return text;
}

template <class C>
std::string step_text(typename C::Options options) {
  const C cell({.seed = 1}, 2, 3, options);
  Tape tape;
  const Var x = tape.input(Shape{4, 2}, "x");
  cell.step(x, cell.zero_state(tape, 4));
  return "\n" + to_text(tape);
}

// Nodes that one more step adds.
template <class R>
std::uint32_t nodes_of_a_step(typename R::Options options, bool ragged = false) {
  const auto nodes = [&](std::int64_t steps) {
    options.input = 2;
    options.hidden = 3;
    const R layer({.seed = 1}, options);
    Tape tape;
    const Var lengths = ragged ? tape.input(Shape{4}) : Var{};
    layer.unroll(tape.input(Shape{steps, 4, 2}), {.lengths = lengths, .training = true});
    return tape.size();
  };
  return nodes(7) - nodes(6);
}

template <class R>
std::string gradient_ops(typename R::Options options) {
  options.input = 2;
  options.hidden = 3;
  const R layer({.seed = 1}, options);
  Tape tape;
  const auto [ys, state] = layer.unroll(tape.input(Shape{2, 4, 2}));
  grad(sum(ys), layer.parameters());
  return ops_of(tape);
}

int line_of(const std::string& message) {
  std::smatch found;
  REQUIRE(std::regex_search(message, found, std::regex(R"(cell_recording_test\.cpp:(\d+))")));
  return std::stoi(found[1]);
}

template <class F>
int error_line(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return line_of(e.what());
  }
  return 0;
}

}  // namespace

TEST_CASE("one step of each cell records these nodes in this order") {
  CHECK(step_text<RnnCell>({}) == R"(
   %0 = input "x"                                [4, 2]
   %1 = constant 0                               [4, 3]
   %2 = param "weight_ih"                        [3, 2]
   %3 = permute(%2) {1, 0}                       [2, 3]
   %4 = matmul(%0, %2) NT                        [4, 3]
   %5 = param "weight_hh"                        [3, 3]
   %6 = permute(%5) {1, 0}                       [3, 3]
   %7 = matmul(%1, %5) NT                        [4, 3]
   %8 = add(%4, %7)                              [4, 3]
   %9 = param "bias_ih"                          [3]
  %10 = param "bias_hh"                          [3]
  %11 = add(%9, %10)                             [3]
  %12 = broadcast(%11) [4, 3]                    [4, 3]
  %13 = add(%8, %12)                             [4, 3]
  %14 = tanh(%13)                                [4, 3]
)");
  CHECK(step_text<LstmCell>({}) == R"(
   %0 = input "x"                                [4, 2]
   %1 = constant 0                               [4, 3]
   %2 = param "weight_ih"                        [12, 2]
   %3 = permute(%2) {1, 0}                       [2, 12]
   %4 = matmul(%0, %2) NT                        [4, 12]
   %5 = param "weight_hh"                        [12, 3]
   %6 = permute(%5) {1, 0}                       [3, 12]
   %7 = matmul(%1, %5) NT                        [4, 12]
   %8 = add(%4, %7)                              [4, 12]
   %9 = param "bias_ih"                          [12]
  %10 = param "bias_hh"                          [12]
  %11 = add(%9, %10)                             [12]
  %12 = broadcast(%11) [4, 12]                   [4, 12]
  %13 = add(%8, %12)                             [4, 12]
  %14 = slice(%13) {1, 0, 3}                     [4, 3]
  %15 = slice(%13) {1, 3, 6}                     [4, 3]
  %16 = slice(%13) {1, 6, 9}                     [4, 3]
  %17 = slice(%13) {1, 9, 12}                    [4, 3]
  %18 = sigmoid(%14)                             [4, 3]
  %19 = sigmoid(%15)                             [4, 3]
  %20 = tanh(%16)                                [4, 3]
  %21 = mul(%19, %1)                             [4, 3]
  %22 = mul(%18, %20)                            [4, 3]
  %23 = add(%21, %22)                            [4, 3]
  %24 = sigmoid(%17)                             [4, 3]
  %25 = tanh(%23)                                [4, 3]
  %26 = mul(%24, %25)                            [4, 3]
)");
  CHECK(step_text<GruCell>({}) == R"(
   %0 = input "x"                                [4, 2]
   %1 = constant 0                               [4, 3]
   %2 = param "weight_ih"                        [9, 2]
   %3 = permute(%2) {1, 0}                       [2, 9]
   %4 = matmul(%0, %2) NT                        [4, 9]
   %5 = param "weight_hh"                        [9, 3]
   %6 = permute(%5) {1, 0}                       [3, 9]
   %7 = matmul(%1, %5) NT                        [4, 9]
   %8 = slice(%4) {1, 0, 6}                      [4, 6]
   %9 = slice(%7) {1, 0, 6}                      [4, 6]
  %10 = add(%8, %9)                              [4, 6]
  %11 = param "bias_ih"                          [9]
  %12 = param "bias_hh"                          [9]
  %13 = add(%11, %12)                            [9]
  %14 = slice(%13) {0, 0, 6}                     [6]
  %15 = broadcast(%14) [4, 6]                    [4, 6]
  %16 = add(%10, %15)                            [4, 6]
  %17 = sigmoid(%16)                             [4, 6]
  %18 = slice(%17) {1, 0, 3}                     [4, 3]
  %19 = slice(%17) {1, 3, 6}                     [4, 3]
  %20 = slice(%4) {1, 6, 9}                      [4, 3]
  %21 = slice(%11) {0, 6, 9}                     [3]
  %22 = broadcast(%21) [4, 3]                    [4, 3]
  %23 = add(%20, %22)                            [4, 3]
  %24 = slice(%7) {1, 6, 9}                      [4, 3]
  %25 = slice(%12) {0, 6, 9}                     [3]
  %26 = broadcast(%25) [4, 3]                    [4, 3]
  %27 = add(%24, %26)                            [4, 3]
  %28 = mul(%18, %27)                            [4, 3]
  %29 = add(%23, %28)                            [4, 3]
  %30 = tanh(%29)                                [4, 3]
  %31 = mul(%19, %1)                             [4, 3]
  %32 = constant 1                               [4, 3]
  %33 = sub(%32, %19)                            [4, 3]
  %34 = mul(%33, %30)                            [4, 3]
  %35 = add(%34, %31)                            [4, 3]
)");
  CHECK(step_text<GruCell>({.reset_after = false}) == R"(
   %0 = input "x"                                [4, 2]
   %1 = constant 0                               [4, 3]
   %2 = param "weight_ih"                        [9, 2]
   %3 = permute(%2) {1, 0}                       [2, 9]
   %4 = matmul(%0, %2) NT                        [4, 9]
   %5 = param "weight_hh"                        [9, 3]
   %6 = slice(%5) {0, 0, 6}                      [6, 3]
   %7 = permute(%6) {1, 0}                       [3, 6]
   %8 = matmul(%1, %6) NT                        [4, 6]
   %9 = slice(%4) {1, 0, 6}                      [4, 6]
  %10 = add(%9, %8)                              [4, 6]
  %11 = param "bias_ih"                          [9]
  %12 = param "bias_hh"                          [9]
  %13 = add(%11, %12)                            [9]
  %14 = slice(%13) {0, 0, 6}                     [6]
  %15 = broadcast(%14) [4, 6]                    [4, 6]
  %16 = add(%10, %15)                            [4, 6]
  %17 = sigmoid(%16)                             [4, 6]
  %18 = slice(%17) {1, 0, 3}                     [4, 3]
  %19 = slice(%17) {1, 3, 6}                     [4, 3]
  %20 = slice(%4) {1, 6, 9}                      [4, 3]
  %21 = slice(%11) {0, 6, 9}                     [3]
  %22 = broadcast(%21) [4, 3]                    [4, 3]
  %23 = add(%20, %22)                            [4, 3]
  %24 = mul(%18, %1)                             [4, 3]
  %25 = slice(%5) {0, 6, 9}                      [3, 3]
  %26 = permute(%25) {1, 0}                      [3, 3]
  %27 = matmul(%24, %25) NT                      [4, 3]
  %28 = slice(%12) {0, 6, 9}                     [3]
  %29 = broadcast(%28) [4, 3]                    [4, 3]
  %30 = add(%27, %29)                            [4, 3]
  %31 = add(%23, %30)                            [4, 3]
  %32 = tanh(%31)                                [4, 3]
  %33 = mul(%19, %1)                             [4, 3]
  %34 = constant 1                               [4, 3]
  %35 = sub(%34, %19)                            [4, 3]
  %36 = mul(%35, %32)                            [4, 3]
  %37 = add(%36, %33)                            [4, 3]
)");
}

TEST_CASE("two steps and their gradient are recorded in this order") {
  CHECK(gradient_ops<Rnn>({}) ==
        "input constant reshape slice param permute matmul param permute matmul add param param add "
        "broadcast add tanh slice matmul matmul add add tanh concat reshape sum reshape constant reshape "
        "broadcast reshape slice slice tanh_grad matmul matmul add matmul tanh_grad add sum reshape matmul "
        "add matmul add");
  CHECK(gradient_ops<Lstm>({}) ==
        "input constant reshape slice param permute matmul param permute matmul add param param add "
        "broadcast add slice slice slice slice sigmoid sigmoid tanh mul mul add sigmoid tanh mul slice "
        "matmul matmul add add slice slice slice slice sigmoid sigmoid tanh mul mul add sigmoid tanh mul "
        "concat reshape sum reshape constant reshape broadcast reshape slice slice mul mul tanh_grad "
        "sigmoid_grad mul mul mul mul tanh_grad sigmoid_grad sigmoid_grad concat matmul matmul add matmul "
        "mul mul tanh_grad add sigmoid_grad mul mul mul tanh_grad sigmoid_grad sigmoid_grad concat add sum "
        "reshape matmul add matmul add");
  CHECK(gradient_ops<Gru>({}) ==
        "input constant reshape slice param permute matmul param permute matmul slice slice add param param "
        "add slice broadcast add sigmoid slice slice slice slice broadcast add slice slice broadcast add "
        "mul add tanh mul constant sub mul add slice matmul matmul slice slice add add sigmoid slice slice "
        "slice add slice add mul add tanh mul sub mul add concat reshape sum reshape constant reshape "
        "broadcast reshape slice slice mul mul neg mul mul add add tanh_grad mul mul concat sigmoid_grad "
        "concat matmul matmul add concat matmul mul mul neg mul add tanh_grad mul mul add sum reshape add "
        "sum reshape concat sigmoid_grad add sum reshape constant concat constant concat add concat add "
        "concat matmul add concat matmul add");
}

TEST_CASE("a step costs as many nodes as its equations have") {
  // To cut x out: slice. Both products, their sum, the bias.
  constexpr std::uint32_t common = 1 + 4;
  CHECK(nodes_of_a_step<Rnn>({}) == common + 1);
  CHECK(nodes_of_a_step<Lstm>({}) == common + 4 + 5 + 4);
  CHECK(nodes_of_a_step<Gru>({}) == common + 16);
  // t, t < length, the shape and the broadcast of that mask; a choice for each of h and c.
  CHECK(nodes_of_a_step<Lstm>({}, true) == nodes_of_a_step<Lstm>({}) + 4 + 2);
  CHECK(nodes_of_a_step<Lstm>({.bidirectional = true}) == 2 * nodes_of_a_step<Lstm>({}) - 1);
  CHECK(nodes_of_a_step<Lstm>({.recurrent_dropout = 0.5}) == nodes_of_a_step<Lstm>({}) + 1);
}

namespace {

constexpr int cell_line = __LINE__ + 4;
struct NarrowCell {  // can't take its own state
  Param w;
  explicit NarrowCell(const Init& init) : w(init.param("w", {2, 3}, fill::zeros())) {}
  Var step(Var x, Var h) const { return tanh(matmul(x, x.tape().param(w)) + matmul(h, h.tape().param(w))); }
};

struct NoStep {};
struct WrongState {
  double step(Var, Var) const { return 0; }
};
struct TwoParts {
  Var first, second;
};
struct NoOutput {
  TwoParts step(Var, TwoParts s) const { return s; }
};
struct WithOutput : NoOutput {
  Var output(const TwoParts& s) const { return s.second; }
};
struct PairCell {
  std::pair<Var, TwoParts> step(Var x, const TwoParts& s) const { return {x, s}; }
};
struct LineCell {
  Var step(Var x, Var h, Where) const { return x + h; }
};

}  // namespace

TEST_CASE("an error in a user's cell shows the line in the cell, however it is wrapped") {
  const NarrowCell cell({.seed = 1});
  Tape tape;
  const Var xs = tape.input(Shape{2, 4, 2}), h = tape.constant(0, {4, 3});
  CHECK(error_line([&] { unroll(cell, xs, h); }) == cell_line);
  CHECK(error_line([&] { unroll(Zoneout{cell, {0.5}, true}, xs, h); }) == cell_line);
  CHECK(error_line([&] { unroll(Residual{cell}, xs, h); }) == cell_line);
  CHECK(error_line([&] { unroll(Stack{std::vector{cell}}, xs, std::vector{h}); }) == cell_line);
}

TEST_CASE("an error in the library's cells and layers shows the line that called them") {
  const Init init{.seed = 1};
  const LstmCell cell(init, 2, 3);
  const Lstm lstm(init, {.input = 2, .hidden = 3});
  const Zoneout zoned{cell, {0.5}, true};
  Tape tape;
  const Var wrong = tape.input(Shape{2, 4, 5}), xs = tape.input(Shape{2, 4, 2});
  const LstmState state = cell.zero_state(tape, 4);
  // One line each: the error must name that of the call.
  CHECK(error_line([&] { cell.step(select(wrong, 0, 0), state); }) == __LINE__);
  CHECK(error_line([&] { unroll(cell, wrong, state); }) == __LINE__);
  CHECK(error_line([&] { unroll(zoned, wrong, state); }) == __LINE__);
  CHECK(error_line([&] { lstm.unroll(wrong); }) == __LINE__);
  CHECK(error_line([&] { lstm.unroll(xs, {.lengths = wrong}); }) == __LINE__);
  CHECK(error_line([&] { mask_past_end(xs, wrong); }) == __LINE__);
  const std::vector<int> lengths{1, 2, 3, 0};  // 3 is past the end, which a run finds
  const Var l = tape.tokens({4}, lengths);
  const Var ys = lstm.unroll(xs, {.lengths = l}).ys;
  const int line = __LINE__ - 1;
  tape.set(xs, Tensor({2, 4, 2}));
  CHECK(error_line([&] { tape.read(ys); }) == line);
}

TEST_CASE("what a cell is") {
  STATIC_REQUIRE(Cell<LstmCell, LstmState>);
  STATIC_REQUIRE(Cell<Residual<Zoneout<GruCell>>, Var>);
  STATIC_REQUIRE(Cell<NarrowCell, Var>);
  STATIC_REQUIRE(Cell<PairCell, TwoParts>);
  STATIC_REQUIRE(Cell<WithOutput, TwoParts>);
  STATIC_REQUIRE(Cell<LineCell, Var>);
  STATIC_REQUIRE(!Cell<NoStep, Var>);
  STATIC_REQUIRE(!Cell<LstmCell, Var>);
  STATIC_REQUIRE(!Cell<WrongState, Var>);
  STATIC_REQUIRE(!Cell<NoOutput, TwoParts>);
}
