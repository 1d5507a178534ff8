#include "study.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace examples {

using namespace spool;

Task adding_problem(std::int64_t T, std::int64_t B) {
  const auto draw = [T, width = static_cast<std::size_t>(B)](Tensor& x, Tensor& y, Philox& random, bool) {
    const auto steps = static_cast<std::size_t>(T);
    for (std::size_t i = 0; i < x.size(); i += 2) x.set(i, random.uniform());
    for (std::size_t b = 0; b < width; ++b)  // a mark in each half
      for (const std::size_t t : {random.below(steps / 2), steps / 2 + random.below(steps - steps / 2)}) {
        x.set(2 * (t * width + b) + 1, 1);
        y.set(b, y.at(b) + x.at(2 * (t * width + b)));
      }
  };
  return {.name = fmt::format("adding, T = {}", T),
          .x = {T, B, 2},
          .y = {B, 1},
          .input = 2,
          .outputs = 1,
          .draw = draw,
          .naive = 1.0 / 6};  // the variance of a sum of two numbers
}

Task copy_problem(std::int64_t T, std::int64_t B) {
  const auto draw = [T, width = static_cast<std::size_t>(B)](Tensor& x, Tensor& y, Philox& random, bool) {
    const auto steps = static_cast<std::size_t>(T);
    for (std::size_t i = 0; i < x.size(); ++i) x.set(i, 8), y.set(i, 8);
    for (std::size_t i = 0; i < 10 * width; ++i) {
      x.set(i, static_cast<double>(random.below(8)));
      y.set((steps + 10) * width + i, x.at(i));
    }
    for (std::size_t b = 0; b < width; ++b) x.set((steps + 9) * width + b, 9);
  };
  return {.name = fmt::format("copy, T = {}", T),
          .x = {T + 20, B},
          .y = {T + 20, B},
          .input = 10,
          .outputs = 9,
          .draw = draw,
          .naive = 10 * std::log(8.0) / static_cast<double>(T + 20),  // guessing ten symbols of eight
          .first = T + 10};
}

namespace {

AnyRecurrentOptions fitting(AnyRecurrentOptions layers, const Task& task) {
  layers.input = task.input;
  layers.remember = task.x[0];
  return layers;
}

}  // namespace

Learner::Learner(Tape& tape, const Init& init, AnyRecurrentOptions layers, Task t)
    : name(layers.cell + ", " + t.name),
      task(std::move(t)),
      layers_(init.named(name), fitting(std::move(layers), task)),
      head_(init.named(name + ".head"), layers_.output_size(), task.outputs),
      x_(tape.input(task.x, "x")),
      y_(tape.input(task.y, "y")) {
  const auto [ys, last] = layers_(task.symbols() ? one_hot(x_, task.input) : x_, {});
  if (task.symbols()) {
    const Var scores = head_(ys);
    answer = argmax(scores);
    loss = cross_entropy(scores, y_);
    right = mean(slice(eq(answer, y_), 0, task.first, task.y[0]));
  } else {
    answer = head_(last);
    loss = mse_loss(answer, y_);
    right = mean(lt(abs(answer - y_), 0.04));
  }
}

Tensor Learner::show(Philox random, bool held_out) const {
  Tensor x(x_.shape()), y(y_.shape());
  task.draw(x, y, random, held_out);
  x_.tape().set(x_, x);
  y_.tape().set(y_, y);
  return y;
}

double value_at(const Series& curve, double x) {
  const auto i = static_cast<std::size_t>(std::ranges::lower_bound(curve.x, x) - curve.x.begin());
  if (i == 0) return curve.y.front();
  if (i == curve.x.size()) return curve.y.back();
  const double share = (x - curve.x[i - 1]) / (curve.x[i] - curve.x[i - 1]);
  return std::lerp(curve.y[i - 1], curve.y[i], share);
}

const Learner& Study::add(AnyRecurrentOptions layers, Task task) {
  learners_.push_back(std::make_unique<Learner>(tape_, program_.init(), std::move(layers), std::move(task)));
  return *learners_.back();
}

Params Study::parameters() const {
  Params all;
  for (const auto& l : learners_)
    for (const Param& p : l->parameters()) all.push_back(p);
  return all;
}

