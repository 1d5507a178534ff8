// A cell of your own in layers: the minimal gated unit of custom_cell.cpp with all that Recurrent asks of a
// cell. Two layers in both directions, with dropout between them, learn to say of each of eight random
// numbers what share it is of the largest, which may come before or after it.
#include <spool/spool.hpp>

#include <fmt/format.h>

using namespace spool;

class MguCell {
 public:
  using State = Var;  // h [B,H]; or a struct of Vars
  struct Options {};  // what all cells are made with, from RecurrentOptions::cell

  MguCell(const Init& init, std::int64_t input, std::int64_t hidden, Options = {})
      : hidden_(hidden),
        gate_(init.named("gate"), input + hidden, hidden),
        candidate_(init.named("candidate"), input + hidden, hidden) {}

  State step(Var x, State h) const {
    const Var f = sigmoid(gate_(concat({x, h}, -1)));
    const Var n = tanh(candidate_(concat({x, f * h}, -1)));
    return (1 - f) * h + f * n;
  }
  State zero_state(Tape& tape, std::int64_t batch) const { return tape.constant(0, {batch, hidden_}); }
  Params parameters() const { return spool::parameters(gate_, candidate_); }
  std::int64_t output_size() const { return hidden_; }

 private:
  std::int64_t hidden_;
  Linear gate_, candidate_;
};

int main() {
  constexpr std::int64_t T = 8, B = 32;
  const Init init{.seed = 1};
  const Recurrent<MguCell> layers(
      init, {.input = 1, .hidden = 16, .layers = 2, .bidirectional = true, .dropout = 0.1});
  const Linear head(init.named("head"), layers.output_size(), 1);
  Adam adam(parameters(layers, head), {.lr = 1e-2});

  Tape tape;  // recorded once; every run draws new numbers
  const Var xs = uniform(tape, {T, B, 1});
  const Var largest = max(xs, 0);
  const auto loss_of = [&](bool training) {
    return mse_loss(head(layers.unroll(xs, {.training = training}).ys), xs / largest);
  };
  const Var loss = loss_of(true), error = loss_of(false);
  for (int step = 1; step <= 500; ++step) {
    tape.next_draw();
    adam.step(loss);
    if (step % 100 != 0) continue;
    tape.run({error});
    fmt::print("step {:3}  error {:.5f}\n", step, tape.value(error));
  }
  return tape.value(error) < 0.005 ? 0 : 1;  // guessing the mean would give 0.1
}
