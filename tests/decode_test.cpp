// Decoding: beam search against exhaustive search, greedy against beam 1, sampling against its distribution,
// on small random decoders with attention run by a DecodeStepper; and decoders in training.
#include <spool/spool.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "catch.hpp"
#include "error_text.hpp"
#include "reference.hpp"

using namespace spool;

namespace {

constexpr std::int64_t V = 4, B = 2, S = 3, E = 3, H = 4, D = 3;
constexpr int begin = 1, end = 2, longest = 4;
const DecodeOptions limits{.begin = begin, .end = end, .max_length = longest};

// A decoder with attention whose weights are large enough for distributions far from even.
struct Model {
  explicit Model(std::uint64_t seed) : init{.seed = seed, .dtype = DType::f64} {
    std::uint32_t stream = 0;
    for (Param p : parameters(table, gru, attention, head)) {
      Philox random(seed, ++stream);
      p.assign(Tensor(p.shape(), fill::normal(0, 1.2)(p.shape(), random)));
    }
  }
  auto decoder(const AttentionMemory& m) const {
    return TokenDecoder{table, BahdanauCell{gru, attention, m}, head};
  }
  AttentionMemory memory(Tape& tape) const {
    Philox random(init.seed, 99);
    const Var m = tape.input(Tensor({S, B, E}, fill::normal(0, 1)({S, B, E}, random)).to(DType::f64));
    return attention.memory(m, tape.tokens({B}, {3, 2}));
  }
  DecodeStepper<Var, AttentionMemory> stepper(int width) const {
    Tape tape(DType::f64);
    return {Carried(tape.constant(0.1, {B, H})),
            Carried(memory(tape)),
            width,
            [this](Var tokens, Var h, const AttentionMemory& m) { return decoder(m).step(tokens, h); },
            {.dtype = DType::f64}};
  }

  Init init;
  Embedding table{init.named("table"), V, D};
  GruCell gru{init.named("gru"), D + E, H};
  Attention attention{init.named("attention"), {.query = H, .memory = E}};
  Linear head{init.named("head"), H + E, V};
};

double penalty(std::size_t length, double alpha) {
  return std::pow((5 + static_cast<double>(length)) / 6, alpha);
}

// All that can be written, with log P by teacher forcing on a tape of its own; best score first.
std::vector<Hypothesis> exhaustive(const Model& model, std::int64_t sequence, double alpha) {
  std::vector<Hypothesis> all;
  std::vector<std::vector<int>> open{{}};
  for (int t = 0; t < longest; ++t) {
    std::vector<std::vector<int>> longer;
    for (const auto& tokens : open)
      for (int v = 0; v < V; ++v) {
        auto next = tokens;
        if (v != end) next.push_back(v);
        if (v == end || t + 1 == longest)
          all.push_back({.tokens = next, .ended = v == end});
        else
          longer.push_back(next);
      }
    open = longer;
  }
  for (Hypothesis& h : all) {
    Tape tape(DType::f64);
    std::vector<int> in{begin}, out = h.tokens;
    in.insert(in.end(), h.tokens.begin(), h.tokens.end());
    if (h.ended) out.push_back(end);
    in.resize(out.size());
    std::vector<int> both;  // the same for each sequence of the batch
    for (int token : in) both.insert(both.end(), B, token);
    const auto [scores, last] =
        model.decoder(model.memory(tape))(tape.tokens({std::ssize(in), B}, both), tape.constant(0.1, {B, H}));
    const Tensor log_p = tape.read(select(log_softmax(scores), 1, sequence));
    for (std::size_t t = 0; t < out.size(); ++t)
      h.log_prob += log_p.at(t * V + static_cast<std::size_t>(out[t]));
    h.score = h.log_prob / penalty(out.size(), alpha);
  }
  std::ranges::stable_sort(all, std::greater{}, &Hypothesis::score);
  return all;
}

void check_same(const Hypothesis& got, const Hypothesis& want) {
  CHECK(got.tokens == want.tokens);
  CHECK(got.ended == want.ended);
  CHECK(std::abs(got.log_prob - want.log_prob) < 1e-9);
  CHECK(std::abs(got.score - want.score) < 1e-9);
}

// A step whose scores are always these, whatever was read.
DecodeStep always(Tensor scores) {
  return [scores = std::move(scores)](auto, auto) -> const Tensor& { return scores; };
}

}  // namespace

