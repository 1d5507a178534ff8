// A language model: symbols in, scores of the next symbol out, through any of Spool's recurrent layers; its
// loss on a text with the state carried from window to window, and what it writes. It is no part of the
// library.
#pragma once

#include "program.hpp"

#include <spool/spool.hpp>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

namespace examples {

struct LanguageModelOptions {
  Recipe recipe = {};           ///< an embed of 0 feeds one-hot vectors
  std::int64_t vocabulary = 0;  ///< V
};

template <class R>  // Rnn, Lstm or Gru
class LanguageModel {
 public:
  using State = typename R::State;

  LanguageModel(const spool::Init& init, const LanguageModelOptions& o)
      : vocabulary_(o.vocabulary),
        recurrent_(init.named("recurrent"), {.input = o.recipe.embed > 0 ? o.recipe.embed : o.vocabulary,
                                             .hidden = o.recipe.hidden,
                                             .layers = o.recipe.layers,
                                             .dropout = o.recipe.dropout}),
        head_(init.named("head"), o.recipe.hidden, o.vocabulary) {
    if (o.recipe.embed > 0) embedding_.emplace(init.named("embedding"), o.vocabulary, o.recipe.embed);
  }

  /// tokens [T,B] -> scores [T,B,V] and the state after the last.
  spool::Unrolled<State> operator()(spool::Var tokens, State state, bool training) const {
    const spool::Var x = embedding_ ? (*embedding_)(tokens) : spool::one_hot(tokens, vocabulary_);
    auto [ys, last] = recurrent_.unroll(x, std::move(state), {.training = training});
    return {head_(ys), std::move(last)};
  }

  spool::Carried<State> zero_state(std::int64_t batch) const { return recurrent_.zero_state(batch); }

  spool::Params parameters() const {
    return embedding_ ? spool::parameters(*embedding_, recurrent_, head_)
                      : spool::parameters(recurrent_, head_);
  }

 private:
  std::int64_t vocabulary_;
  std::optional<spool::Embedding> embedding_;
  R recurrent_;
  spool::Linear head_;
};

/// Calls f with the model that the options describe.
template <class F>
int with_model(const spool::Init& init, const LanguageModelOptions& o, F&& f) {
  if (o.recipe.cell == "rnn") return f(LanguageModel<spool::Rnn>(init, o));
  if (o.recipe.cell == "gru") return f(LanguageModel<spool::Gru>(init, o));
  return f(LanguageModel<spool::Lstm>(init, o));
}

/// Mean loss in nats per symbol, with the state carried from window to window.
template <class R>
double evaluate(const LanguageModel<R>& model, const spool::TextBatches& batches) {
  spool::Tape tape;
  const spool::Shape shape = batches.at(0).shape;
  const spool::Var x = tape.input(shape, "characters"), y = tape.input(shape, "next characters");
  auto carried = model.zero_state(shape[1]);
  const auto state = carried.on(tape);
  const auto [scores, next] = model(x, state, /*training=*/false);
  const spool::Var loss = spool::cross_entropy(scores, y);

  spool::Vars wanted = spool::flatten(next);
  wanted.push_back(loss);
  double total = 0;
  for (std::uint64_t i = 0; i < batches.size(); ++i) {
    const spool::TextBatch batch = batches.at(i);
    tape.set(x, batch.x);
    tape.set(y, batch.y);
    carried.bind(state);
    tape.run(wanted);
    total += tape.value(loss);
    carried = spool::Carried(next);
  }
  return total / static_cast<double>(batches.size());
}

struct WriteOptions {
  std::string prime = {};  ///< what it goes on from; empty: the lowest symbol, in most texts a line's end
  int length = 300;        ///< characters
  spool::SampleOptions sampling = {};
  std::uint64_t seed = 1;
};

/// What the model writes after the prime. TapeError when its scores are not finite.
template <class R>
std::string write(const LanguageModel<R>& model, const spool::Vocabulary& vocabulary, const WriteOptions& o) {
  spool::Stepper stepper(
      spool::Shape{1, 1}, model.zero_state(1),
      [&](spool::Var character, const auto& state) { return model(character, state, /*training=*/false); });
  spool::Philox random(o.seed);
  std::vector<int> prime = vocabulary.encode(o.prime, "--prime");
  if (prime.empty()) prime = {0};
  spool::Tensor last;
  for (const int character : prime) last = stepper.step(character);
  std::string text;
  for (int i = 0; i < o.length; ++i) {
    const std::vector<double> scores = last.doubles();
    if (!std::ranges::all_of(scores, [](double s) { return std::isfinite(s); }))
      throw spool::TapeError("the model gives scores that are not finite; train it anew with a lower --lr");
    const int character = spool::sample_token(scores, o.sampling, random);
    text += vocabulary.decode(character);
    last = stepper.step(character);
  }
  return text;
}

}  // namespace examples
