// Gradients of every cell with every option, of the wrappers, of whole layers and of a small model: against
// measured slopes, to second order, by parameter name.
#include <spool/spool.hpp>

#include "catch.hpp"

using namespace spool;

namespace {

constexpr std::int64_t T = 2, B = 2, D = 2, H = 3;

Tensor numbers(const Shape& shape, std::uint32_t stream) {
  Philox random(11, stream);
  return Tensor(shape, fill::normal(0, 0.6)(shape, random));
}

// First values leave out much (biases and initial states of 0, gains of 1), so all numbers are drawn.
Params drawn(Params params) {
  std::uint32_t stream = 100;
  for (Param& p : params) p.assign(numbers(p.shape(), ++stream));
  return params;
}

Init f64() { return {.seed = 1, .dtype = DType::f64}; }

// Every gradient is right, and every parameter has one.
void check_gradients(const std::string& what, const std::function<Var(Tape&)>& f, const Params& params,
                     const GradCheckOptions& options = {.order = 2}) {
  const GradReport report = grad_check(f, drawn(params), options);
  INFO(what << ": " << report.text());
  CHECK(report);
  for (const GradInput& i : report.inputs)
    if (i.order == 1) CHECK((i.reached && i.checked > 0));
}

// A cell over two steps: its parameters, the steps, and the initial state, which has the shapes of `state`.
// make(tape) gives the cell, since some hold a Var.
template <class Make, class S>
void check_over_time(const std::string& what, const Make& make, const S& state, Params params,
                     const GradCheckOptions& options = {.order = 2}) {
  const Param xs("xs", Tensor({T, B, D}, DType::f64));
  Params starts;
  for (const Var& v : flatten(state))
    starts.emplace_back("start_" + std::to_string(starts.size()), Tensor(v.shape(), DType::f64));
  const auto f = [&](Tape& tape) {
    Vars start;
    for (const Param& p : starts) start.push_back(tape.param(p));
    const auto [ys, last] = unroll(make(tape), tape.param(xs), rebuild(state, start));
    Vars all = flatten(last);
    all.push_back(ys);
    return verify::joined(all);
  };
  params.push_back(xs);
  params.insert(params.end(), starts.begin(), starts.end());
  check_gradients(what, f, params, options);
}

template <class C>
void check_cell(const std::string& what, typename C::Options cell_options,
                const GradCheckOptions& options = {.order = 2}) {
  const C cell(f64(), D, H, std::move(cell_options));
  Tape scratch(DType::f64);
  const auto make = [&](Tape&) -> const C& { return cell; };
  check_over_time(what, make, cell.zero_state(scratch, B), cell.parameters(), options);
}

}  // namespace

TEST_CASE("gradients of RnnCell with every option") {
  check_cell<RnnCell>("tanh", {});
  check_cell<RnnCell>("without bias", {.bias = false});
  check_cell<RnnCell>("relu", {.activation = relu});
  check_cell<RnnCell>("layer norm", {.layer_norm = true});
  check_cell<RnnCell>("layer norm and relu", {.layer_norm = true, .activation = relu});
}

TEST_CASE("gradients of LstmCell with every option") {
  check_cell<LstmCell>("plain", {});
  check_cell<LstmCell>("without bias", {.bias = false});
  check_cell<LstmCell>("peepholes", {.peepholes = true});
  check_cell<LstmCell>("coupled", {.coupled = true});
  check_cell<LstmCell>("coupled with peepholes", {.peepholes = true, .coupled = true});
  check_cell<LstmCell>("projection", {.proj = 2});
  check_cell<LstmCell>("layer norm", {.layer_norm = true});
  check_cell<LstmCell>("cell clip", {.cell_clip = 0.3});
  check_cell<LstmCell>(
      "activations", {.gate = [](Var v) { return hard_sigmoid(v, 0.2); }, .candidate = sin, .output = silu});
  check_cell<LstmCell>("all together", {.peepholes = true, .proj = 2, .layer_norm = true, .cell_clip = 0.3});
  check_cell<LstmCell>("all together, coupled",
                       {.peepholes = true, .coupled = true, .proj = 2, .layer_norm = true, .cell_clip = 0.3});
}

TEST_CASE("gradients of GruCell with every option") {
  for (const bool after : {true, false}) {
    const std::string what = after ? "reset after" : "reset before";
    check_cell<GruCell>(what, {.reset_after = after});
    check_cell<GruCell>(what + ", without bias", {.bias = false, .reset_after = after});
    check_cell<GruCell>(what + ", layer norm", {.reset_after = after, .layer_norm = true});
    check_cell<GruCell>(what + ", activations", {.reset_after = after, .gate = erf, .candidate = silu});
  }
}

TEST_CASE("gradients of cells in 113 bits") {
  const GradCheckOptions quad{.quad = true};
  check_cell<RnnCell>("rnn", {}, quad);
  check_cell<LstmCell>("lstm", {.peepholes = true, .proj = 2, .layer_norm = true, .cell_clip = 0.3}, quad);
  check_cell<GruCell>("gru", {.reset_after = false}, quad);
}

