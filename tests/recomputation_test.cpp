// Unrolls in groups of steps that are computed again: the same gradients in less memory, within a budget.
#include <spool/spool.hpp>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "checkpointed.hpp"

using namespace spool;

namespace {

// An unroll of the given options beside one without; xs [T,B,D].
void check_unroll(const UnrollOptions& options, std::int64_t T, std::initializer_list<int> lengths = {}) {
  const std::int64_t B = 3, D = 4;
  const Init init{.seed = 4};
  const LstmCell lstm(init, D, 5);
  const Zoneout cell{lstm, {0.2, 0.1}, true};
  const auto loss = [&](Tape& t, Var xs, UnrollOptions o) {
    if (lengths.size() > 0) o.lengths = t.tokens({B}, lengths);
    const auto [ys, last] = unroll(cell, xs, lstm.zero_state(t, B), o);
    return mean(ys * ys) + sum(last.c * last.h);
  };
  check_same(
      lstm.parameters(), {T, B, D},
      [&](Tape& t, Var xs) { return loss(t, xs, {.reverse = options.reverse}); },
      [&](Tape& t, Var xs) { return loss(t, xs, options); });
}

// The arena of a run of an LSTM, its gradients, and the prediction for a budget.
struct Memory {
  std::int64_t bytes, predicted;
  std::uint32_t nodes;
};
Memory memory_of(std::int64_t T, const UnrollOptions& options) {
  const std::int64_t B = 4, D = 8, H = 16;
  const Init init{.seed = 4};
  const LstmCell cell(init, D, H);
  Tape tape;
  const Var xs = tape.input(tensor({T, B, D}));
  const LstmState start{tape.input(tensor({B, H})), tape.input(tensor({B, H}))};
  const auto [ys, last] = unroll(cell, xs, start, options);
  Vars wrt{xs, start.h, start.c};
  for (const Param& p : cell.parameters()) wrt.push_back(tape.param(p));
  const Vars wanted = grad(sum(ys * ys) + sum(last.h * last.h) + sum(last.c * last.c), wrt);
  tape.run(wanted);
  return {static_cast<std::int64_t>(tape.run_stats().arena_bytes),
          plan_budget(cell, xs, start, options).bytes, tape.size()};
}

}  // namespace

TEST_CASE("an unroll in groups of steps has the gradients that it has without") {
  for (const std::int64_t T : {1, 2, 7})
    for (const bool reverse : {false, true})
      for (const Recomputation how : {Recomputation{1, 6}, Recomputation{3, 2}, Recomputation{2, 1}}) {
        if (T <= how.group) continue;
        INFO("T " << T << ", groups of " << how.group << ", " << how.states << " states");
        check_unroll({.reverse = reverse, .recomputation = how}, T);
        check_unroll({.reverse = reverse, .recomputation = how}, T, {static_cast<int>(T), 1, 0});
      }
}

