// hello: three recurrent networks learn to spell. Given h e l l, each must say e l l o: after the first l
// another l, after the second an o, which only a memory can tell apart.
#include <spool/spool.hpp>

#include <fmt/format.h>

#include <string>

using namespace spool;

namespace {

constexpr std::string_view alphabet = "helo";

std::vector<int> codes(std::string_view word) {
  std::vector<int> all;
  for (char letter : word) all.push_back(static_cast<int>(alphabet.find(letter)));
  return all;
}

template <class Layer>
bool learn_to_spell(const char* name) {
  const Init init{.seed = 1};
  const Layer layer(init, {.input = 4, .hidden = 8});
  const Linear head(init.named("head"), 8, 4);
  Adam adam(parameters(layer, head), {.lr = 0.05});

  Tape tape;  // four steps, a batch of one word
  const Var letters = one_hot(tape.tokens({4, 1}, codes("hell")), 4);
  const Var logits = head(layer.unroll(letters).ys);
  const Var loss = cross_entropy(logits, tape.tokens({4, 1}, codes("ello")));
  const Var guess = argmax(logits, -1);

  fmt::print("{}\n", name);
  for (int step = 0; step <= 150; ++step) {
    adam.step(loss, guess);
    if (step % 50 == 0) fmt::print("  step {:3}  loss {:.4f}\n", step, tape.value(loss));
  }
  std::string word;
  for (double code : tape.read(guess).doubles()) word += alphabet[static_cast<std::size_t>(code)];
  fmt::print("  hell -> {}\n", word);
  return word == "ello" && tape.value(loss) < 0.01;
}

}  // namespace

int main() {
  const bool rnn = learn_to_spell<Rnn>("RNN");
  const bool lstm = learn_to_spell<Lstm>("LSTM");
  const bool gru = learn_to_spell<Gru>("GRU");
  return rnn && lstm && gru ? 0 : 1;
}
