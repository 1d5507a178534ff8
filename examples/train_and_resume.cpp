// A training run that can stop at any step and go on as if it had not: an LSTM with dropout that learns a
// text by heart. main() stops a run half-way, goes on from its file, and compares with a run that never
// stopped.
#include <spool/spool.hpp>

#include <fmt/format.h>

#include <filesystem>

using namespace spool;

constexpr std::string_view text =
    "A tape is wound forward on a spool, and rewound for the gradient. What was written last is read "
    "first.\n";

// Trains until `last_step`, from the file's state if there is one. Gives the weights.
std::vector<Tensor> train(const std::string& file, std::uint64_t last_step) {
  const Vocabulary vocabulary(text);
  const std::vector<int> symbols = vocabulary.encode(text);
  const TextBatches batches(symbols, {.streams = 4, .steps = 12});
  const std::int64_t V = vocabulary.size();
  const Init init{.seed = 1};
  const Lstm lstm(init.named("lstm"), {.input = V, .hidden = 32, .layers = 2, .dropout = 0.1});
  const Linear head(init.named("head"), 32, V);
  AdamW adam(parameters(lstm, head), {.lr = 0.02, .weight_decay = 1e-3});
  adam.set_clip({.max_norm = 1});
  Schedule schedule(adam, warm_up(10, cosine({.steps = 150})));
  Tape tape({.seed = 1});
  auto carried = lstm.zero_state(/*batch=*/4);
  std::uint64_t step = 0;

  if (std::filesystem::exists(file)) {
    const Checkpoint saved = load_checkpoint(file, {{"cell", "lstm"}});
    restore(adam.params(), saved.state.part("model"));
    adam.load_state(saved.state.part("optimizer"));
    schedule.load_state(saved.state.part("schedule"));
    tape.set_random(random_state(saved.state.part("random")));
    restore(carried.values(), saved.state.part("carried"));
    step = saved.state.count("step");
  }
  while (step < last_step) {
    tape.clear();
    const TextBatch batch = batches.at(step);
    if (batch.first) carried = lstm.zero_state(4);
    const Var letters = one_hot(tape.tokens(batch.shape, batch.x), V);
    const auto [ys, state] = lstm.unroll(letters, carried.on(tape), {.training = true});
    const Var loss = cross_entropy(head(ys), tape.tokens(batch.shape, batch.y));
    carried = adam.step(loss, state);
    schedule.step();
    if (++step % 40 != 0) continue;
    fmt::print("step {:3}  loss {:.4f}\n", step, tape.value(loss));
    Checkpoint c{.model = {{"cell", "lstm"}}};
    c.state.add("model", snapshot(adam.params()));
    c.state.add("optimizer", adam.state());
    c.state.add("schedule", schedule.state());
    c.state.add("random", snapshot(tape.random()));
    c.state.add("carried", snapshot(carried.values()));
    c.state.counts["step"] = step;
    save_checkpoint(file, c);
  }
  std::vector<Tensor> weights;
  for (const Param& p : adam.params()) weights.push_back(p.value());
  return weights;
}

int main() {
  const std::filesystem::path here = "train_and_resume.tmp";
  std::filesystem::remove_all(here);
  std::filesystem::create_directory(here);
  const auto straight = train(here / "straight.safetensors", 160);
  train(here / "stopped.safetensors", 90);  // as if killed: its file is of step 80
  const auto resumed = train(here / "stopped.safetensors", 160);
  std::filesystem::remove_all(here);
  fmt::print("the same bits: {}\n", straight == resumed);
  return straight == resumed ? 0 : 1;
}
