// The model: characters in, scores of the next character out, through any of Spool's recurrent layers.
#pragma once

#include "options.hpp"

#include <spool/spool.hpp>

#include <optional>

namespace char_lm {

template <class R>  // Rnn, Lstm or Gru
class CharLm {
 public:
  using State = typename R::State;

  CharLm(const Options& o, std::int64_t vocabulary) : CharLm(o, vocabulary, spool::Init{.seed = o.seed}) {}

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
  CharLm(const Options& o, std::int64_t vocabulary, const spool::Init& init)
      : vocabulary_(vocabulary),
        embedding_(o.embed > 0 ? std::optional<spool::Embedding>(std::in_place, init.named("embedding"),
                                                                 vocabulary, o.embed)
                               : std::nullopt),
        recurrent_(init.named("recurrent"), {.input = o.embed > 0 ? o.embed : vocabulary,
                                             .hidden = o.hidden,
                                             .layers = o.layers,
                                             .dropout = o.dropout}),
        head_(init.named("head"), o.hidden, vocabulary) {}

  std::int64_t vocabulary_;
  std::optional<spool::Embedding> embedding_;
  R recurrent_;
  spool::Linear head_;
};

/// Calls f with the model that the options describe.
template <class F>
auto with_model(const Options& o, std::int64_t vocabulary, F&& f) {
  if (o.cell == "rnn") return f(CharLm<spool::Rnn>(o, vocabulary));
  if (o.cell == "gru") return f(CharLm<spool::Gru>(o, vocabulary));
  return f(CharLm<spool::Lstm>(o, vocabulary));
}

/// Mean loss in nats per character, with the state carried from window to window.
template <class R>
double evaluate(const CharLm<R>& model, const spool::TextBatches& batches) {
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

}  // namespace char_lm