namespace {

// An epoch of updates; each is the number of the stream that its examples are drawn from.
struct Updates {
  static std::int64_t size() { return 100; }
  std::uint64_t at(std::uint64_t n) const { return n; }
};

}  // namespace

int Study::train() {
  Adam adam(parameters(), {.lr = program_.recipe().lr});
  adam.set_clip({.value = 0.1});
  TrainerOptions options = program_.training();
  options.schedule = cosine({.steps = options.total_steps(Updates::size()), .eta_min = adam.lr() / 10});
  Var total = tape_.constant(0);
  for (const auto& l : learners_) total = total + l->loss / l->task.naive;
  std::vector<Series> all(learners_.size());
  if (options.resume && file_exists(program_.file("curves.csv"))) all = curves();
  for (std::size_t k = 0; k < all.size(); ++k) all[k].name = learners_[k]->name;
  std::uint64_t updates = 0;
  Trainer trainer(adam, options);
  trainer.keep("updates", updates);
  const auto step = [&](Tape&, std::uint64_t n) {
    updates = n + 1;
    for (const auto& l : learners_) l->show(Philox(program_.seed(), static_cast<std::uint32_t>(n)));
    return total;
  };
  const auto validate = [&] {
    const std::vector<Measured> now = measure(validation_batches, 0);
    const auto x = static_cast<double>(updates);
    double sum = 0;
    for (std::size_t k = 0; k < now.size(); ++k) {
      while (!all[k].x.empty() && all[k].x.back() >= x)  // of a run that was killed and goes on
        all[k].x.pop_back(), all[k].y.pop_back();
      all[k].x.push_back(x), all[k].y.push_back(now[k].loss);
      sum += now[k].loss / learners_[k]->task.naive;
    }
    write(all);
    return Metrics{{"mean loss over that without memory", sum / static_cast<double>(now.size())}};
  };
  const int code = program_.finish(trainer.fit(Updates{}, step, validate));
  if (file_exists(program_.file("curves.svg"))) fmt::print("picture: {}\n", program_.file("curves.svg"));
  return code;
}

void Study::write(const std::vector<Series>& curves) const {
  std::string text = "updates";
  for (const Series& s : curves) text += ",\"" + s.name + "\"";
  for (std::size_t i = 0; i < curves[0].x.size(); ++i) {
    text += fmt::format("\n{}", curves[0].x[i]);
    for (const Series& s : curves) text += fmt::format(",{}", s.y[i]);
  }
  write_file(program_.file("curves.csv"), text + "\n");
  std::vector<Series> relative = curves;
  for (std::size_t k = 0; k < relative.size(); ++k)
    for (double& y : relative[k].y) y /= learners_[k]->task.naive;
  write_file(
      program_.file("curves.svg"),
      line_chart(relative, {.title = "Loss over that without memory", .x_label = "updates", .log_y = true}));
}

std::vector<Series> Study::curves() const {
  const Csv table(program_.file("curves.csv"));
  const auto column = [&](const std::string& name) {
    return table.numbers(std::vector<std::string>{name}).doubles();
  };
  std::vector<Series> all;
  for (const auto& l : learners_)
    all.push_back({.name = l->name, .x = column("updates"), .y = column(l->name)});
  return all;
}

// Streams from 0xFFFFFFFF down are of no update; the first ones validate.
std::vector<Study::Measured> Study::measure(std::uint32_t batches, std::uint32_t first) {
  std::vector<Measured> all(learners_.size());
  Vars wanted;
  for (const auto& l : learners_) wanted.insert(wanted.end(), {l->loss, l->right});
  for (std::uint32_t i = 0; i < batches; ++i) {
    for (const auto& l : learners_)
      l->show(Philox(program_.seed(), 0xFFFFFFFF - first - i), /*held_out=*/true);
    tape_.run(wanted);
    for (std::size_t k = 0; k < all.size(); ++k) {
      all[k].loss += tape_.value(learners_[k]->loss) / batches;
      all[k].right += tape_.value(learners_[k]->right) / batches;
    }
  }
  return all;
}

}  // namespace examples