TEST_CASE("beam search that keeps everything is exhaustive search") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed)
    for (const double alpha : {0.0, 0.6, 2.0}) {
      INFO("seed " << seed << ", alpha " << alpha);
      const Model model(seed);
      const BeamOptions beam{.width = 3 * 3 * 3 * 4, .length_penalty = alpha, .best = 6};
      auto stepper = model.stepper(beam.width);
      const auto found = decode_beam(std::ref(stepper), B, limits, beam);
      REQUIRE(found.size() == B);
      for (std::size_t b = 0; b < B; ++b) {
        const auto all = exhaustive(model, static_cast<std::int64_t>(b), alpha);
        REQUIRE(all.size() == 1 + 3 + 9 + 27 + 81);
        REQUIRE(found[b].size() == 6);
        for (std::size_t i = 0; i < 6; ++i) check_same(found[b][i], all[i]);
      }
    }
}

TEST_CASE("greedy is beam search of width 1, and wider beams find no worse") {
  int better = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    INFO("seed " << seed);
    const Model model(seed);
    auto one = model.stepper(1), three = model.stepper(3);
    const auto greedy = decode_greedy(std::ref(one), B, limits);
    for (const double alpha : {0.0, 1.5}) {
      auto again = model.stepper(1);
      const auto beam = decode_beam(std::ref(again), B, limits, {.width = 1, .length_penalty = alpha});
      for (std::size_t b = 0; b < B; ++b) {
        CHECK(beam[b].size() == 1);
        CHECK(beam[b][0].tokens == greedy[b].tokens);
        CHECK(std::abs(beam[b][0].log_prob - greedy[b].log_prob) < 1e-12);
      }
    }
    const auto wide = decode_beam(std::ref(three), B, limits, {.width = 3});
    for (std::size_t b = 0; b < B; ++b) {
      const Hypothesis best = exhaustive(model, static_cast<std::int64_t>(b), 0)[0];
      CHECK(wide[b][0].log_prob <= best.log_prob + 1e-9);
      better += wide[b][0].log_prob > greedy[b].log_prob + 1e-9 ? 1 : 0;
    }
  }
  CHECK(better > 5);
}

TEST_CASE("a DecodeStepper is made as docs/seq2seq.md says") {
  const Init init{.seed = 3};
  const Embedding table(init.named("table"), V, D);
  const GruCell gru(init.named("gru"), D + E, H);
  const Attention attention(init.named("attention"), {.query = H, .memory = E});
  const Linear head(init.named("head"), H + E, V);
  constexpr int width = 2;
  Tape tape;
  const Var start = tape.constant(0.1, {B, H});
  const AttentionMemory memory = attention.memory(tape.constant(1, {S, B, E}), tape.tokens({B}, {3, 2}));
  // clang-format off
  DecodeStepper stepper{Carried(start), Carried(memory), width, [&](Var tokens, Var h, const AttentionMemory& m) {
    return TokenDecoder{table, BahdanauCell{gru, attention, m}, head}.step(tokens, h);
  }};
  const auto best = decode_beam(std::ref(stepper), stepper.batch(), {.begin = 1, .end = 2}, {.width = width});
  // clang-format on
  CHECK(best.size() == B);
}

