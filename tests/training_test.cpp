// Whole training runs: the same losses, gradient norms and final weights as PyTorch, step by step.
#include <spool/spool.hpp>

#include "catch.hpp"
#include "reference.hpp"

using namespace spool;

TEST_CASE("twenty steps of a two-layer LSTM under clipping and Adam are those of PyTorch") {
  const auto ref = Reference::open("ref_torch/train_lstm_adam_20steps.json");
  if (!ref) return;
  const Init init{.dtype = DType::f64};
  const Lstm lstm(init.named("lstm"), {.input = 3, .hidden = 8, .layers = 2});
  const Linear fc(init.named("fc"), 8, 4);
  const Params params = parameters(lstm, fc);
  REQUIRE(params.size() == ref->keys("initial").size());
  for (Param p : params) p.assign(ref->tensor("initial/" + p.name()));
  Adam adam(params, {.lr = 1e-2});
  adam.set_clip({.max_norm = 0.5});

  Tape tape(DType::f64);
  const Var x = permute(tape.input(ref->tensor("inputs/x")), {1, 0, 2});  // [B,T,D] -> [T,B,D]
  const Var last = select(lstm.unroll(x).ys, 0, -1);
  const Var loss = cross_entropy(fc(last), tape.input(ref->tensor("inputs/target")));
  std::vector<double> losses, norms;
  for (int step = 0; step < 20; ++step) {
    adam.step(loss);
    losses.push_back(tape.value(loss));
    norms.push_back(adam.last().grad_norm);
  }
  check_close("losses", Tensor({20}, losses), ref->tensor("losses"));
  check_close("gradient norms", Tensor({20}, norms), ref->tensor("grad_norms_before_clip"));
  for (const Param& p : params) check_close(p.name(), p.value(), ref->tensor("final/" + p.name()));
}
