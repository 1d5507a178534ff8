#include "memory_problem.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

namespace examples {

using namespace spool;

Shape MemoryProblem::x_shape(std::int64_t B) const { return adding ? Shape{T, B, 2} : Shape{T + 20, B}; }
Shape MemoryProblem::y_shape(std::int64_t B) const { return adding ? Shape{B, 1} : Shape{T + 20, B}; }

double MemoryProblem::without_memory() const {
  return adding ? 1.0 / 6 : 10 * std::log(8.0) / static_cast<double>(T + 20);
}

void MemoryProblem::draw(Tensor& x, Tensor& y, Philox& random) const {
  const auto B = static_cast<std::size_t>(x.shape()[1]), steps = static_cast<std::size_t>(T);
  if (adding) {
    for (std::size_t i = 0; i < x.size(); i += 2) x.set(i, random.uniform());
    for (std::size_t b = 0; b < B; ++b)  // a mark in each half
      for (const std::size_t t : {random.below(steps / 2), steps / 2 + random.below(steps - steps / 2)}) {
        x.set(2 * (t * B + b) + 1, 1);
        y.set(b, y.at(b) + x.at(2 * (t * B + b)));
      }
    return;
  }
  for (std::size_t i = 0; i < x.size(); ++i) x.set(i, 8), y.set(i, 8);
  for (std::size_t i = 0; i < 10 * B; ++i) {
    x.set(i, static_cast<double>(random.below(8)));
    y.set((steps + 10) * B + i, x.at(i));
  }
  for (std::size_t b = 0; b < B; ++b) x.set((steps + 9) * B + b, 9);
}

namespace {

AnyRecurrentOptions fitting(AnyRecurrentOptions layers, const MemoryProblem& problem) {
  layers.input = problem.adding ? 2 : 10;
  layers.remember = problem.T;
  return layers;
}

}  // namespace

MemoryLearner::MemoryLearner(Tape& tape, const Init& init, AnyRecurrentOptions layers, const MemoryProblem& p,
                             std::int64_t B)
    : name(fmt::format("{}, T = {}", layers.cell, p.T)),
      problem(p),
      layers_(init.named(name), fitting(std::move(layers), p)),
      head_(init.named(name + ".head"), layers_.output_size(), p.adding ? 1 : 9),
      x_(tape.input(p.x_shape(B), "x")),
      y_(tape.input(p.y_shape(B), "y")) {
  const auto [ys, last] = layers_(p.adding ? x_ : one_hot(x_, 10), {});
  if (p.adding) {
    answer = head_(last);
    loss = mse_loss(answer, y_);
    right = mean(lt(abs(answer - y_), 0.04));
  } else {
    const Var scores = head_(ys);
    answer = argmax(scores);
    loss = cross_entropy(scores, y_);
    right = mean(slice(eq(answer, y_), 0, p.T + 10, p.T + 20));
  }
}

Tensor MemoryLearner::show(Philox random) const {
  Tensor x(x_.shape()), y(y_.shape());
  problem.draw(x, y, random);
  x_.tape().set(x_, x);
  y_.tape().set(y_, y);
  return y;
}

}  // namespace examples