TEST_CASE("a DecodeStepper starts anew with other sequences") {
  const Model a(1), b(2);
  auto stepper = a.stepper(2);
  const auto first = decode_beam(std::ref(stepper), B, limits, {.width = 2});
  Tape tape(DType::f64);
  stepper.restart(Carried(tape.constant(0.5, {B, H})), Carried(b.memory(tape)));
  const auto other = decode_beam(std::ref(stepper), B, limits, {.width = 2});
  stepper.restart(Carried(tape.constant(0.1, {B, H})), Carried(a.memory(tape)));
  const auto again = decode_beam(std::ref(stepper), B, limits, {.width = 2});
  bool differs = false;
  for (std::size_t i = 0; i < B; ++i) {
    check_same(again[i][0], first[i][0]);
    differs = differs || other[i][0].log_prob != first[i][0].log_prob;
  }
  CHECK(differs);
}

TEST_CASE("the length penalty is that of Wu et al., and counts the end") {
  // Each step: the end with 1/2, token 0 with 1/2; the shortest wins without a penalty, the longest with one.
  const Tensor scores({2, 2}, {0, 0, 0, 0}, DType::f64);
  const DecodeOptions o{.begin = 0, .end = 1, .max_length = 3};
  for (const double alpha : {0.0, 5.0}) {
    const auto found = decode_beam(always(scores), 1, o, {.width = 2, .length_penalty = alpha})[0][0];
    const std::size_t length = found.tokens.size() + (found.ended ? 1 : 0);
    CHECK(length == (alpha == 0 ? 1 : 3));
    CHECK(std::abs(found.score - -std::log(2) * static_cast<double>(length) / penalty(length, alpha)) <
          1e-12);
  }
}

TEST_CASE("a beam settles on nothing that is ruled out, and has fewer results where there are no more") {
  const double no = -std::numeric_limits<double>::infinity();
  const Tensor scores({3, 3}, {0, no, 0, 0, no, 0, 0, no, 0}, DType::f64);
  const DecodeOptions o{.begin = 0, .end = 2, .max_length = 1};
  const auto found = decode_beam(always(scores), 1, o, {.width = 3, .best = 3})[0];
  REQUIRE(found.size() == 2);
  CHECK(found[0].tokens == std::vector{0});
  CHECK(found[1].ended);
}

TEST_CASE("banned tokens are never written, and the others share their probability") {
  const Model model(3);
  const int banned = 0;
  DecodeOptions without = limits;
  without.banned = {banned, banned};
  const auto ruled_out = [&](int width) -> DecodeStep {  // the same by scores of -inf
    return [stepper = std::make_shared<DecodeStepper<Var, AttentionMemory>>(model.stepper(width)),
            scores = Tensor()](auto tokens, auto parents) mutable -> const Tensor& {
      scores = (*stepper)(tokens, parents);
      for (std::size_t i = banned; i < scores.size(); i += V)
        scores.set(i, -std::numeric_limits<double>::infinity());
      return scores;
    };
  };
  auto one = model.stepper(1), three = model.stepper(3), other = model.stepper(1);
  const auto greedy = decode_greedy(std::ref(one), B, without);
  const auto greedy_wanted = decode_greedy(ruled_out(1), B, limits);
  const auto beams = decode_beam(std::ref(three), B, without, {.width = 3, .best = 3});
  const auto beams_wanted = decode_beam(ruled_out(3), B, limits, {.width = 3, .best = 3});
  Philox random(1), again(1);
  const auto samples = decode_sample(std::ref(other), B, without, {}, random);
  const auto samples_wanted = decode_sample(ruled_out(1), B, limits, {}, again);
  for (std::size_t b = 0; b < B; ++b) {
    check_same(greedy[b], greedy_wanted[b]);
    check_same(samples[b], samples_wanted[b]);
    REQUIRE(beams[b].size() == beams_wanted[b].size());
    for (std::size_t i = 0; i < beams[b].size(); ++i) {
      check_same(beams[b][i], beams_wanted[b][i]);
      CHECK(std::ranges::count(beams[b][i].tokens, banned) == 0);
    }
  }

  const Tensor row({1, 4}, {std::log(0.5), std::log(0.1), std::log(0.3), std::log(0.1)}, DType::f64);
  const DecodeOptions o{.begin = 0, .end = 1, .max_length = 1, .banned = {0}};
  CHECK(std::abs(decode_greedy(always(row), 1, o)[0].log_prob - std::log(0.3 / 0.5)) < 1e-12);
  CHECK(std::abs(decode_beam(always(row), 1, o, {.width = 1})[0][0].log_prob - std::log(0.3 / 0.5)) < 1e-12);
  std::map<int, int> drawn;
  for (int i = 0; i < 2000; ++i) {
    const Hypothesis h = decode_sample(always(row), 1, o, {}, random)[0];
    ++drawn[h.ended ? o.end : h.tokens[0]];
    CHECK(std::abs(h.log_prob - std::log(!h.ended && h.tokens[0] == 2 ? 0.6 : 0.2)) < 1e-12);
  }
  CHECK(drawn[0] == 0);
  CHECK(std::abs(drawn[2] / 2000.0 - 0.6) < 0.055);
}