TEST_CASE("with numbers as in these checks, the cell clip cuts some elements and leaves others") {
  const LstmCell cell(f64(), D, H, {.cell_clip = 0.3});
  drawn(cell.parameters());
  Tape tape(DType::f64);
  const Var c = cell.step(tape.input(numbers({B, D}, 1)), cell.zero_state(tape, B)).c;
  CHECK(tape.value(max(abs(c))) == 0.3);
  CHECK(tape.value(min(abs(c))) < 0.3);
}

TEST_CASE("gradients of wrapped cells, with one draw of what is random") {
  const LstmCell lstm(f64(), D, H);
  const GruCell gru(f64(), D, H), square(f64(), D, D), above(f64(), D, D);
  Tape scratch(DType::f64);
  const auto lstm_state = lstm.zero_state(scratch, B);
  const Var h = gru.zero_state(scratch, B), small = square.zero_state(scratch, B);

  for (const bool training : {true, false})
    check_over_time(
        training ? "zoneout, training" : "zoneout, mean",
        [&](Tape&) {
          return Zoneout{lstm, {0.3, 0.6}, training};
        },
        lstm_state, lstm.parameters());
  check_over_time(
      "recurrent dropout",
      [&](Tape& tape) {
        return RecurrentDropout{gru, dropout_mask(tape, {B, H}, 0.4)};
      },
      h, gru.parameters());
  check_over_time(
      "zoneout of recurrent dropout",
      [&](Tape& tape) {
        const RecurrentDropout inner{lstm, dropout_mask(tape, {B, H}, 0.4)};
        return Zoneout{inner, {0.3}, true};
      },
      lstm_state, lstm.parameters());
  check_over_time(
      "residual", [&](Tape&) { return Residual{square}; }, small, square.parameters());
  check_over_time(
      "stack of residuals",
      [&](Tape&) {
        return Stack{std::vector{Residual{square}, Residual{above}}};
      },
      Vars{small, small}, parameters(square, above));
}

namespace {

// Few entries of each large array, along random directions.
template <class R>
void check_layer(const std::string& what, typename R::Options layer_options, bool ragged = false) {
  layer_options.input = D;
  layer_options.hidden = H;
  const R layer(f64(), layer_options);
  const Param xs("xs", Tensor({3, B, D}, DType::f64));
  const std::vector<int> lengths{2, 3};
  const auto f = [&](Tape& tape) {
    const Var l = ragged ? tape.tokens({B}, lengths) : Var{};
    const auto [ys, last] = layer.unroll(tape.param(xs), {.lengths = l, .training = true});
    Vars all = flatten(last);
    all.push_back(ys);
    return verify::joined(all);
  };
  check_gradients(what, f, parameters(layer, xs), {.order = 2, .entries = 12, .directions = 3});
}

}  // namespace

TEST_CASE("gradients of whole layers with every option, with one draw of what is random") {
  check_layer<Lstm>("learnt initial state", {.learn_initial_state = true});
  check_layer<Rnn>("both directions", {.bidirectional = true});
  check_layer<Gru>("both directions, lengths", {.bidirectional = true}, true);
  check_layer<Gru>("residual", {.layers = 2, .residual = true});
  check_layer<Rnn>("dropout", {.layers = 2, .dropout = 0.4});
  check_layer<Gru>("recurrent dropout", {.recurrent_dropout = 0.4});
  check_layer<Lstm>("zoneout, lengths", {.zoneout = {0.3, 0.5}}, true);
  check_layer<Lstm>("all together",
                    {.layers = 2,
                     .bidirectional = true,
                     .dropout = 0.3,
                     .recurrent_dropout = 0.3,
                     .zoneout = {0.2, 0.3},
                     .residual = true,
                     .learn_initial_state = true,
                     .cell = {.proj = 2}},
                    true);
}

TEST_CASE("gradients of a small language model, by parameter name") {
  const Init init = f64();
  const Embedding embedding(init.named("embedding"), 4, D);
  const Lstm lstm(init.named("lstm"), {.input = D, .hidden = H});
  const Linear head(init.named("head"), H, 4);
  const std::vector<int> characters{0, 1, 2, 3, 1, 0}, next{1, 3, 3, 1, 0, 2};
  const auto loss = [&](Tape& tape) {
    const Var x = embedding(tape.tokens({3, B}, characters));
    return cross_entropy(head(lstm.unroll(x).ys), tape.tokens({3, B}, next));
  };
  const Params params = parameters(embedding, lstm, head);
  check_gradients("model", loss, params);

  const GradReport report = grad_check(loss, params);
  std::vector<std::string> names;
  for (const GradInput& i : report.inputs) names.push_back(i.name);
  CHECK(names == std::vector<std::string>{"embedding.weight", "lstm.weight_ih_l0", "lstm.weight_hh_l0",
                                          "lstm.bias_ih_l0", "lstm.bias_hh_l0", "head.weight", "head.bias"});
}
