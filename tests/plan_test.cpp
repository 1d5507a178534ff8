// Plans: printed ones of small models pinned step by step, since a lost fusion changes no number; and every
// model and random recording run plain and under each set of passes.
#include <spool/graph/run/team.hpp>
#include <spool/spool.hpp>

#include <fmt/format.h>

#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <thread>

#include "catch.hpp"
#include "random_graph.hpp"

using namespace spool;

namespace {

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

std::size_t count(const std::string& text, const std::string& word) {
  std::size_t n = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++n;
  return n;
}

// The largest difference between two runs, relative to the largest element of each value.
double difference(Tape& tape, const Vars& wanted, Tape& other, const Vars& same) {
  tape.run(wanted);
  other.run(same);
  double worst = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto a = tape.read(wanted[i]).doubles(), b = other.read(same[i]).doubles();
    REQUIRE(a.size() == b.size());
    double scale = 1e-3;
    for (const double v : b) scale = std::max(scale, std::abs(v));
    for (std::size_t k = 0; k < a.size(); ++k)
      if (!(std::abs(a[k] - b[k]) / scale <= worst)) worst = std::abs(a[k] - b[k]) / scale;
  }
  return worst;
}

const char* const masks[] = {"",
                             "-sums",
                             "-select",
                             "-fuse",
                             "-sink",
                             "-group",
                             "-place",
                             "-reuse",
                             "-sums,-group,-place",
                             "-sums,-select,-fuse,-sink,-group,-place,-reuse"};

// Records the same thing on a plain tape and on one for each set of passes.
void check_masks(const std::string& what, DType dtype, const std::function<Vars(Tape&)>& record) {
  Tape plain({.dtype = dtype, .seed = 5, .plan = "plain"});
  const Vars expected = record(plain);
  for (const char* mask : masks) {
    INFO(what << " with SPOOL_PLAN=" << mask);
    Tape tape({.dtype = dtype, .seed = 5, .plan = mask});
    CHECK(difference(tape, record(tape), plain, expected) < (dtype == DType::f32 ? 2e-4 : 1e-11));
    CHECK(tape.run_stats().plans == 1);
    CHECK(tape.run_stats().fallbacks == 0);
  }
}

}  // namespace

TEST_CASE("models give the same plain and under every set of passes") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const auto check = [&](const char* what, auto layer, const auto& options) {
      using R = typename decltype(layer)::type;
      check_masks(what, dtype, [&](Tape& t) { return trained<R>(t, options, 5, 3); });
      check_masks(std::string(what) + " of different lengths", dtype, [&](Tape& t) {
        return trained<R>(t, options, 4, 3, t.tokens({3}, {4, 1, 2}));
      });
    };
    check("rnn", std::type_identity<Rnn>{},
          Rnn::Options{.input = 3, .hidden = 4, .layers = 2, .bidirectional = true});
    check("lstm", std::type_identity<Lstm>{},
          Lstm::Options{.input = 3, .hidden = 4, .layers = 2, .dropout = 0.3});
    check("gru", std::type_identity<Gru>{},
          Gru::Options{.input = 3, .hidden = 4, .layers = 2, .residual = true});
    check("lstm with all options", std::type_identity<Lstm>{},
          Lstm::Options{.input = 3,
                        .hidden = 5,
                        .zoneout = {0.2, 0.1},
                        .learn_initial_state = true,
                        .cell = {.peepholes = true, .proj = 3, .layer_norm = true}});
  }
}

namespace {

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

}  // namespace