TEST_CASE("the binomial schedule computes as many steps again as the theory says") {
  // C(s + r, s) groups take r computations; see Griewank and Walther 2000, table 1.
  CHECK(recomputed_steps(10, {1, 9}) == 9);
  CHECK(recomputed_steps(3, {1, 1}) == 3);
  CHECK(recomputed_steps(10, {1, 3}) == 2 * 10 - 5);
  CHECK(recomputed_steps(10, {3, 3}) == 9);
  CHECK(recomputed_steps(10, {10, 3}) == 0);
  CHECK(recomputed_steps(10, {}) == 0);
  CHECK(uniform_recomputation(10, 3) == Recomputation{3, 3});
  CHECK(uniform_recomputation(10, 10) == Recomputation{});
  for (const std::int64_t steps : {10, 100, 1000, 100'000}) {
    const Recomputation r = choose_recomputation(steps, 10, 2, 20 * std::sqrt(static_cast<double>(steps)));
    INFO(steps << " steps: groups of " << r.group << ", " << r.states << " states");
    CHECK(static_cast<double>(10 * r.group + 2 * r.states) <= 20 * std::sqrt(static_cast<double>(steps)));
    CHECK(recomputed_steps(steps, r) < steps);
  }
}

TEST_CASE("a recording has the steps that its schedule computes again") {
  for (const std::int64_t T : {5, 12, 20})
    for (const Recomputation how :
         {Recomputation{1, 2}, Recomputation{1, 4}, Recomputation{2, 2}, Recomputation{3, 6}}) {
      Tape tape;
      const RnnCell cell(Init{.seed = 1}, 2, 3);
      const Var xs = tape.input(tensor({T, 1, 2}));
      const auto [ys, last] = unroll(cell, xs, cell.zero_state(tape, 1), {.recomputation = how});
      const auto steps = [&] {
        std::int64_t n = 0;
        for (std::uint32_t id = 0; id < tape.size(); ++id) n += std::string(tape.op(id).name) == "tanh";
        return n;
      };
      CHECK(steps() == T);
      grad(sum(last), cell.parameters());
      INFO("T " << T << ", groups of " << how.group << ", " << how.states << " states");
      CHECK(steps() == T + recomputed_steps(T, how));
    }
}

TEST_CASE("memory of a run: what is predicted, and what recomputation spares") {
  const Memory without = memory_of(200, {});
  CHECK(without.bytes == without.predicted);
  for (const double part : {0.9, 0.55, 0.4, 0.3, 0.25}) {
    const auto limit = static_cast<std::int64_t>(part * static_cast<double>(without.bytes));
    INFO(part << " of " << without.bytes);
    const Memory with = memory_of(200, {.budget = {limit}});
    CHECK(with.bytes <= limit);
    CHECK(with.bytes == with.predicted);
  }
  // Beyond 512 steps the prediction goes on from fewer, and may say too much.
  for (const double part : {1.0, 0.4, 0.25}) {
    const auto limit = static_cast<std::int64_t>(5 * part * static_cast<double>(without.bytes));
    INFO(part << " of " << 5 * without.bytes);
    const Memory with = memory_of(1000, {.budget = {limit}});
    CHECK(static_cast<double>(with.bytes) < 1.05 * static_cast<double>(limit));
    CHECK(static_cast<double>(with.bytes) < 1.05 * static_cast<double>(with.predicted));
    CHECK(static_cast<double>(with.bytes) > 0.85 * static_cast<double>(with.predicted));
  }
}

TEST_CASE("random numbers that a checkpoint draws are not kept") {
  const std::int64_t T = 40, B = 8, H = 8;
  const RnnCell cell(Init{.seed = 1}, H, H);
  const auto bytes = [&](double zoneout) {
    Tape tape;
    const auto [ys, last] = unroll(Zoneout{cell, {zoneout}, true}, tape.input(Shape{T, B, H}),
                                   cell.zero_state(tape, B), {.recomputation = {5, 7}});
    return predicted_bytes(tape, grad(sum(ys * ys), cell.parameters()));
  };
  CHECK(bytes(0.1) < bytes(0) + 8 * B * H * sizeof(float) * 2);  // T of them would be five times as many
}

namespace {

// A language model of two layers, its loss taken over groups of steps.
struct LanguageModel {
  static constexpr std::int64_t vocab = 7, hidden = 8;
  Init init{.seed = 3};
  Embedding table{init, vocab, hidden};
  Gru layers{init, {.input = hidden, .hidden = hidden, .layers = 2, .dropout = 0.2}};
  Linear head{init.named("head"), hidden, vocab};

  Params parameters() const { return spool::parameters(table, layers, head); }
  Var loss(Tape& t, std::int64_t T, const Recomputation& how) const {
    std::vector<int> x(static_cast<std::size_t>(2 * T)), y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] = static_cast<int>(i * i % 7), y[i] = static_cast<int>(i % 5);
    const auto record = [&](const Vars& in, const Gru::State& state) {
      auto [ys, next] = layers.unroll(table(in[0]), state, {.training = true});
      return std::pair(cross_entropy(head(ys), in[1], {.reduction = Reduction::sum}), next);
    };
    const auto [sum, last] =
        sum_over_time({t.tokens({T, 2}, x), t.tokens({T, 2}, y)}, layers.initial_state(t, 2), how, record);
    return sum + spool::sum(last[0] * last[1]);
  }
};

}  // namespace

