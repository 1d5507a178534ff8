// Training loops settle: after the third step on batches of one shape, no step asks for memory, and one plan
// serves all of them. Loops that record each batch anew, and loops that record once and set inputs.
#include <spool/graph/run/threads.hpp>
#include <spool/spool.hpp>

#include <functional>

#include "catch.hpp"
#include "count_allocations.hpp"

using namespace spool;

namespace {

constexpr std::int64_t V = 7;

struct Batch {
  Shape shape;
  std::vector<int> x, y;
};

// Symbols that change from step to step.
void draw(Batch& batch, int step) {
  const auto n = static_cast<std::size_t>(batch.shape.size());
  batch.x.resize(n);
  batch.y.resize(n);
  for (std::size_t i = 0; i < n; ++i) {
    batch.x[i] = static_cast<int>((i * 5 + static_cast<std::size_t>(step)) % V);
    batch.y[i] = static_cast<int>((i * 3 + static_cast<std::size_t>(step)) % V);
  }
}

// Takes the steps of a loop, and expects of those after the third that they allocate nothing, and of all that
// they share a plan.
void expect_settled(Tape& tape, const Shape& shape, int steps,
                    const std::function<void(const Batch&)>& step) {
  Batch batch{shape, {}, {}};
  std::size_t allocated = 0;
  int first = -1;
  for (int i = 0; i < steps; ++i) {
    draw(batch, i);
    const std::size_t before = allocations();
    step(batch);
    const std::size_t now = allocations() - before;
    if (i < 3 || now == 0) continue;
    allocated += now;
    if (first < 0) first = i;
  }
  CAPTURE(first);
  CHECK(allocated == 0);
  CHECK(tape.run_stats().plans == 1);
  CHECK(tape.run_stats().hits == static_cast<std::uint64_t>(steps) - 1);
}

void train_lstm(std::int64_t hidden, Shape shape, int steps, Recomputation recomputation = {}) {
  const Init init{.seed = 1};
  const Lstm lstm(init, {.input = V, .hidden = hidden, .layers = 2, .dropout = 0.1});
  const Linear head(init, hidden, V);
  Adam adam(parameters(lstm, head), {});
  adam.set_clip({.max_norm = 0.01});
  Tape tape;
  Carried carried = lstm.zero_state(shape[1]);
  expect_settled(tape, shape, steps, [&](const Batch& batch) {
    tape.clear();
    const Var xs = one_hot(tape.tokens(batch.shape, batch.x, "the characters of this batch"), V);
    const auto [ys, state] =
        lstm.unroll(xs, carried.on(tape), {.training = true, .recomputation = recomputation});
    const Var loss = cross_entropy(head(ys), tape.tokens(batch.shape, batch.y, "those that come next"));
    carried = adam.step(loss, state);
  });
}

void train_gru(std::int64_t hidden, Shape shape, int steps) {
  const Init init{.seed = 1};
  const Gru gru(init, {.input = 5, .hidden = hidden, .recurrent_dropout = 0.1, .zoneout = {0.1}});
  const Embedding embedding(init, V, 5);
  const Linear head(init, hidden, V);
  const Linear unused(init.named("a layer that no loss depends on"), 2, 2);
  Sgd sgd(parameters(gru, embedding, head, unused), {.lr = 0.1, .momentum = 0.9});
  Tape tape;
  const Var x = tape.input(shape, "x"), y = tape.input(shape, "y");
  Carried carried = gru.zero_state(shape[1]);
  const auto start = carried.on(tape);
  const auto all = gru.unroll(embedding(x), start, {.training = true});
  const Var loss = cross_entropy(head(dropout(all.ys, 0.1, true)), y);
  expect_settled(tape, shape, steps, [&](const Batch& batch) {
    tape.set(x, batch.x);
    tape.set(y, batch.y);
    tape.next_draw();
    carried.bind(start);
    carried = sgd.step(loss, all.state);
  });
}

// A run of a model this wide is shared out to all threads, that of a small one is not.
constexpr std::int64_t wide = 64;

}  // namespace

TEST_CASE("a training loop that records each batch anew settles") {
  for (const int threads : {1, 2}) {
    set_threads(threads);
    train_lstm(4, {6, 3}, 1000);
    train_lstm(wide, {8, 8}, 20);
    train_lstm(4, {9, 3}, 20, {.group = 2, .states = 2});
  }
  set_threads(0);
}

TEST_CASE("a training loop that records once and sets inputs settles") {
  for (const int threads : {1, 2}) {
    set_threads(threads);
    train_gru(4, {6, 3}, 1000);
    train_gru(wide, {8, 16}, 20);
  }
  set_threads(0);
}
