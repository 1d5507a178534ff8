// A cell of your own: the minimal gated unit (Zhou et al. 2016, arXiv 1603.09420). A cell is anything with
// step(x, state); unroll() records it over time and the tape differentiates it. Trained from nothing, it
// learns to keep the first of eight random numbers and to say it at the end.
#include <spool/spool.hpp>

#include <fmt/format.h>

using namespace spool;

class MguCell {
 public:
  MguCell(const Init& init, std::int64_t input, std::int64_t hidden)
      : gate_(init.named("gate"), input + hidden, hidden),
        candidate_(init.named("candidate"), input + hidden, hidden) {}

  // x [B,D], h [B,H] -> [B,H]
  Var step(Var x, Var h) const {
    const Var f = sigmoid(gate_(concat({x, h}, -1)));
    const Var n = tanh(candidate_(concat({x, f * h}, -1)));
    return (1 - f) * h + f * n;
  }
  Params parameters() const { return spool::parameters(gate_, candidate_); }

 private:
  Linear gate_, candidate_;
};

int main() {
  constexpr std::int64_t T = 8, B = 32, H = 16;
  const Init init{.seed = 1};
  const MguCell cell(init, 1, H);
  const Linear head(init.named("head"), H, 1);
  Adam adam(parameters(cell, head), {.lr = 1e-2});

  Tape tape;  // recorded once; every run draws new numbers
  const Var xs = uniform(tape, {T, B, 1});
  const auto [ys, h] = unroll(cell, xs, tape.constant(0, {B, H}));
  const Var loss = mse_loss(head(h), select(xs, 0, 0));

  for (int step = 1; step <= 500; ++step) {
    tape.next_draw();
    adam.step(loss);
    if (step % 100 == 0) fmt::print("step {:3}  loss {:.5f}\n", step, tape.value(loss));
  }
  return tape.value(loss) < 0.005 ? 0 : 1;  // guessing the mean would give 0.083
}
