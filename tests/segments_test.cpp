// Gradients over segments: those of one recording over all of time, whatever the segments.
#include <spool/spool.hpp>

#include <algorithm>
#include <cmath>

#include "catch.hpp"

using namespace spool;

namespace {

struct Model {
  static constexpr std::int64_t input = 3, hidden = 9, batch = 2, steps = 12;
  Init init{.seed = 5};
  Lstm lstm{init, {.input = input, .hidden = hidden, .layers = 2, .dropout = 0.25}};
  Linear head{init.named("head"), hidden, 2};
  Params params = parameters(lstm, head);

  Tensor data(std::int64_t begin, std::int64_t end) const {
    Tensor x({end - begin, batch, input}, DType::f64);
    for (std::size_t i = 0; i < x.size(); ++i)
      x.set(i, std::sin(0.7 * static_cast<double>(begin * batch * input + static_cast<std::int64_t>(i))));
    return x;
  }
  std::pair<Var, Lstm::State> record(Tape& tape, std::int64_t begin, std::int64_t end, Lstm::State state,
                                     bool training) const {
    auto [ys, next] = lstm.unroll(tape.input(data(begin, end)), std::move(state), {.training = training});
    const Var scores = head(ys);
    return {sum(scores * tanh(scores)), std::move(next)};
  }
  SegmentGradients<Lstm::State> over(Tape& tape, std::int64_t segments, bool training = false) const {
    const std::int64_t each = steps / segments;
    return gradients_over_segments(tape, params, segments, lstm.zero_state(batch),
                                   [&](std::int64_t i, const Lstm::State& state) {
                                     return record(tape, i * each, (i + 1) * each, state, training);
                                   });
  }
};

void check_close(const Tensor& a, const Tensor& b, double bound) {
  REQUIRE(a.shape() == b.shape());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(std::abs(a.at(i) - b.at(i)) < bound);
}

}  // namespace

TEST_CASE("segments have the loss, gradients and last state of one recording") {
  const Model model;
  Tape tape(DType::f64);
  const Lstm::State start = model.lstm.zero_state(Model::batch).on(tape);
  const auto [loss, last] = model.record(tape, 0, Model::steps, start, false);
  Vars wrt = flatten(start);
  for (const Param& p : model.params) wrt.push_back(tape.param(p));
  Vars wanted = grad(loss, wrt);
  const std::size_t gradients = wanted.size();
  for (const Var v : flatten(last)) wanted.push_back(v);
  wanted.push_back(loss);
  tape.run(wanted);
  std::vector<Tensor> expected;
  for (const Var v : wanted) expected.push_back(tape.read(v));

  for (const std::int64_t segments : {1, 2, 3, 12}) {
    INFO(segments << " segments");
    Tape other(DType::f64);
    const auto all = model.over(other, segments);
    CHECK(all.loss == Approx(expected.back().at(0)).epsilon(1e-13));
    CHECK(other.run_stats().runs == static_cast<std::uint64_t>(2 * segments - 1));
    CHECK(other.run_stats().plans <= 4);
    for (std::size_t i = 0; i < all.start.size(); ++i) check_close(all.start[i], expected[i], 1e-12);
    for (std::size_t i = 0; i < all.gradients.size(); ++i)
      check_close(all.gradients[i], expected[all.start.size() + i], 1e-12);
    for (std::size_t i = 0; i < all.last.values().size(); ++i)
      check_close(all.last.values()[i], expected[gradients + i], 1e-13);
  }
}

TEST_CASE("segments draw the same random numbers on both ways") {
  const Model model;
  const auto loss = [&](double change) {
    Tape tape({.dtype = DType::f64, .seed = 9});
    Param w = model.params[1];
    Tensor value = w.value();
    const double before = value.at(7);
    value.set(7, before + change);
    w.assign(value);
    auto all = model.over(tape, 4, true);
    value.set(7, before);
    w.assign(value);
    return std::pair(all.loss, all.gradients[1].at(7));
  };
  constexpr double step = 1e-3;  // parameters are floats
  const double slope = (loss(step).first - loss(-step).first) / (2 * step);
  CHECK(loss(0).second == Approx(slope).epsilon(2e-3));
}

TEST_CASE("random numbers go on after segments as after one run of each") {
  const Model model;
  Tape once({.dtype = DType::f64, .seed = 9}), segments({.dtype = DType::f64, .seed = 9});
  for (int i = 0; i < 3; ++i) once.clear();
  model.over(segments, 3, true);
  once.clear();
  segments.clear();
  CHECK(once.read(bernoulli(once, {40}, 0.5)).doubles() ==
        segments.read(bernoulli(segments, {40}, 0.5)).doubles());
}

TEST_CASE("no segments are refused") {
  const Model model;
  Tape tape;
  CHECK_THROWS_WITH(
      gradients_over_segments(tape, model.params, 0, model.lstm.zero_state(2),
                              [&](std::int64_t, const Lstm::State& s) { return std::pair(sum(s[0].h), s); }),
      "gradients_over_segments: 0 segments; there must be one at least");
}