TEST_CASE("samples follow the model's distribution, cut as asked") {
  const std::vector<double> scores{std::log(0.5), std::log(0.1), std::log(0.3), std::log(0.1)};
  const auto shares = [&](const SampleOptions& o) {
    Philox random(7);
    std::vector<double> share(4);
    for (int i = 0; i < 40000; ++i)
      share[static_cast<std::size_t>(sample_token(scores, o, random))] += 1 / 40000.0;
    return share;
  };
  const auto near = [](const std::vector<double>& got, const std::vector<double>& want) {
    for (std::size_t i = 0; i < want.size(); ++i) {
      if (want[i] == 0)
        CHECK(got[i] == 0);
      else
        CHECK(std::abs(got[i] - want[i]) < 0.012);  // about five deviations
    }
  };
  near(shares({}), {0.5, 0.1, 0.3, 0.1});
  near(shares({.temperature = 0.5}), {0.25 / 0.36, 0.01 / 0.36, 0.09 / 0.36, 0.01 / 0.36});
  near(shares({.top_k = 2}), {0.625, 0, 0.375, 0});
  near(shares({.top_p = 0.6}), {0.625, 0, 0.375, 0});
  near(shares({.temperature = 0}), {1, 0, 0, 0});

  const Model model(3);
  auto a = model.stepper(1), b = model.stepper(1);
  Philox random(1);
  const auto coldest = decode_sample(std::ref(a), B, limits, {.temperature = 0}, random);
  const auto greedy = decode_greedy(std::ref(b), B, limits);
  for (std::size_t i = 0; i < B; ++i) check_same(coldest[i], greedy[i]);
}

TEST_CASE("what a decoder reads in training: the truth, or what it said itself") {
  const Model model(4);
  const std::vector<int> one{1, 1, 3, 0, 0, 2, 2, 3, 1, 0}, two{1, 1, 0, 3, 2, 2, 0, 1, 3, 3};
  const auto scores = [&](const std::vector<int>& tokens, double teacher, std::uint64_t seed) {
    Tape tape(TapeOptions{.dtype = DType::f64, .seed = seed});
    const auto decoder = model.decoder(model.memory(tape));
    const Var in = tape.tokens({5, B}, tokens), h = tape.constant(0.1, {B, H});
    if (teacher < 0) return tape.read(decoder(in, h).ys);
    return tape.read(decoder.sampled(in, h, tape.input(Tensor({}, {teacher}, DType::f64))).ys);
  };
  check_close("teacher 1", scores(one, 1, 1), scores(one, -1, 1));
  CHECK(scores(one, 0, 1) == scores(two, 0, 1));  // only the first token is read
  CHECK(scores(one, 0, 1) != scores(one, 0, 2));
  CHECK(scores(one, 1, 1) != scores(two, 1, 1));

  Tape tape(DType::f64);  // the same as a cell, too
  const auto decoder = model.decoder(model.memory(tape));
  const auto [ys, last] = unroll(decoder, tape.tokens({5, B}, one), tape.constant(0.1, {B, H}));
  check_close("as a cell", tape.read(ys), scores(one, -1, 1));
}

