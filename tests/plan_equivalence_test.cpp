// Planned runs give what plain ones give: models and random recordings under each set of passes.
#include <spool/spool.hpp>

#include <fmt/format.h>

#include <functional>
#include <random>
#include <string>

#include "catch.hpp"
#include "plan_difference.hpp"
#include "random_graph.hpp"
#include "small_models.hpp"

using namespace spool;

namespace {

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

TEST_CASE("models of an embedding give the same plain and under every set of passes") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    check_masks("rnn", dtype, [](Tape& t) { return embedded<Rnn>(t, 4, 3); });
    check_masks("lstm", dtype, [](Tape& t) { return embedded<Lstm>(t, 4, 3); });
    check_masks("gru", dtype, [](Tape& t) { return embedded<Gru>(t, 4, 3); });
    check_masks("lstm of different lengths", dtype, [](Tape& t) {
      return embedded<Lstm>(t, 4, 3, t.tokens({3}, {2, 4, 1}));
    });
  }
}

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
  CHECK_THROWS_WITH(
      tape.run({x}),
      "passes (SPOOL_PLAN, TapeOptions::plan): \"-speed\" is neither plain nor one of -sums, -select, -fuse, "
      "-sink, -group, -place, -reuse");
}
