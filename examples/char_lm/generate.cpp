#include "generate.hpp"

#include "corpus.hpp"
#include "model.hpp"
#include "train.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace char_lm {

namespace {

// Chooses the next character by its scores: softmax(scores / temperature), cut to the top k, then to the
// smallest set that holds probability p (Holtzman et al. 2020), then renormalised by drawing below its sum.
int choose(const spool::Tensor& scores, const Options& o, spool::Philox& random) {
  if (!std::ranges::all_of(scores.doubles(), [](double s) { return std::isfinite(s); }))
    throw spool::TapeError("the model gives scores that are not finite; train it anew with a lower --lr");
  std::vector<int> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  const auto score = [&](int i) { return scores.at(static_cast<std::size_t>(i)); };
  std::ranges::stable_sort(order, std::greater{}, score);
  if (o.temperature == 0) return order[0];

  std::vector<double> p;
  for (int i : order) p.push_back(std::exp((score(i) - score(order[0])) / o.temperature));
  if (o.top_k > 0 && p.size() > static_cast<std::size_t>(o.top_k))
    p.resize(static_cast<std::size_t>(o.top_k));
  const double enough = o.top_p * std::accumulate(p.begin(), p.end(), 0.0);
  double sum = 0;
  std::size_t kept = 0;
  while (kept < p.size() && sum < enough) sum += p[kept++];

  double left = random.uniform() * sum;
  for (std::size_t i = 0; i < kept; ++i) {
    left -= p[i];
    if (left < 0) return order[i];
  }
  return order[kept - 1];
}

template <class R>
void write(const CharLm<R>& model, const spool::Vocabulary& vocabulary, const Options& o) {
  spool::Stepper stepper(
      spool::Shape{1, 1}, model.zero_state(1),
      [&](spool::Var character, const auto& state) { return model(character, state, /*training=*/false); });

  spool::Philox random(o.seed);
  std::vector<int> prime = vocabulary.encode(o.prime, "--prime");
  if (prime.empty()) prime = {0};  // the lowest symbol: the end of a line, in most texts
  spool::Tensor last;
  for (int character : prime) last = stepper.step(character);
  fmt::print("{}", o.prime);
  for (int i = 0; i < o.length; ++i) {
    const int character = choose(last, o, random);
    fmt::print("{}", vocabulary.decode(character));
    last = stepper.step(character);
  }
  fmt::print("\n");
}

}  // namespace

void sample(const Options& o, const spool::Checkpoint& c) {
  const spool::Vocabulary vocabulary(c.model.at("vocabulary"));
  with_model(o, vocabulary.size(), [&](const auto& model) {
    spool::restore(model.parameters(), c.state.part("model"));
    write(model, vocabulary, o);
    return 0;
  });
}

void eval(const Options& o, const spool::Checkpoint& c) {
  const Corpus corpus = read_corpus(o);
  if (corpus.fingerprint != c.model.at("text"))
    throw spool::FileError(fmt::format("{}: the text has changed since the model learnt it",
                                       o.text.empty() ? "the embedded text" : o.text));
  with_model(o, corpus.vocabulary.size(), [&](const auto& model) {
    spool::restore(model.parameters(), c.state.part("model"));
    fmt::print("validation loss {:.4f}\n", evaluate(model, corpus.validation));
    if (corpus.test) fmt::print("test loss {:.4f}\n", evaluate(model, *corpus.test));
    fmt::print("(nats per character)\n");
    return 0;
  });
}

}  // namespace char_lm