TEST_CASE("a whole model in groups of steps has the gradients that the groups have without checkpoints") {
  const LanguageModel model;
  constexpr std::int64_t T = 9;
  for (const Recomputation how : {Recomputation{3, 2}, Recomputation{1, 2}, Recomputation{4, 1}}) {
    INFO("groups of " << how.group << ", " << how.states << " states");
    // The same groups, and so the same random numbers, with no checkpoint around them.
    check_same(
        model.parameters(), {1},
        [&](Tape& t, Var) {
          Var loss;
          Gru::State state = model.layers.initial_state(t, 2);
          std::vector<int> x, y;
          for (std::int64_t begin = 0; begin < T; begin += how.group) {
            const std::int64_t n = std::min(how.group, T - begin);
            x.clear(), y.clear();
            for (std::int64_t i = 2 * begin; i < 2 * (begin + n); ++i)
              x.push_back(static_cast<int>(i * i % 7)), y.push_back(static_cast<int>(i % 5));
            auto [ys, next] =
                model.layers.unroll(model.table(t.tokens({n, 2}, x)), state, {.training = true});
            const Var part =
                cross_entropy(model.head(ys), t.tokens({n, 2}, y), {.reduction = Reduction::sum});
            loss = loss.valid() ? loss + part : part;
            state = next;
          }
          return loss + sum(state[0] * state[1]);
        },
        [&](Tape& t, Var) { return model.loss(t, T, how); }, 2);
  }
}

TEST_CASE("a whole model in groups of steps: memory grows as the root of the number of steps, or slower") {
  const LanguageModel model;
  const auto bytes = [&](std::int64_t T, const Recomputation& how) {
    Tape tape;
    return static_cast<double>(predicted_bytes(tape, grad(model.loss(tape, T, how), model.parameters())));
  };
  CHECK(bytes(400, {}) > 3.5 * bytes(100, {}));
  CHECK(bytes(400, uniform_recomputation(400, 20)) < 2 * bytes(100, uniform_recomputation(100, 10)));
  // Each step six times: as many values for any T, but for gaps between them.
  CHECK(bytes(400, {4, 5}) < 1.3 * bytes(100, {4, 5}));
}

TEST_CASE("inputs over whose time no sum can be taken are refused") {
  Tape tape;
  const auto record = [](const Vars& in, Var s) { return std::pair(sum(in[0]), s); };
  const Var s = tape.constant(0, {1});
  CHECK_THROWS_WITH(sum_over_time({}, s, {}, record), "sum_over_time: there are no inputs");
  CHECK_THROWS_AS(sum_over_time({tape.input(Shape{3}), tape.input(Shape{2})}, s, {}, record), ShapeError);
  CHECK_THROWS_AS(sum_over_time({tape.input(Shape{0})}, s, {}, record), ShapeError);
}

TEST_CASE("what no recomputation can do is refused, with the least that can") {
  const std::string start = "unroll: 200 steps can't be done within 1000 bytes; the least is ";
  std::string what;
  try {
    memory_of(200, {.budget = {1000}});
  } catch (const TapeError& e) {
    what = e.what();
  }
  REQUIRE(what.starts_with(start));
  const std::int64_t least = std::stoll(what.substr(start.size()));
  CHECK(memory_of(200, {.budget = {least}}).bytes <= least);
  for (const std::int64_t bytes : {1, -1, -9}) {
    Tape tape;
    const Lstm lstm(Init{.seed = 4}, {.input = 2, .hidden = 3, .layers = 2, .bidirectional = true});
    CHECK_THROWS_AS(lstm.unroll(tape.input(tensor({5, 1, 2})), {.budget = {bytes}}), TapeError);
  }
  CHECK_THROWS_WITH(memory_of(20, {.recomputation = {2, 0}}),
                    "unroll: recomputation in groups of 2 steps with 0 states; both must be at least 1");
}

TEST_CASE("a layer with recurrent dropout takes a budget") {
  for (const std::vector<double>& zoneout : {std::vector<double>{}, {0.1, 0.2}}) {
    const Lstm lstm(Init{.seed = 4},
                    {.input = 8, .hidden = 16, .recurrent_dropout = 0.3, .zoneout = zoneout});
    const auto run = [&](const LayerCall& call) {
      Tape tape({.seed = 3});
      const Var xs = tape.input(tensor({200, 4, 8}));
      const Var ys = lstm.unroll(xs, call).ys;
      Vars wanted;
      for (const Param& p : lstm.parameters()) wanted.push_back(tape.param(p));
      wanted = grad(sum(ys * ys), wanted);
      tape.run(wanted);
      return std::pair(tape.read(wanted[0]).doubles(), tape.run_stats().arena_bytes);
    };
    const auto [without, all] = run({.training = true});
    const auto [with, bytes] = run({.training = true, .budget = {400'000}});
    CHECK(all > 700'000);
    CHECK(bytes <= 400'000);
    for (std::size_t i = 0; i < with.size(); ++i)
      CHECK(with[i] == Approx(without[i]).epsilon(1e-3).margin(1e-4));
  }
}
