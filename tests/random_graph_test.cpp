// Properties of gradients on random recordings: smooth ops on random shapes, wired at random. A failure
// prints the seed that repeats it.
#include <spool/spool.hpp>

#include <fmt/format.h>

#include <cmath>
#include <random>

#include "catch.hpp"

using namespace spool;

namespace {

constexpr std::uint32_t seeds = 60;

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

template <class T>
void check_close(const std::vector<std::vector<double>>& got, const std::vector<std::vector<T>>& expected,
                 double bound) {
  for (std::size_t i = 0; i < got.size(); ++i)
    for (std::size_t k = 0; k < got[i].size(); ++k) {
      const double e = static_cast<double>(expected[i][k]);
      INFO("gradient " << i << ", element " << k << ": " << got[i][k] << " against " << e);
      CHECK(std::abs(got[i][k] - e) <= bound * (1 + std::abs(e)));
    }
}

}  // namespace

TEST_CASE("gradients of random recordings agree with slopes, to the second order") {
  for (std::uint32_t seed = 0; seed < seeds; ++seed) {
    const RandomGraph graph(seed);
    const auto f = [&](Tape&, const Vars& in) { return graph.record(in); };
    const GradReport report = grad_check(
        f, graph.inputs(), {.order = 2, .quad = seed % 8 == 0, .entries = 0, .directions = 2, .seed = seed});
    INFO("seed " << seed << "\n" << report.text());
    CHECK(report);
  }
}

TEST_CASE("random recordings and their gradients in double are those in 113 bits") {
  for (std::uint32_t seed = 0; seed < seeds; ++seed) {
    INFO("seed " << seed);
    const RandomGraph graph(seed);
    Tape tape(DType::f64);
    const Vars in = graph.leaves(tape);
    Vars wanted = grad(graph.record(in), in);
    wanted.push_back(graph.record(in));
    check_close(run_plain<double>(tape, wanted), run_plain<Quad>(tape, wanted), 1e-12);
  }
}

TEST_CASE("the gradient is linear: in sums exactly as rounding allows, in powers of two to the bit") {
  for (std::uint32_t seed = 0; seed < seeds; ++seed) {
    INFO("seed " << seed);
    const RandomGraph graph(seed);
    Tape tape(DType::f64);
    const Vars in = graph.leaves(tape);
    const Var f = graph.record(in), g = tanh(f) + sum(in[0] * in[0]);
    const Vars df = grad(f, in), dg = grad(g, in), both = grad(f + g, in), scaled = grad(f * 1024, in);
    Vars sums;
    for (std::size_t i = 0; i < in.size(); ++i) sums.push_back(df[i] + dg[i]);
    check_close(run_plain<double>(tape, both), run_plain<double>(tape, sums), 1e-12);
    Vars rescaled;
    for (const Var& v : df) rescaled.push_back(v * 1024);
    CHECK(run_plain<double>(tape, scaled) == run_plain<double>(tape, rescaled));
  }
}

TEST_CASE("recording again adds no node, and sharing a node changes no gradient") {
  for (std::uint32_t seed = 0; seed < seeds; ++seed) {
    INFO("seed " << seed);
    const RandomGraph graph(seed);
    Tape tape(DType::f64);
    const Vars in = graph.leaves(tape);
    const Var f = graph.record(in);
    const Vars df = grad(f, in);
    const std::uint32_t nodes = tape.size();
    CHECK(graph.record(in) == f);
    CHECK(grad(f, in) == df);
    CHECK(tape.size() == nodes);

    // With a leaf of its own for every use, nothing is shared; the leaves' gradients add up to the same.
    Vars copies;
    std::vector<std::size_t> copy_of;
    const Var apart = graph.record([&](std::size_t i) {
      copy_of.push_back(i);
      return copies.emplace_back(tape.input(graph.inputs()[i]));
    });
    CHECK(run_plain<double>(tape, {&apart, 1}) == run_plain<double>(tape, {&f, 1}));
    const Vars parts = grad(apart, copies);
    Vars sums;
    for (std::size_t i = 0; i < in.size(); ++i) {
      Var total = tape.constant(0, in[i].shape());
      for (std::size_t k = 0; k < parts.size(); ++k)
        if (copy_of[k] == i) total = total + parts[k];
      sums.push_back(total);
    }
    check_close(run_plain<double>(tape, df), run_plain<double>(tape, sums), 1e-12);
  }
}
