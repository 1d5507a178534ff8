// Random recordings for property tests: smooth ops on random shapes, wired at random, the same for the same
// seed.
#pragma once

#include <spool/spool.hpp>

#include <functional>
#include <random>
#include <vector>

namespace spool {

// Records the same ops for the same seed, with values kept near 1 so that derivatives stay tame.
class RandomGraph {
 public:
  explicit RandomGraph(std::uint32_t seed) : seed_(seed) {
    std::mt19937 random(seed * 7919 + 1);
    for (int i = 0; i < 3; ++i) {
      std::vector<std::int64_t> dims(random() % 4);
      for (std::int64_t& d : dims) d = 1 + random() % 3;
      Tensor t{Shape(dims), DType::f64};
      for (std::size_t k = 0; k < t.size(); ++k) t.set(k, static_cast<double>(random()) * 0x1p-31 - 1);
      inputs_.push_back(std::move(t));
    }
  }

  const std::vector<Tensor>& inputs() const { return inputs_; }

  Vars leaves(Tape& tape) const {
    Vars in;
    for (const Tensor& t : inputs_) in.push_back(tape.input(t));
    return in;
  }

  /// `use(i)` gives the Var to read input i by.
  Var record(const std::function<Var(std::size_t)>& use) const {
    std::mt19937 random(seed_);
    Vars made;
    const auto pick = [&] {
      const std::size_t i = random() % (inputs_.size() + made.size());
      return i < inputs_.size() ? use(i) : made[i - inputs_.size()];
    };
    for (int step = 0; step < 12; ++step) {
      const Var a = pick(), b = pick();
      made.push_back(random() % 2 == 0 ? one(random, a) : two(random, a, b));
    }
    Var total = sum(made.back());
    for (int i = 0; i < 4; ++i) total = total + mean(made[random() % made.size()]);
    return total;
  }

  Var record(const Vars& in) const {
    return record([&](std::size_t i) { return in[i]; });
  }

 private:
  static Var one(std::mt19937& random, Var a) {
    const int rank = a.shape().rank();
    const int axis = rank == 0 ? 0 : static_cast<int>(random() % static_cast<unsigned>(rank));
    switch (random() % (rank == 0 ? 6 : 14)) {
      case 0:
        return tanh(a);
      case 1:
        return sigmoid(2 * a);
      case 2:
        return exp(tanh(a));
      case 3:
        return log(1.5 + a * a);
      case 4:
        return 1 - a / 3;
      case 5:
        return reshape(a, {-1});
      case 6:
        return sum(tanh(a), axis);
      case 7:
        return mean(a, axis, /*keepdims=*/true);
      case 8:
        return softmax(a, axis);
      case 9:
        return flip(a, axis);
      case 10:
        return place(a, axis, 1, a.shape()[axis] + 1);
      case 11:
        return slice(a, axis, 0, (a.shape()[axis] + 1) / 2);
      case 12:
        return rank < 2 ? -a : transpose(a);
      default:
        return logsumexp(a, axis);
    }
  }

  static Var two(std::mt19937& random, Var a, Var b) {
    const auto kind = random() % 5;
    if (kind == 0 && a.shape().rank() == b.shape().rank() && a.shape().rank() > 0 &&
        a.shape().with(0, 1) == b.shape().with(0, 1) && a.shape().size() + b.shape().size() <= 100)
      return concat({a, b}, 0);
    if (kind <= 1)
      return tanh(matmul(reshape(a, {-1, 1}), reshape(slice(reshape(b, {-1}), 0, 0, 1), {1, 1})));
    const auto joint = broadcast_shapes(a.shape(), b.shape());
    if (!joint || joint->size() > 100) b = sum(b);
    return kind == 2 ? tanh(a * b) : kind == 3 ? a - b : a / (2 + tanh(b));
  }

  std::uint32_t seed_;
  std::vector<Tensor> inputs_;
};

}  // namespace spool
