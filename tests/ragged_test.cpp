// Sequences of different lengths in one batch: outputs, last states, and gradients with respect to inputs,
// first states and parameters are those of each sequence run alone; what lies past an end counts for nothing.
// Random shapes and lengths, 0 and T among them.
#include <spool/spool.hpp>

#include "catch.hpp"
#include "reference.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <random>

using namespace spool;

namespace {

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : bits_(seed) {}

  std::int64_t whole(std::int64_t first, std::int64_t last) {
    return first + static_cast<std::int64_t>(bits_() % static_cast<std::uint64_t>(last - first + 1));
  }
  Tensor tensor(const Shape& shape) {
    Tensor t(shape, DType::f64);
    for (std::size_t i = 0; i < t.size(); ++i) t.set(i, static_cast<double>(whole(-1000, 1000)) / 1000);
    return t;
  }

 private:
  std::mt19937_64 bits_;
};

// What the test needs to know of a cell, a cell reversed, or a layer.
template <class S>
struct Model {
  Params params;
  std::function<S(Tape&, std::int64_t batch)> zero_state;
  std::function<Unrolled<S>(Var xs, const S& state, Var lengths)> unroll;
};

template <class C>
auto cell_model(const C& cell, bool reverse) {
  using S = decltype(cell.zero_state(std::declval<Tape&>(), 1));
  return Model<S>{cell.parameters(),
                  [=](Tape& tape, std::int64_t batch) { return cell.zero_state(tape, batch); },
                  [=](Var xs, const S& state, Var lengths) {
                    return unroll(cell, xs, state, {.lengths = lengths, .reverse = reverse});
                  }};
}

template <class C>
auto layer_model(const Recurrent<C>& layer) {
  using S = typename Recurrent<C>::State;
  return Model<S>{layer.parameters(),
                  [=](Tape& tape, std::int64_t batch) { return layer.initial_state(tape, batch); },
                  [=](Var xs, const S& state, Var lengths) {
                    return layer.unroll(xs, state, {.lengths = lengths, .training = false});
                  }};
}

// The numbers of a run: what goes in, the weights of the loss, what comes out.
struct Numbers {
  Tensor xs;
  std::vector<Tensor> starts;
  Tensor ys_weights;
  std::vector<Tensor> state_weights;
};

struct Results {
  Tensor ys;
  std::vector<Tensor> states;
  Tensor xs_gradient;
  std::vector<Tensor> start_gradients, param_gradients;
};

std::vector<Tensor> read(const Vars& vars) {
  std::vector<Tensor> all;
  for (const Var& v : vars) all.push_back(v.tape().read(v));
  return all;
}

template <class S>
Results run(const Model<S>& model, const Numbers& in, const std::vector<int>& lengths) {
  Tape tape(DType::f64);
  const Var xs = tape.input(in.xs);
  const std::int64_t batch = in.xs.shape()[1];
  std::size_t i = 0;
  const S start = map_state(model.zero_state(tape, batch), [&](Var) { return tape.input(in.starts[i++]); });
  const auto [ys, last] = model.unroll(xs, start, lengths.empty() ? Var{} : tape.tokens({batch}, lengths));
  Var loss = sum(ys * tape.input(in.ys_weights));
  const Vars states = flatten(last), starts = flatten(start);
  for (std::size_t k = 0; k < states.size(); ++k)
    loss = loss + sum(states[k] * tape.input(in.state_weights[k]));
  const Vars start_gradients = grad(loss, starts), param_gradients = grad(loss, model.params);
  return {tape.read(ys), read(states), tape.read(grad(loss, xs)), read(start_gradients),
          read(param_gradients)};
}

// Elements begin..end-1 along an axis.
Tensor cut(const Tensor& t, int axis, std::int64_t begin, std::int64_t end) {
  Tape tape(t.dtype());
  return tape.read(slice(tape.input(t), axis, begin, end));
}

std::vector<Tensor> row(const std::vector<Tensor>& parts, std::int64_t b) {
  std::vector<Tensor> rows;
  for (const Tensor& part : parts) rows.push_back(cut(part, 0, b, b + 1));
  return rows;
}

// Steps begin..end-1 of one sequence: [T,B,...] -> [end-begin,1,...].
Tensor steps(const Tensor& t, std::int64_t b, std::int64_t begin, std::int64_t end) {
  return cut(cut(t, 1, b, b + 1), 0, begin, end);
}

