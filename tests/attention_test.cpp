// Attention and the cells around it: values and gradients against PyTorch (tests/golden/attention.json, which
// tools/golden_attention.py made), gradients against slopes, masks, and what is refused.
#include <spool/spool.hpp>

#include <limits>
#include <map>

#include "catch.hpp"
#include "error_text.hpp"
#include "golden_case.hpp"
#include "reference.hpp"

using namespace spool;

namespace {

constexpr std::int64_t T = 3, B = 3, S = 4, Q = 3, E = 2, K = 5, X = 2, A = 4;
const Init f64{.seed = 1, .dtype = DType::f64};

const std::map<std::string, AttentionOptions> kinds{
    {"additive", {.query = Q, .memory = E, .hidden = K}},
    {"additive whole", {.query = Q, .memory = E, .hidden = K}},
    {"general", {.query = Q, .memory = E, .score = Score::general}},
    {"dot", {.query = Q, .memory = Q, .score = Score::dot}},
    {"scaled dot", {.query = Q, .memory = Q, .score = Score::dot, .scale = 0.5}}};

Tensor numbers(const Shape& shape, std::uint32_t stream) {
  Philox random(5, stream);
  return Tensor(shape, fill::normal(0, 0.6)(shape, random)).to(DType::f64);
}

}  // namespace

TEST_CASE("attention agrees with PyTorch in values and gradients") {
  const Reference file = Reference::golden("attention.json");
  for (const auto& [name, options] : kinds) {
    INFO(name);
    const Attention attention(f64, options);
    Golden golden(file, name);
    golden.take(attention.parameters());
    const Var query = golden.input("query"), memory = golden.input("memory");
    const Var lengths = name == "additive whole" ? Var{} : golden.lengths();
    const AttentionMemory prepared = attention.memory(memory, lengths);
    const auto [context, weights] = attention(query, prepared);
    golden.check({{"context", context}, {"weights", weights}});

    const Attended first = attention(select(query, 0, 0), prepared);  // one query, and many at once
    check_close("context", golden.tape.read(first.context), golden.tape.read(select(context, 0, 0)));
    check_close("weights", golden.tape.read(first.weights), golden.tape.read(select(weights, 0, 0)));
  }
}

TEST_CASE("decoder cells with attention agree with PyTorch in values and gradients") {
  const Reference file = Reference::golden("attention.json");
  {
    Golden golden(file, "bahdanau");
    const GruCell gru(f64, X + E, Q);
    const Attention attention(f64.named("attention"), {.query = Q, .memory = E, .hidden = K});
    golden.take(parameters(gru, attention));
    const AttentionMemory memory = attention.memory(golden.input("memory"), golden.lengths());
    Vars weights;
    const auto [ys, h] =
        unroll(BahdanauCell{gru, attention, memory, &weights}, golden.input("xs"), golden.input("h"));
    golden.check({{"ys", ys}, {"h", h}});
    REQUIRE(weights.size() == T);
    const Var first = attention(golden.leaves["h"], memory).weights;
    check_close("weights", golden.tape.read(weights[0]), golden.tape.read(first));
  }
  {
    Golden golden(file, "luong");
    const LstmCell lstm(f64, X + A, Q);
    const Attention attention(f64.named("attention"), {.query = Q, .memory = E, .score = Score::general});
    const Linear combine(f64.named("combine"), E + Q, A);
    golden.take(parameters(lstm, attention, combine));
    const AttentionMemory memory = attention.memory(golden.input("memory"), golden.lengths());
    const LuongState<LstmState> start{{golden.input("h"), golden.input("c")}, golden.input("fed")};
    const auto [ys, last] = unroll(LuongCell{lstm, attention, combine, memory}, golden.input("xs"), start);
    golden.check({{"ys", ys}, {"h", last.cell.h}, {"c", last.cell.c}});
  }
}

