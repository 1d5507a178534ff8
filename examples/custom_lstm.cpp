// An LSTM written by a user, from ops that anybody has, and the library's own: the planner makes the same
// plan of both, so they cost the same. There is no fused kernel to hide behind, and none to miss in a cell of
// your own.
#include <spool/spool.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <vector>

using namespace spool;

// i, f, g, o = x W_ih^T + h W_hh^T + b;  c' = f c + i g;  h' = o tanh(c')   (Gers et al. 2000)
class MyLstm {
 public:
  struct State {
    Var h, c;  // [B,H]
  };
  struct Options {};

  MyLstm(const Init& init, std::int64_t input, std::int64_t hidden, Options = {})
      : hidden_(hidden),
        w_ih_(init.param("weight_ih", {4 * hidden, input}, fill::xavier_uniform())),
        w_hh_(init.param("weight_hh", {4 * hidden, hidden}, fill::xavier_uniform())),
        b_ih_(init.param("bias_ih", {4 * hidden}, fill::zeros())),
        b_hh_(init.param("bias_hh", {4 * hidden}, fill::zeros())) {}

  State step(Var x, const State& s) const {
    Tape& t = x.tape();
    const Var from_x = matmul(x, transpose(t.param(w_ih_)));
    const Var from_h = matmul(s.h, transpose(t.param(w_hh_)));
    const Var bias = t.param(b_ih_) + t.param(b_hh_);
    const Vars parts = split(from_x + from_h + bias, 4);
    const Var i = sigmoid(parts[0]), f = sigmoid(parts[1]), g = tanh(parts[2]);
    const Var kept = f * s.c;
    const Var c = kept + i * g;
    const Var o = sigmoid(parts[3]);
    return {o * tanh(c), c};
  }
  State zero_state(Tape& tape, std::int64_t batch, Where where = Where::current()) const {
    const Var zero = tape.constant(0, {batch, hidden_}, where);
    return {zero, zero};
  }
  Params parameters() const { return {w_ih_, w_hh_, b_ih_, b_hh_}; }
  std::int64_t output_size() const { return hidden_; }

 private:
  std::int64_t hidden_;
  Param w_ih_, w_hh_, b_ih_, b_hh_;
};

// A training step of a small language model: its loss and all gradients.
template <class Layer>
struct Model {
  static constexpr std::int64_t V = 65, H = 64, B = 32, T = 25;

  Model() {
    std::vector<int> text(static_cast<std::size_t>(T * B));
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<int>(i * 7 % V);
    const Var x = tape.tokens({T, B}, text);
    const Var loss = cross_entropy(head(lstm.unroll(table(x)).ys), x);
    wanted = grad(loss, parameters(table, lstm, head));
    wanted.push_back(loss);
  }
  double milliseconds() {
    const auto start = std::chrono::steady_clock::now();
    tape.next_draw();
    tape.run(wanted);
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  }

  Init init{.seed = 1, .prefix = "lstm."};
  Embedding table{init, V, H};
  Layer lstm{init, {.input = H, .hidden = H, .layers = 2}};
  Linear head{init, H, V};
  Tape tape;
  Vars wanted;
};

int main() {
  Model<Lstm> library;
  Model<Recurrent<MyLstm>> mine;
  const std::string ours = library.tape.plan_text(library.wanted), theirs = mine.tape.plan_text(mine.wanted);
  fmt::print("the library's LSTM: a plan of {} steps\n", std::ranges::count(ours, '\n'));
  fmt::print("this file's LSTM:   {}\n",
             ours == theirs ? "the same plan, line by line" : "another plan:\n" + theirs);

  std::vector<double> ratios;
  for (int i = 0; i < 21; ++i) ratios.push_back(mine.milliseconds() / library.milliseconds());
  std::ranges::nth_element(ratios, ratios.begin() + 10);
  fmt::print("time of this file's over the library's, median of 21 pairs: {:.2f}\n", ratios[10]);
  return ours == theirs ? 0 : 1;
}
