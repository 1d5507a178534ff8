// Rnn, Lstm and Gru against Keras 2, in float to 1e-5: SimpleRNN, LSTM, GRU and Bidirectional of them, with
// other activations, without bias, backwards, and with the state kept from one call to the next. The files
// hold one sequence a case and no arguments; those are in the tables below.
#include <spool/spool.hpp>

#include "catch.hpp"
#include "gate_order.hpp"
#include "reference.hpp"

#include <algorithm>

#include <fmt/format.h>

using namespace spool;

namespace {

const Init f32{.seed = 1, .dtype = DType::f32};

struct Arguments {
  bool return_sequences = false, go_backwards = false, stateful = false;
  Activation activation = tanh;
  Activation recurrent_activation = [](Var v) { return hard_sigmoid(v, 0.2); };
};

// The cases of each layer, in order.
const std::vector<Arguments> arguments{
    {},
    {.activation = sigmoid, .recurrent_activation = sigmoid},
    {.return_sequences = true},
    {.go_backwards = true},
    {.return_sequences = true, .go_backwards = true},
    {.stateful = true},
    {.return_sequences = true, .stateful = true},
    {.go_backwards = true, .stateful = true},
    {.return_sequences = true, .go_backwards = true, .stateful = true},
};

// Which of Keras's gates our gates are, and how Keras's arguments are ours.
template <class C>
struct Keras;

template <>
struct Keras<RnnCell> {
  static inline const std::vector<std::size_t> gates{0};
  static RnnCell::Options options(const Arguments& a) { return {.activation = a.activation}; }
};

template <>
struct Keras<LstmCell> {
  static inline const std::vector<std::size_t> gates{0, 1, 2, 3};
  static LstmCell::Options options(const Arguments& a) {
    return {.gate = a.recurrent_activation, .candidate = a.activation, .output = a.activation};
  }
};

template <>
struct Keras<GruCell> {
  static inline const std::vector<std::size_t> gates{1, 0, 2};  // z r h there, r z n here
  static GruCell::Options options(const Arguments& a) {
    return {.reset_after = false, .gate = a.recurrent_activation, .candidate = a.activation};
  }
};

// One case of a file.
struct Case {
  const Reference& ref;
  std::string name;

  Tensor tensor(const std::string& path) const { return ref.tensor(name + "/" + path).to(DType::f32); }
  std::size_t weights() const { return ref.at(name + "/weights").as_array().size(); }
  Tensor weight(std::size_t i) const { return tensor("weights/" + std::to_string(i)); }

  Var input(Tape& tape) const {  // [T,D] -> [T,1,D]
    const Tensor x = tensor("input");
    return tape.input(x.reshaped(x.shape().inserted(1, 1)));
  }
};

// Keras's kernel [D,G*H], recurrent kernel [H,G*H] and bias [G*H], from the weight `first` on. We have two
// biases; the other is 0.
template <class C>
void load(const C& cell, const Case& from, std::size_t first) {
  Params params = cell.parameters();
  for (std::size_t i = 0; i < params.size(); ++i) {
    if (i == 3) {
      params[i].assign(Tensor(params[i].shape()));
      continue;
    }
    Tape tape;
    const auto& order = Keras<C>::gates;
    const Var w = take_gates(tape.input(from.weight(first + i)), static_cast<int>(order.size()), order, -1);
    params[i].assign(tape.read(w.shape().rank() == 2 ? transpose(w) : w));
  }
}

double compare(const Case& c, Var y) {
  const Tensor want = c.tensor("expected");
  return check_near(c.name, y.tape().read(y).reshaped(want.shape()), want, 1e-5);
}

template <class C>
double check_cell(const Case& c, const Arguments& a) {
  auto options = Keras<C>::options(a);
  options.bias = c.weights() == 3;
  const Shape recurrent = c.weight(1).shape();
  const C cell(f32, c.weight(0).shape()[0], recurrent[0], options);
  load(cell, c, 0);

  Tape tape;
  const UnrollOptions how{.reverse = a.go_backwards};
  auto state = cell.zero_state(tape, 1);
  if (a.stateful) {  // what is expected is the answer to the second call
    const Carried carried(unroll(cell, c.input(tape), state, how).state);
    tape.clear();
    state = carried.on(tape);
  }
  const auto [ys, last] = unroll(cell, c.input(tape), state, how);
  if (!a.return_sequences) return compare(c, output_of(cell, last));
  return compare(c, a.go_backwards ? flip(ys, 0) : ys);  // Keras's first output is that of the last step
}

template <class C>
int check_file(const std::string& layer, double& worst) {
  const auto ref = Reference::open("ref_kerasjs/" + layer + ".json");
  if (!ref) return 0;
  for (std::size_t i = 0; i < arguments.size(); ++i)
    worst = std::max(worst, check_cell<C>({*ref, fmt::format("recurrent.{}.{}", layer, i)}, arguments[i]));
  return static_cast<int>(ref->keys("").size());
}

}  // namespace