void check_all_close(const std::string& what, const std::vector<Tensor>& got,
                     const std::vector<Tensor>& want) {
  REQUIRE(got.size() == want.size());
  for (std::size_t i = 0; i < got.size(); ++i) check_close(what + " " + std::to_string(i), got[i], want[i]);
}

void add_to(std::vector<Tensor>& sums, const std::vector<Tensor>& more) {
  for (std::size_t k = 0; k < sums.size(); ++k)
    for (std::size_t i = 0; i < sums[k].size(); ++i) sums[k].set(i, sums[k].at(i) + more[k].at(i));
}

// One sequence of the batch against the same sequence alone; returns the gradients of the parameters.
template <class S>
std::vector<Tensor> check_sequence(const Model<S>& model, const Numbers& in, const Results& batch,
                                   std::int64_t b, std::int64_t length) {
  const std::int64_t T = in.xs.shape()[0];
  const auto all_zero = [](const Tensor& t) { return t == Tensor(t.shape(), DType::f64); };
  CHECK(all_zero(steps(batch.ys, b, length, T)));
  CHECK(all_zero(steps(batch.xs_gradient, b, length, T)));
  const Numbers own{steps(in.xs, b, 0, length), row(in.starts, b), steps(in.ys_weights, b, 0, length),
                    row(in.state_weights, b)};
  if (length == 0) {
    CHECK(row(batch.states, b) == own.starts);
    CHECK(row(batch.start_gradients, b) == own.state_weights);
    return {};
  }
  const Results alone = run(model, own, {});
  check_close("ys", steps(batch.ys, b, 0, length), alone.ys);
  check_close("gradient of xs", steps(batch.xs_gradient, b, 0, length), alone.xs_gradient);
  check_all_close("state", row(batch.states, b), alone.states);
  check_all_close("gradient of the first state", row(batch.start_gradients, b), alone.start_gradients);
  return alone.param_gradients;
}

template <class S>
void check_model(const std::string& name, const Model<S>& model, std::int64_t input, Draw& draw) {
  const std::int64_t T = draw.whole(1, 6), B = draw.whole(1, 5);
  std::vector<int> lengths;
  for (std::int64_t b = 0; b < B; ++b) lengths.push_back(static_cast<int>(draw.whole(0, T)));
  lengths[static_cast<std::size_t>(draw.whole(0, B - 1))] = static_cast<int>(draw.whole(0, 1) * T);
  INFO(name << ", T " << T << ", lengths " << Catch::Detail::stringify(lengths));

  Tape scratch(DType::f64);
  const auto [ys, state] =
      model.unroll(scratch.input(Shape{T, B, input}), model.zero_state(scratch, B), Var{});
  Numbers in{draw.tensor({T, B, input}), {}, draw.tensor(ys.shape()), {}};
  for (const Var& part : flatten(state)) {
    in.starts.push_back(draw.tensor(part.shape()));
    in.state_weights.push_back(draw.tensor(part.shape()));
  }
  for (std::int64_t i = 0; i < T * B * input; ++i)  // anything read past the ends would show
    if (i / (B * input) >= lengths[static_cast<std::size_t>(i / input % B)])
      in.xs.set(static_cast<std::size_t>(i), std::numeric_limits<double>::quiet_NaN());

  const Results batch = run(model, in, lengths);
  std::vector<Tensor> sums;
  for (const Param& p : model.params) sums.emplace_back(p.shape(), DType::f64);
  for (std::int64_t b = 0; b < B; ++b) {
    const auto more = check_sequence(model, in, batch, b, lengths[static_cast<std::size_t>(b)]);
    if (!more.empty()) add_to(sums, more);
  }
  check_all_close("gradient of parameter", batch.param_gradients, sums);
}

constexpr std::uint64_t seeds = 8;

// A cell with random sizes, forwards and backwards.
template <class Make>
void check_cells(const std::string& name, Make&& make) {
  for (std::uint64_t seed = 0; seed < seeds; ++seed)
    for (bool reverse : {false, true}) {
      Draw draw(2 * seed + (reverse ? 1 : 0));
      const std::int64_t input = draw.whole(1, 4), hidden = draw.whole(1, 4);
      const Init init{.seed = seed, .dtype = DType::f64};
      check_model(name + (reverse ? ", reversed" : ""), cell_model(make(init, input, hidden), reverse), input,
                  draw);
    }
}