TEST_CASE("models of an embedding give the same plain and under every set of passes") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    check_masks("rnn", dtype, [](Tape& t) { return embedded<Rnn>(t, 4, 3); });
    check_masks("lstm", dtype, [](Tape& t) { return embedded<Lstm>(t, 4, 3); });
    check_masks("gru", dtype, [](Tape& t) { return embedded<Gru>(t, 4, 3); });
    check_masks("lstm of different lengths", dtype, [](Tape& t) {
      return embedded<Lstm>(t, 4, 3, t.tokens({3}, {2, 4, 1}));
    });
  }
  Tape tape;
  const std::string text = tape.plan_text(embedded<Lstm>(tape, 4, 3, {}, false));
  INFO(text);
  CHECK(count(text, "product   [3, 4] x param \"weight_ih_l0") == 1);  // each row of the table once
  CHECK(count(text, "sum       [3, 20]T x [3, 4]") == 1);              // also for the gradient of the weight
  CHECK(count(text, "eval      scatter_rows_add [3, 20]") == 1);
}

namespace {

// Sentences of these lengths, each recorded for itself: a bidirectional LSTM, a class for each word.
Vars tagged(Tape& tape, const std::vector<int>& lengths) {
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
Vars trees(Tape& tape, const std::vector<int>& leaves, std::uint32_t shape) {
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

}  // namespace

TEST_CASE("sentences and trees recorded one by one give the same plain and under every set of passes") {
  for (std::uint32_t seed = 0; seed < 12; ++seed) {
    std::mt19937 engine(seed);
    std::vector<int> sizes(1 + engine() % 6);
    for (int& n : sizes) n = 1 + static_cast<int>(engine() % 7);
    const DType dtype = seed % 2 == 0 ? DType::f32 : DType::f64;
    check_masks(fmt::format("sentences of seed {}", seed), dtype, [&](Tape& t) { return tagged(t, sizes); });
    check_masks(fmt::format("trees of seed {}", seed), dtype, [&](Tape& t) { return trees(t, sizes, seed); });
  }
}

TEST_CASE("sentences and trees recorded one by one run level by level, however many there are") {
  const auto plan = [](auto&& record, const std::vector<int>& sizes) {
    Tape tape;
    return tape.plan_text(record(tape, sizes));
  };
  const auto few = plan(tagged, {4, 2}), many = plan(tagged, {4, 2, 3, 1, 4, 2, 3, 3, 1});
  INFO(few << '\n' << many);
  CHECK(count(many, "product ") == count(few, "product "));
  CHECK(count(many, "eval      take_rows") == 1);
  CHECK(count(many, "eval      scatter_rows_add") == 1);
  CHECK(count(many, "x param \"weight_hh_l0\"") == 4 + 3);  // one a step, both ways
  const auto caterpillars = [](Tape& t, const std::vector<int>& sizes) { return trees(t, sizes, 1); };
  const auto two = plan(caterpillars, {6, 3}), nine = plan(caterpillars, {6, 3, 2, 5, 4, 3, 2, 6, 1});
  INFO(two << '\n' << nine);
  CHECK(count(nine, "product ") == count(two, "product "));
  CHECK(count(nine, "eval      take_rows") == 1);
  CHECK(count(nine, "eval      scatter_rows_add") == 1);
}

TEST_CASE("a run takes the steps that the plan's text has, and one to pack each transposed right operand") {
  const auto check = [](auto&& record, const std::vector<int>& sizes, std::size_t packed) {
    Tape tape;
    const Vars wanted = record(tape, sizes);
    const std::string text = tape.plan_text(wanted);
    INFO(text);
    tape.run(wanted);
    CHECK(tape.run_stats().steps == count(text, "\n") + packed);
  };
  check(tagged, {4, 2, 3, 1, 4, 2},
        4 + 1);  // the weights of both ways and the head; for their gradients they are read as they lie
  check([](Tape& t, const std::vector<int>& sizes) { return trees(t, sizes, 1); }, {6, 3, 2, 5}, 2 + 1);
}

TEST_CASE("random recordings give the same plain and under every set of passes") {
  for (std::uint32_t seed = 0; seed < 150; ++seed)
    check_masks(fmt::format("random graph of seed {}", seed), DType::f64, [&](Tape& tape) {
      const RandomGraph graph(seed);
      const Vars in = graph.leaves(tape);
      const Var y = graph.record(in);
      Vars wanted = grad(y, in);
      wanted.push_back(y);
      return wanted;
    });
}

TEST_CASE("an unrolled LSTM: the products of all steps, and one for each weight's gradient") {
  Tape tape;
  const Vars wanted = trained<Lstm>(tape, {.input = 3, .hidden = 4}, 6, 2);
  const std::string text = tape.plan_text(wanted);
  INFO(text);
  CHECK(count(text, "product   6 x [12, 3] x param \"weight_ih_l0\"") == 1);  // inputs of all steps at once
  CHECK(count(text, "x param \"weight_hh_l0\"") == 6 + 5);     // forward, and backward but for the first
  CHECK(count(text, "sum       6 x [12, 16]T x [12, ") == 2);  // one for each weight
  CHECK(count(text, "in lstm/l0/t=3") == 4);                   // product and tiles, both ways
  CHECK(count(text, "copy") <= 1);                             // the first state
}

TEST_CASE("an unrolled GRU: a product and one step of tiles, both ways") {
  Tape tape;
  const std::string text = tape.plan_text(trained<Gru>(tape, {.input = 3, .hidden = 48}, 4, 30));
  INFO(text);
  CHECK(count(text, "in gru/l0/t=2") == 4);
  CHECK(count(text, "of [30, 144]") == 0);  // what two concats share is copied within the tiles
}

TEST_CASE("an unrolled LSTM with layer norm: a product and one step of tiles, both ways") {
  Tape tape;
  const std::string text =
      tape.plan_text(trained<Lstm>(tape, {.input = 3, .hidden = 4, .cell = {.layer_norm = true}}, 6, 2));
  INFO(text);
  CHECK(count(text, "in lstm/l0/t=3") == 4);  // product and tiles, both ways
}

TEST_CASE("a run serves from its plan when the same is recorded again, whatever the data and constants") {
  Tape tape;
  for (int step = 0; step < 5; ++step) {
    tape.clear();
    const Var x = tape.input(Tensor({2}, {1.0 + step, 2.0}));
    const Var y = x * (0.5 * step + 2) + 1;
    tape.run({y});
    CHECK(tape.read(y).at(0) == (1.0 + step) * (0.5 * step + 2) + 1);
  }
  CHECK(tape.run_stats().plans == 1);
  CHECK(tape.run_stats().hits == 4);
  const Var z = tape.input(Tensor({2}, {1, 2})) * 3;
  tape.run({z});
  CHECK(tape.run_stats().plans == 2);
}

TEST_CASE("a plan that takes the memory of an older one packs its weights anew") {
  const Param w("w", Tensor(Shape{2, 2}, {1, 2, 3, 4}));
  Tape tape;
  for (std::int64_t rows = 1; rows <= 60; ++rows) {
    tape.clear();
    const Var v = tape.param(w),
              x = tape.input(
                  Tensor(Shape{rows, 2}, std::vector<double>(static_cast<std::size_t>(2 * rows), 1.0)));
    const Var y = matmul(x, rows % 3 == 0 ? v : transpose(v));
    tape.run({y});
    INFO(rows << " rows");
    CHECK(tape.read(y).at(0) == (rows % 3 == 0 ? 1 + 3 : 1 + 2));
  }
  CHECK(tape.run_stats().plans == 60);
}

TEST_CASE("the same bits with any number of threads, and when two tapes run at once") {
  // Large enough to be shared out: a run below some microseconds stays on one thread.
  const auto results = [](int n) {
    set_threads(n);
    Tape tape;
    const Vars wanted = trained<Lstm>(tape, {.input = 40, .hidden = 48, .layers = 2, .dropout = 0.1}, 7, 33);
    tape.run(wanted);
    std::vector<std::vector<double>> values;
    for (const Var v : wanted) values.push_back(tape.read(v).doubles());
    return values;
  };
  const auto alone = results(1);
  for (const int n : {2, 3, 4}) {
    INFO(n << " threads");
    CHECK(results(n) == alone);
  }
  std::vector<std::vector<double>> beside;
  std::thread other([&] { beside = results(2); });
  const auto here = results(2);
  other.join();
  CHECK(here == alone);
  CHECK(beside == alone);
  set_threads(0);
}

TEST_CASE("threads of a run leave a processor that another of them is on") {
  cpu_set_t allowed;
  sched_getaffinity(0, sizeof allowed, &allowed);
  if (CPU_COUNT(&allowed) < 2) {
    WARN("skipped: there is one processor");
    return;
  }
  run::Team team(2);
  bool apart = false;
  for (int i = 0; i < 100 && !apart; ++i) {  // other programs may push them together again
    std::array<int, 2> at{};
    const std::function<void(int)> look = [&](int thread) {
      at[static_cast<std::size_t>(thread)] = sched_getcpu();
    };
    team.run(look);
    cpu_set_t that = {};
    CPU_SET(static_cast<std::size_t>(at[1]), &that);
    sched_setaffinity(0, sizeof that, &that);  // the caller joins the other thread
    team.run(look);
    sched_setaffinity(0, sizeof allowed, &allowed);
    apart = at[0] != at[1];
  }
  CHECK(apart);
}

TEST_CASE("a process that was forked has threads of its own") {
#ifdef __SANITIZE_THREAD__
  WARN("skipped: the thread sanitizer ends programs that start threads after a fork");
  return;
#endif
  set_threads(3);
  const auto run = [] {
    Tape tape;
    const Vars wanted = trained<Lstm>(tape, {.input = 40, .hidden = 48}, 7, 33);
    tape.run(wanted);
    return tape.value(wanted.back());
  };
  const double here = run();
  const pid_t child = fork();
  if (child == 0) _exit(run() == here ? 0 : 1);
  int status = -1;
  waitpid(child, &status, 0);
  CHECK(status == 0);
  set_threads(0);
}

TEST_CASE("a run makes do with the threads that the system gives") {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  WARN("skipped: sanitizers need address space of their own");
  return;
#endif
  const auto run = [] {
    Tape tape;
    const Vars wanted = trained<Lstm>(tape, {.input = 40, .hidden = 48}, 7, 33);
    tape.run(wanted);
    CHECK(tape.run_stats().fallbacks == 0);
    return tape.value(wanted.back());
  };
  const double here = run();
  const pid_t child = fork();
  if (child == 0) {
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlim_t most = pages * static_cast<std::size_t>(getpagesize()) + (std::size_t{200} << 20);
    const rlimit limit{most, most};  // room for the stacks of some threads
    setrlimit(RLIMIT_AS, &limit);
    set_threads(500);
    _exit(run() == here ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  CHECK(status == 0);
}

TEST_CASE("threads are counted from one") {
  CHECK_THROWS_WITH(set_threads(-1), "set_threads: -1 threads");
  set_threads(3);
  CHECK(threads() == 3);
  set_threads(0);
  CHECK(threads() >= 1);
}

TEST_CASE("a float too small for its full precision counts as 0 in planned runs, and a double does not") {
  const auto half = [](DType dtype, double value, const char* plan) {
    Tape tape({.dtype = dtype, .plan = plan});
    const Var x = tape.input(Tensor({1}, {value}, dtype));
    return tape.value(reshape(x * 0.5, {}));
  };
  CHECK(half(DType::f32, 1.5e-38, "plain") > 0);
  CHECK(half(DType::f32, 1.5e-38, "") == 0);
  CHECK(half(DType::f64, 3e-308, "") == 3e-308 * 0.5);
}

TEST_CASE("names of passes that do not exist are refused") {
  Tape tape({.plan = "-speed"});
  const Var x = tape.constant(1);
  CHECK_THROWS_WITH(tape.run({x}),
                    "SPOOL_PLAN: \"-speed\" is neither plain nor one of -sums, -select, -fuse, "
                    "-sink, -group, -place, -reuse");
}
