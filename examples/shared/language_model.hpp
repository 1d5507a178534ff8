// A language model: symbols in, scores of the next symbol out, through any of Spool's recurrent layers; its
// loss on a text with the state carried from window to window. And what such a model writes, or another one
// that goes from symbol to symbol. It is no part of the library.
#pragma once

#include "program.hpp"

#include <spool/spool.hpp>

#include <fmt/format.h>

#include <boost/algorithm/string.hpp>

#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <vector>

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

  /// One symbol [1,1] at a time.
  spool::Stepper<State> stepper() const {
    return {spool::Shape{1, 1}, zero_state(1),
            [&](spool::Var x, const State& state) { return (*this)(x, state, /*training=*/false); }};
  }

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

/// --temperature, --top-k and --top-p; the defaults are what the options are before.
inline void add_options(Program& program, spool::SampleOptions& o) {
  const auto not_negative = [](double t) {
    require(t >= 0 && std::isfinite(t),
            fmt::format("--temperature must be a number that is not negative, not {}", t));
  };
  const auto count = [](int k) { require(k >= 0, fmt::format("--top-k can't be negative: {}", k)); };
  const auto share = [](double p) {
    require(p > 0 && p <= 1, fmt::format("--top-p must lie in (0, 1], not {}", p));
  };
  const auto shown = [](double v) { return fmt::format("{}", v); };
  auto used = program.used();
  used("temperature",
       po::value(&o.temperature)->default_value(o.temperature, shown(o.temperature))->notifier(not_negative),
       "below 1: surer; above: bolder; 0: always the likeliest");
  used("top-k", po::value(&o.top_k)->default_value(o.top_k)->notifier(count),
       "among the k likeliest; 0: all");
  used("top-p", po::value(&o.top_p)->default_value(o.top_p, shown(o.top_p))->notifier(share),
       "among the likeliest that hold this");
}

struct WriteOptions {
  std::vector<int> prime = {};  ///< symbols to go on from; none: the lowest, in most texts a line's end
  int length = 300;             ///< symbols at most
  std::optional<int> end = {};  ///< the symbol at which it stops, which is not written
  spool::SampleOptions sampling = {};
};

/// What a model writes after the prime, by its stepper(); each text of a seed is a stream of its own.
/// TapeError when the scores are not finite.
template <class Stepper>
std::string write(Stepper&& model, const spool::Vocabulary& vocabulary, const WriteOptions& o,
                  std::uint64_t seed, std::uint32_t text_number = 0) {
  spool::Philox random(seed, text_number);
  model.reset();
  for (std::size_t i = 0; i + 1 < o.prime.size(); ++i) model.step(o.prime[i]);
  std::string text;
  int last = o.prime.empty() ? 0 : o.prime.back();
  for (int i = 0; i < o.length; ++i) {
    const spool::Tensor& scores = model.step(last);
    check_finite(scores);
    last = spool::sample_token(scores.doubles(), o.sampling, random);
    if (last == o.end) break;
    text += vocabulary.decode(last);
  }
  return text;
}

/// A text in lines of 36 characters at most, for <pre>. No line is blank: that would end HTML in Markdown.
inline std::string as_html(const std::string& text) {
  static const std::map<std::string, std::string> marks{{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}};
  std::string html;
  int column = 0;
  bool blank = true;
  for (const std::string& c : spool::characters_of(boost::erase_all_copy(text, "\r"))) {
    const bool ends = c == "\n";
    if (ends || column == 36) {
      html += blank ? "&nbsp;\n" : "\n";
      column = 0;
      blank = true;
    }
    if (ends) continue;
    html += marks.contains(c) ? marks.at(c) : c;
    ++column;
    blank = blank && (c == " " || c == "\t");
  }
  return html + (blank ? "&nbsp;" : "");
}

}  // namespace examples