TEST_CASE("tokens drawn on the tape follow the scores") {
  Tape tape(TapeOptions{.seed = 5});
  const Tensor row({1, 3}, {std::log(0.6), std::log(0.1), std::log(0.3)});
  const Var drawn = detail::drawn_tokens(broadcast_to(tape.input(row), {40000, 3}));
  std::map<double, double> share;
  for (const double v : tape.read(drawn).doubles()) share[v] += 1 / 40000.0;
  CHECK(std::abs(share[0] - 0.6) < 0.012);
  CHECK(std::abs(share[1] - 0.1) < 0.012);
  CHECK(std::abs(share[2] - 0.3) < 0.012);
}

TEST_CASE("a decoder with dropout must know whether it trains") {
  const Model model(4);
  const auto scores = [&](double rate, std::optional<bool> training, std::string_view how) {
    Tape tape(TapeOptions{.dtype = DType::f64, .seed = 3});
    const BahdanauCell cell{model.gru, model.attention, model.memory(tape)};
    const TokenDecoder decoder{model.table, cell, model.head, rate, training};
    const Var in = tape.tokens({2, B}, std::vector{1, 1, 3, 0}), h = tape.constant(0.1, {B, H});
    if (how == "by hand") {
      const Var ys = unroll(cell, dropout(model.table(in), rate), h).ys;
      return tape.read(model.head(dropout(ys, rate)));
    }
    if (how == "step by hand") {
      const Var y = step(cell, dropout(model.table(select(in, 0, 0)), rate), h).first;
      return tape.read(model.head(dropout(y, rate)));
    }
    if (how == "step") return tape.read(decoder.step(select(in, 0, 0), h).first);
    if (how == "sampled") return tape.read(decoder.sampled(in, h, tape.constant(1)).ys);
    return tape.read(decoder(in, h).ys);
  };
  for (const std::string_view how : {"step", "sampled", "whole"}) {
    INFO(how);
    CHECK(tape_error([&] { scores(0.5, {}, how); }) ==
          "TokenDecoder: it drops values at random; tell it {.training = true} or {.training = false}");
    CHECK(scores(0.5, false, how) == scores(0, {}, how));
    CHECK(scores(0.5, true, how) != scores(0, {}, how));
  }
  CHECK(scores(0.5, true, "whole") == scores(0.5, true, "by hand"));
  CHECK(scores(0.5, true, "step") == scores(0.5, true, "step by hand"));
}

TEST_CASE("one plan serves a whole schedule of sampling") {
  const Model model(4);
  Tape tape(DType::f64);
  const Var teacher = tape.input(Tensor({}, {1}, DType::f64));
  const auto decoder = model.decoder(model.memory(tape));
  const std::vector<int> tokens{1, 1, 3, 0, 0, 2};
  const Var loss = sum(decoder.sampled(tape.tokens({3, B}, tokens), tape.constant(0.1, {B, H}), teacher).ys);
  for (int step = 0; step < 4; ++step) {
    tape.set(teacher, Tensor({}, {inverse_sigmoid_decay(step, 2)}, DType::f64));
    tape.next_draw();
    tape.value(loss);
  }
  CHECK(tape.run_stats().plans <= 1);
  CHECK(inverse_sigmoid_decay(0, 9) == 0.9);
  CHECK(std::abs(inverse_sigmoid_decay(9 * std::log(9), 9) - 0.5) < 1e-12);
}

