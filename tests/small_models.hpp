// Models small enough to run under every set of passes: each function records one with its loss, and gives
// the gradients of all parameters, and the loss.
#pragma once

#include <spool/spool.hpp>

#include <cmath>
#include <random>
#include <vector>

namespace spool {

// A small classifier over the given layer: its loss and the gradients of all its parameters.
template <class R>
Vars trained(Tape& tape, const typename R::Options& options, std::int64_t T, std::int64_t B,
             Var lengths = {}) {
  const Init init{.seed = 3};
  const R layer(init, options);
  const Linear head(init.named("head"), layer.output_size(), 5);
  std::vector<double> x(static_cast<std::size_t>(T * B * options.input));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<double>(i));
  std::vector<int> classes(static_cast<std::size_t>(T * B));
  for (std::size_t i = 0; i < classes.size(); ++i) classes[i] = static_cast<int>(i % 5);
  const Var xs = tape.input(Tensor(Shape{T, B, options.input}, x), "x");
  const auto unrolled = layer.unroll(xs, {.lengths = lengths, .training = true});
  Var loss = cross_entropy(head(unrolled.ys), tape.tokens({T, B}, classes, "classes"));
  for (const Var s : flatten(unrolled.state)) loss = loss + sum(s * s);
  Vars wanted = grad(loss, parameters(layer, head));
  wanted.push_back(loss);
  return wanted;
}

// A language model over a small vocabulary: what the products of the table's rows become.
template <class R>
Vars embedded(Tape& tape, std::int64_t T, std::int64_t B, Var lengths = {}, bool both_ways = true) {
  const Init init{.seed = 4};
  const Embedding table(init.named("table"), 3, 4);
  const R layer(init, {.input = 4, .hidden = 5, .bidirectional = both_ways});
  const Linear head(init.named("head"), layer.output_size(), 3);
  std::vector<int> ids(static_cast<std::size_t>(T * B));
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int>(i * i % 3);
  const Var x = tape.tokens({T, B}, ids);
  const Var loss = cross_entropy(head(layer.unroll(table(x), {.lengths = lengths}).ys), x);
  Vars wanted = grad(loss, parameters(table, layer, head));
  wanted.push_back(loss);
  return wanted;
}

// Sentences of these lengths, each recorded for itself: a bidirectional LSTM, a class for each word.
inline Vars tagged(Tape& tape, const std::vector<int>& lengths) {
  const Init init{.seed = 6};
  const Embedding table(init.named("table"), 30, 3);
  const Lstm lstm(init, {.input = 3, .hidden = 4, .bidirectional = true});
  const Linear head(init.named("head"), 8, 5);
  Var loss;
  int word = 0;
  for (const int n : lengths) {
    std::vector<int> words, labels;
    for (int i = 0; i < n; ++i) words.push_back(7 * ++word % 30), labels.push_back(word % 5);
    const Var ys = lstm.unroll(reshape(table(tape.tokens({n}, words)), {n, 1, 3})).ys;
    const Var each = cross_entropy(head(ys), tape.tokens({n, 1}, labels), {.reduction = Reduction::sum});
    loss = loss.valid() ? loss + each : each;
  }
  Vars wanted = grad(loss, parameters(table, lstm, head));
  wanted.push_back(loss);
  return wanted;
}

// Trees of these numbers of leaves, each recorded for itself; `shape` draws how they branch.
inline Vars trees(Tape& tape, const std::vector<int>& leaves, std::uint32_t shape) {
  const Init init{.seed = 7};
  const Embedding table(init.named("table"), 30, 3);
  const Linear join(init.named("join"), 6, 3), gate(init.named("gate"), 6, 3), head(init.named("head"), 3, 5);
  std::mt19937 engine(shape);
  Var loss;
  int word = 0;
  for (const int n : leaves) {
    std::vector<int> words;
    for (int i = 0; i < n; ++i) words.push_back(11 * ++word % 30);
    const Var xs = table(tape.tokens({n}, words));
    std::vector<Var> parts;
    for (int i = 0; i < n; ++i) parts.push_back(slice(xs, 0, i, i + 1));
    while (parts.size() > 1) {
      const auto at = static_cast<std::ptrdiff_t>(engine() % (parts.size() - 1));
      const Var left = parts[static_cast<std::size_t>(at)], right = parts[static_cast<std::size_t>(at) + 1];
      const Var both = concat({left, right}, 1);
      parts[static_cast<std::size_t>(at)] = tanh(join(both)) * sigmoid(gate(both)) + left;
      parts.erase(parts.begin() + at + 1);
    }
    const Var each = cross_entropy(head(parts[0]), tape.tokens({1}, {n % 5}), {.reduction = Reduction::sum});
    loss = loss.valid() ? loss + each : each;
  }
  Vars wanted = grad(loss, parameters(table, join, gate, head));
  wanted.push_back(loss);
  return wanted;
}

}  // namespace spool
