// What the trainer's tests train: a small model on batches of random numbers, and a loss that stays as it is.
#pragma once

#include <spool/spool.hpp>

#include <cstdint>
#include <vector>

namespace spool {

struct Batch {
  Tensor x, y;  // [4,3], [4,1]
};

// y is the sum of x, and x depends on the batch.
inline std::vector<Batch> make_batches(int count) {
  std::vector<Batch> all;
  Philox random(7);
  for (int i = 0; i < count; ++i) {
    Batch b{Tensor({4, 3}), Tensor({4, 1})};
    for (std::size_t row = 0; row < 4; ++row) {
      double sum = 0;
      for (std::size_t k = 0; k < 3; ++k) {
        b.x.set(3 * row + k, random.uniform(-1, 1));
        sum += b.x.at(3 * row + k);
      }
      b.y.set(row, sum);
    }
    all.push_back(b);
  }
  return all;
}

struct Model {
  Init init{.seed = 5};
  Linear in{init.named("in"), 3, 6}, out{init.named("out"), 6, 1};

  Params parameters() const { return spool::parameters(in, out); }
  Var loss(Tape& tape, const Batch& b) const {
    const Var h = dropout(tanh(in(tape.input(b.x))), 0.2);
    return mse_loss(out(h), tape.input(b.y));
  }
  double validation(const std::vector<Batch>& batches) const {
    Tape tape;
    return tape.value(mse_loss(out(tanh(in(tape.input(batches[0].x)))), tape.input(batches[0].y)));
  }
  std::vector<Tensor> values() const {
    std::vector<Tensor> all;
    for (const Param& p : parameters()) all.push_back(p.value());
    return all;
  }
};

inline TrainerOptions quiet(std::int64_t epochs) { return {.epochs = epochs, .progress = false}; }

// A loss that can't be made smaller, for tests of the loop alone.
struct Constant {
  Param w{"w", Tensor({1})};
  Var operator()(Tape& tape, int) const { return sum(tape.param(w)) * 0; }
};

// What a trainer does that gets these values from its validations, one batch an epoch.
inline TrainResult with_validations(TrainerOptions o, const std::vector<double>& values) {
  const Constant c;
  Sgd sgd({c.w}, {.lr = 0.1});
  std::size_t next = 0;
  o.progress = false;
  return Trainer(sgd, o).fit(std::vector{1}, c, [&] { return values.at(next++); });
}

}  // namespace spool