TEST_CASE("gradients of attention agree with slopes to second order") {
  for (const auto& [name, options] : kinds) {
    const Attention attention(f64, options);
    const Param query("q", numbers({2, B, Q}, 1)), memory("m", numbers({S, B, options.memory}, 2));
    const std::vector<int> ends{4, 0, 3};
    const auto f = [&](Tape& tape) {
      const auto prepared = attention.memory(tape.param(memory), tape.tokens({B}, ends));
      const auto [context, weights] = attention(tape.param(query), prepared);
      return verify::joined(Vars{context, weights});
    };
    const GradReport report = grad_check(f, parameters(attention, query, memory), {.order = 2});
    INFO(name << ": " << report.text());
    CHECK(report);
  }
}

TEST_CASE("attention: past an end nothing counts, and an empty memory gives 0") {
  for (const auto& [name, options] : kinds) {
    INFO(name);
    const Attention attention(f64, options);
    Tensor memory = numbers({S, B, options.memory}, 2);
    const std::size_t step = static_cast<std::size_t>(B * options.memory);
    for (std::size_t i = step; i < memory.size(); ++i)  // sequence 1 has one step
      if (i % step / static_cast<std::size_t>(options.memory) == 1)
        memory.set(i, std::numeric_limits<double>::quiet_NaN());
    Tape tape(TapeOptions{.dtype = DType::f64, .check_finite = false});
    const Var m = tape.input(memory);
    const Attended found =
        attention(tape.input(numbers({B, Q}, 1)), attention.memory(m, tape.tokens({B}, {4, 1, 0})));
    const Tensor weights = tape.read(found.weights), context = tape.read(found.context);
    for (std::size_t s = 0; s < 4; ++s) {
      CHECK(weights.at(4 + s) == (s == 0 ? 1 : 0));
      CHECK(weights.at(8 + s) == 0);
    }
    for (std::size_t e = 0; e < static_cast<std::size_t>(options.memory); ++e)
      CHECK(context.at(2 * static_cast<std::size_t>(options.memory) + e) == 0);
    const Tensor g = tape.read(grad(sum(found.context * found.context), m));
    for (std::size_t i = step; i < g.size(); ++i)
      if (i % step / static_cast<std::size_t>(options.memory) != 0) CHECK(g.at(i) == 0);
    for (std::size_t i = 0; i < 4; ++i) CHECK(weights.at(i) > 0);
  }
}

TEST_CASE("attention runs where infinities are looked for, and planned as plainly") {
  const Init init{.seed = 3};
  const Attention attention(init, {.query = Q, .memory = E});
  Tensor plain;
  for (const std::string plan : {"plain", ""}) {
    Tape tape(TapeOptions{.check_finite = plan == "plain", .plan = plan});
    const Var query = tape.input(numbers({T, B, Q}, 1)), memory = tape.input(numbers({S, B, E}, 2));
    const auto found = attention(query, attention.memory(memory, tape.tokens({B}, {2, 0, 4})));
    const Tensor g = tape.read(grad(sum(found.context * found.context), memory));
    if (plan == "plain") plain = g;
    check_near("gradient", g, plain, 1e-5);
  }
}

TEST_CASE("attention refuses what does not fit, with a text that says what would") {
  const Init init{.seed = 1};
  CHECK(shape_error([&] { Attention(init, {.query = 0, .memory = 2}); }) ==
        "Attention: sizes must be at least 1; query is 0, memory 2, hidden 0");
  CHECK(shape_error([&] { Attention(init, {.query = 3, .memory = 2, .score = Score::dot}); }) ==
        "Attention: the dot score needs a query and a memory of one size, not 3 and 2; use Score::general");

  const Attention attention(init, {.query = 3, .memory = 2});
  Tape tape;
  const Var memory = tape.input(Tensor({4, 5, 2}), "memory"), query = tape.input(Tensor({6, 3}), "query");
  const auto wrong_memory = [&] { attention.memory(query); };
  CHECK(here(shape_error(wrong_memory)) ==
        "Attention: the memory must be [S, B, 2] with S above 0\n"
        "  a  input \"query\"  [6, 3]\n"
        "  recorded here");
  const AttentionMemory prepared = attention.memory(memory);
  const auto wrong_query = [&] { attention(query, prepared); };
  CHECK(here(shape_error(wrong_query)) ==
        "Attention: the query must be [5, 3] or [T, 5, 3]\n"
        "  a  input \"query\"  [6, 3]\n"
        "  b  permute        [5, 4, 2]\n"
        "  recorded here");
}