template <class C>
void check_cell(const std::string& name, const typename C::Options& options) {
  check_cells(name, [&](const Init& init, std::int64_t input, std::int64_t hidden) {
    return C(init, input, hidden, options);
  });
}

// Two layers in both directions, with random sizes.
template <class C>
void check_layer(const std::string& name, RecurrentOptions<C> options) {
  options.layers = 2;
  options.bidirectional = true;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    Draw draw(100 + seed);
    options.hidden = draw.whole(1, 4);
    options.input = options.residual ? 2 * options.hidden : draw.whole(1, 4);  // the first layer adds too
    const Recurrent<C> layer({.seed = seed, .dtype = DType::f64}, options);
    check_model(name + ", two layers in both directions", layer_model(layer), options.input, draw);
  }
}

struct FastState {
  Var h;       // [B,H]
  Var memory;  // [B,H,H]
};

// A user's cell: a memory of what followed what that fades (Ba et al. 2016, "fast weights", simplified). Its
// output is not its state, and its state has parts of different ranks.
struct FastCell {
  Param w;

  FastCell(const Init& init, std::int64_t input, std::int64_t hidden)
      : w(init.param("w", {input, hidden}, fill::xavier_uniform())) {}

  FastState zero_state(Tape& tape, std::int64_t batch) const {
    const std::int64_t hidden = w.shape()[1];
    return {tape.constant(0, {batch, hidden}), tape.constant(0, {batch, hidden, hidden})};
  }
  std::pair<Var, FastState> step(Var x, const FastState& s) const {
    const std::int64_t batch = x.shape()[0], hidden = w.shape()[1];
    const Var key = matmul(x, x.tape().param(w));
    const Var memory = 0.9 * s.memory + reshape(key, {batch, hidden, 1}) * reshape(s.h, {batch, 1, hidden});
    const Var h = tanh(key + reshape(matmul(memory, reshape(s.h, {batch, hidden, 1})), {batch, hidden}));
    return {concat({h, key}, -1), {h, memory}};
  }
  Params parameters() const { return {w}; }
};

// Zoneout as evaluated: the mean, which keeps part of the old state at every step.
struct ZonedLstm {
  LstmCell cell;

  LstmState zero_state(Tape& tape, std::int64_t batch) const { return cell.zero_state(tape, batch); }
  LstmState step(Var x, const LstmState& s) const { return Zoneout{cell, {0.1, 0.4}, false}.step(x, s); }
  Params parameters() const { return cell.parameters(); }
};

}  // namespace

TEST_CASE("a batch of different lengths equals each sequence alone: cells") {
  check_cell<RnnCell>("rnn", {});
  check_cell<RnnCell>("rnn with layer norm", {.layer_norm = true, .activation = relu});
  check_cell<LstmCell>("lstm", {});
  check_cell<LstmCell>("lstm with peepholes", {.peepholes = true});
  check_cell<LstmCell>("lstm with a projection", {.proj = 1});
  check_cell<LstmCell>("coupled lstm", {.peepholes = true, .coupled = true});
  check_cell<LstmCell>("lstm with layer norm", {.layer_norm = true, .cell_clip = 0.5});
  check_cell<GruCell>("gru", {});
  check_cell<GruCell>("gru that resets before", {.reset_after = false});
  check_cell<GruCell>("gru with layer norm", {.bias = false, .layer_norm = true});
}

TEST_CASE("a batch of different lengths equals each sequence alone: other cells") {
  check_cells("a user's cell", [](const Init& init, std::int64_t input, std::int64_t hidden) {
    return FastCell(init, input, hidden);
  });
  check_cells("lstm with zoneout", [](const Init& init, std::int64_t input, std::int64_t hidden) {
    return ZonedLstm{LstmCell(init, input, hidden)};
  });
}

TEST_CASE("a batch of different lengths equals each sequence alone: layers") {
  check_layer<RnnCell>("rnn", {.residual = true});
  check_layer<LstmCell>("lstm", {.cell = {.peepholes = true, .proj = 1}});
  check_layer<GruCell>("gru", {.residual = true, .cell = {.reset_after = false}});
}
