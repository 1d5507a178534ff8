// A tagger trained on sentences of different lengths, two parts of each batch at once. A part gives its loss
// and, from the same run, how many of its words got the right tag.
#include <spool/spool.hpp>

#include <fmt/format.h>

#include <array>
#include <random>

using namespace spool;

struct Sentence {
  std::vector<int> words, tags;
};

// The tag of a word is the word before it.
Sentence draw(std::mt19937& random) {
  Sentence s;
  const std::size_t length = 3 + random() % 8;
  for (int last = 0; s.words.size() < length; last = s.words.back()) {
    s.words.push_back(static_cast<int>(random() % 10));
    s.tags.push_back(last);
  }
  return s;
}

struct Tagger {
  Init init{.seed = 1};
  Embedding table{init.named("table"), 10, 16};
  Lstm lstm{init.named("lstm"), {.input = 16, .hidden = 32}};
  Linear head{init.named("head"), 32, 10};

  Var operator()(Var words) const {  // [T] -> [T,10]
    const std::int64_t T = words.shape()[0];
    return reshape(head(lstm.unroll(reshape(table(words), {T, 1, 16})).ys), {T, 10});
  }
};

int main() {
  const Tagger tagger;
  Adam adam(parameters(tagger.table, tagger.lstm, tagger.head), {.lr = 0.01});
  DataParallel parts(adam, 2);
  std::mt19937 random(1);
  double accuracy = 0;
  for (int step = 1; step <= 60; ++step) {
    std::array<std::vector<Sentence>, 2> batch;
    double words = 0;
    for (auto& sentences : batch)
      for (int i = 0; i < 8; ++i)
        words += static_cast<double>(sentences.emplace_back(draw(random)).words.size());

    const auto [loss, right] = parts.step(
        [&](Tape& tape, int part) {
          Var sum_of_losses = tape.constant(0), count = tape.constant(0);
          for (const Sentence& s : batch.at(static_cast<std::size_t>(part))) {
            const Shape shape{std::ssize(s.words)};
            const Var scores = tagger(tape.tokens(shape, s.words)), tags = tape.tokens(shape, s.tags);
            sum_of_losses = sum_of_losses + cross_entropy(scores, tags, {.reduction = Reduction::sum});
            count = count + sum(eq(argmax(scores), tags));
          }
          return std::pair(sum_of_losses / words, count);
        },
        Accumulated::sum);

    accuracy = (parts.tape(0).value(right[0]) + parts.tape(1).value(right[1])) / words;
    if (step % 20 == 0) fmt::print("step {:2}  loss {:.3f}  accuracy {:.2f}\n", step, loss, accuracy);
  }
  return accuracy > 0.9 ? 0 : 1;
}