TEST_CASE("decoding refuses what it can't follow") {
  const DecodeOptions o{.begin = 0, .end = 1, .max_length = 5};
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  const auto greedy = [&](const Tensor& scores, const DecodeOptions& how) {
    return [&, how] { decode_greedy(always(scores), 1, how); };
  };
  CHECK(tape_error(greedy(Tensor({1, 2}, {0, nan}), o)) ==
        "decode: the model gives scores that are NaN or +inf; train it with a lower rate");
  CHECK(tape_error(greedy(Tensor({1, 2}, {inf, 0}), o)) ==
        "decode: the model gives scores that are NaN or +inf; train it with a lower rate");
  CHECK(tape_error(greedy(Tensor({1, 2}, {-inf, -inf}), o)) ==
        "decode: the scores of a step are -inf throughout; no token is left");
  CHECK(shape_error(greedy(Tensor({2, 2}), o)) ==
        "decode: a step of 1 rows must give scores [1, V] with begin 0 and end 1 below V, not [2, 2]");
  CHECK(shape_error(greedy(Tensor({1, 1}), o)) ==
        "decode: a step of 1 rows must give scores [1, V] with begin 0 and end 1 below V, not [1, 1]");
  for (const DecodeOptions& unsaid : {DecodeOptions{}, {.begin = 0}, {.end = 0}})
    CHECK(shape_error(greedy(Tensor({1, 2}), unsaid)) == "decode: say which token begins and which ends");
  for (const int outside : {-1, 2})
    CHECK(shape_error(greedy(Tensor({1, 2}), {.begin = 0, .end = 1, .banned = {0, outside}})) ==
          "decode: banned token " + std::to_string(outside) + " is outside 0..1");
  CHECK(shape_error(greedy(Tensor({1, 2}), {.begin = 0, .end = 1, .banned = {1}})) ==
        "decode: token 1 is the end and can't be banned");
  CHECK(tape_error(greedy(Tensor({1, 2}, {0, -inf}), {.begin = 0, .end = 1, .banned = {0}})) ==
        "decode: the scores of a step are -inf throughout; no token is left");
  CHECK(shape_error(greedy(Tensor({1, 2}), {.begin = 0, .end = 1, .max_length = 0})) ==
        "decode: the batch and max_length must be at least 1, not 1 and 0");
  const auto beam = [&](const BeamOptions& b) {
    return [&, b] { decode_beam(always(Tensor({2, 2})), 1, o, b); };
  };
  CHECK(shape_error(beam({.width = 2, .best = 3})) ==
        "decode_beam: width must be at least 1, and best in 1..width, not 2 and 3");
  CHECK(tape_error(beam({.width = 2, .length_penalty = -1})) ==
        "decode_beam: the length penalty must be finite and at least 0, not -1");
  const auto sample = [&](const SampleOptions& s) {
    return [s] {
      Philox random(1);
      sample_token(std::vector<double>{0, 1}, s, random);
    };
  };
  CHECK(
      tape_error(sample({.temperature = nan})) ==
      "sample_token: needs a finite temperature of at least 0, top_k of at least 0 and top_p in (0, 1], not "
      "nan, 0 and 1");
  CHECK(
      tape_error(sample({.top_p = 0})) ==
      "sample_token: needs a finite temperature of at least 0, top_k of at least 0 and top_p in (0, 1], not "
      "1, 0 and 0");

  const Model model(1);
  Tape tape(DType::f64);
  const Carried h(tape.constant(0, {B + 1, H}));
  auto stepper = model.stepper(1);
  CHECK(shape_error([&] { stepper.restart(h, Carried(model.memory(tape))); }) ==
        "DecodeStepper: each part of state and memory needs one row for each sequence; one is [2, 3, 4], "
        "where 3 "
        "rows are expected");
  CHECK(shape_error([&] { model.stepper(0); }) == "DecodeStepper: the width must be at least 1, not 0");
}