TEST_CASE("recurrent layers agree with Keras") {
  double worst = 0;
  const int cases = check_file<RnnCell>("SimpleRNN", worst) + check_file<LstmCell>("LSTM", worst) +
                    check_file<GruCell>("GRU", worst);
  CHECK((cases == 27 || cases == 0));
  fmt::print("Keras, recurrent layers: {} cases, worst error {:.1e}\n", cases, worst);
}

namespace {

enum class Merge { sum, mul, concat, average };

Var merged(Var forward, Var backward, Merge mode) {
  switch (mode) {
    case Merge::sum:
      return forward + backward;
    case Merge::mul:
      return forward * backward;
    case Merge::concat:
      return concat({forward, backward}, -1);
    case Merge::average:
      return (forward + backward) / 2;
  }
  throw std::logic_error("no such merge");
}

template <class C>
double check_bidirectional(const Case& c, Merge mode, bool return_sequences) {
  const Shape kernel = c.weight(0).shape(), recurrent = c.weight(1).shape();
  const Recurrent<C> layer(
      f32,
      {.input = kernel[0], .hidden = recurrent[0], .bidirectional = true, .cell = Keras<C>::options({})});
  REQUIRE(c.weights() == 6);
  for (std::size_t d = 0; d < 2; ++d) load(layer.cells()[d], c, 3 * d);
  Tape tape;
  const auto [ys, state] = layer.unroll(c.input(tape));
  const auto both = split<2>(ys);
  const auto last = [&, &state = state](std::size_t d) { return output_of(layer.cells()[d], state[d]); };
  return compare(c, return_sequences ? merged(both[0], both[1], mode) : merged(last(0), last(1), mode));
}

}  // namespace

TEST_CASE("bidirectional layers agree with Keras") {
  const auto ref = Reference::open("ref_kerasjs/Bidirectional.json");
  if (!ref) return;
  const auto c = [&](int i) { return Case{*ref, fmt::format("wrappers.Bidirectional.{}", i)}; };
  CHECK(ref->keys("").size() == 8);
  const double worst = std::max({
      check_bidirectional<RnnCell>(c(0), Merge::sum, false),
      check_bidirectional<RnnCell>(c(1), Merge::mul, false),
      check_bidirectional<RnnCell>(c(2), Merge::concat, false),
      check_bidirectional<RnnCell>(c(3), Merge::average, false),
      check_bidirectional<RnnCell>(c(4), Merge::concat, true),
      check_bidirectional<GruCell>(c(5), Merge::concat, true),
      check_bidirectional<LstmCell>(c(6), Merge::concat, true),
      check_bidirectional<RnnCell>(c(7), Merge::sum, true),
  });
  fmt::print("Keras, Bidirectional: 8 cases, worst error {:.1e}\n", worst);
}
