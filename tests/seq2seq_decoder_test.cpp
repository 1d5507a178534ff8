// Seq2SeqDecoder: it is what one composes by hand of the same parts; what the search says of a hypothesis is
// what teacher forcing says of it, with any attention and cell; padding changes nothing; every parameter
// takes part.
#include <spool/spool.hpp>

#include <cmath>

#include "catch.hpp"
#include "error_text.hpp"
#include "reference.hpp"

using namespace spool;

namespace {

constexpr std::int64_t V = 6, D = 3, E = 4, H = 4, Z = 3, S = 3;
constexpr int begin = 1, end = 2;

Seq2SeqDecoderOptions options_with(std::optional<Score> attention, double dropout = 0) {
  return {.vocabulary = V,
          .embed = D,
          .hidden = H,
          .memory = E,
          .summary = Z,
          .attention = attention,
          .dropout = dropout};
}

// A cell whose output has not `hidden` units.
struct Projected : LstmCell {
  Projected(const Init& init, std::int64_t input, std::int64_t hidden)
      : LstmCell(init, input, hidden, {.proj = 2}) {}
};

// Weights large enough for distributions far from even.
template <class C>
Seq2SeqDecoder<C> decoder_with(std::optional<Score> attention, double dropout = 0) {
  Seq2SeqDecoder<C> decoder({.seed = 3, .dtype = DType::f64}, options_with(attention, dropout));
  std::uint32_t stream = 0;
  for (Param p : decoder.parameters()) {
    Philox random(5, ++stream);
    p.assign(Tensor(p.shape(), fill::normal(0, 1)(p.shape(), random)));
  }
  return decoder;
}

Var drawn(Tape& tape, const Shape& shape, std::uint32_t stream) {
  Philox random(7, stream);
  return tape.input(Tensor(shape, fill::normal(0, 1)(shape, random)).to(DType::f64));
}

// Two sequences, the second of two steps; what lies past its end is `past` more than a normal number.
template <class C>
typename Seq2SeqDecoder<C>::Source source_of(Tape& tape, const Seq2SeqDecoder<C>& decoder, double past = 0) {
  const Var places = drawn(tape, {S, 2, E}, 1);
  std::vector<double> more(S * 2 * E);
  for (std::size_t i = (2 * 2 + 1) * E; i < more.size(); ++i) more[i] = past;
  const Var shift = tape.input(Tensor({S, 2, E}, std::span<const double>(more)).to(DType::f64));
  return decoder.source(places + shift, drawn(tape, {2, Z}, 2), tape.tokens({2}, {3, 2}));
}

// log P of what was written, by teacher forcing of the whole batch.
template <class C>
double log_prob(const Seq2SeqDecoder<C>& decoder, const Hypothesis& h, std::size_t row) {
  Tape tape(DType::f64);
  std::vector<int> out = h.tokens, both;
  if (h.ended) out.push_back(end);
  for (std::size_t t = 0; t < out.size(); ++t) both.insert(both.end(), 2, t == 0 ? begin : out[t - 1]);
  const Var scores =
      decoder(tape.tokens({std::ssize(out), 2}, both), source_of(tape, decoder), {.training = false});
  const Tensor log_p = tape.read(select(log_softmax(scores), 1, static_cast<std::int64_t>(row)));
  double sum = 0;
  for (std::size_t t = 0; t < out.size(); ++t) sum += log_p.at(t * V + static_cast<std::size_t>(out[t]));
  return sum;
}

const std::vector<std::optional<Score>> kinds{std::nullopt, Score::additive, Score::general, Score::dot};

// With dropout, which only training knows.
template <class C>
void check_search(const std::vector<std::optional<Score>>& which = kinds) {
  for (const auto& kind : which) {
    const auto decoder = decoder_with<C>(kind, 0.5);
    Tape tape(DType::f64);
    const auto source = source_of(tape, decoder);
    const auto found = decode_beam(decoder.stepper(source, 3), 2,
                                   {.begin = begin, .end = end, .max_length = 5}, {.width = 3, .best = 3});
    const auto greedy =
        decode_greedy(decoder.stepper(source), 2, {.begin = begin, .end = end, .max_length = 5});
    for (std::size_t row = 0; row < 2; ++row) {
      for (const Hypothesis& h : found[row]) CHECK(std::abs(h.log_prob - log_prob(decoder, h, row)) < 1e-9);
      CHECK(std::abs(greedy[row].log_prob - log_prob(decoder, greedy[row], row)) < 1e-9);
      CHECK(found[row][0].log_prob >= found[row][1].log_prob);
    }
  }
}

template <class C>
void check_gradients(const std::vector<std::optional<Score>>& which = kinds) {
  for (const auto& kind : which) {
    const auto decoder = decoder_with<C>(kind);
    Tape tape(DType::f64);
    Vars weights;
    const Var tokens = tape.tokens({2, 2}, {begin, begin, 4, 5});
    const Var scores = decoder(tokens, source_of(tape, decoder), {.weights = &weights});
    CHECK(weights.size() == (kind ? 2 : 0));
    const Var loss = cross_entropy(scores, tape.tokens({2, 2}, {4, 5, end, 3}));
    for (const Param& p : decoder.parameters()) {
      const Tensor g = tape.read(grad(loss, tape.param(p)));
      double largest = 0;
      for (std::size_t i = 0; i < g.size(); ++i) largest = std::max(largest, std::abs(g.at(i)));
      INFO(p.name());
      CHECK(largest > 0);
    }
  }
}

// The parts of a decoder, with its parameters.
template <class C>
struct Parts {
  Parts(const Seq2SeqDecoder<C>& decoder, std::optional<Score> kind)
      : table(init.named("table"), V, D),
        bridge(init.named("bridge"), Z, std::same_as<C, LstmCell> ? 2 * H : H),
        cell(init.named("cell"), D + (kind ? H : 0), H),  // H = E
        attention(init.named("attention"),
                  {.query = H, .memory = E, .score = kind ? *kind : Score::additive}),
        combine(init.named("combine"), E + H, H),
        head(init.named("head"), kind == Score::additive ? H + E : H, V) {
    std::size_t taken = 0;
    for (Param p : parameters(table, bridge, cell, attention, combine, head))
      for (const Param& from : decoder.parameters())
        if (from.name() == p.name()) p.assign(from.value()), ++taken;
    CHECK(taken == decoder.parameters().size());
  }
  Var scores(std::optional<Score> kind, Var tokens, Var places, Var lengths, Var summary, double rate) const {
    typename C::State start;
    const Var first = tanh(bridge(summary));
    if constexpr (std::same_as<C, LstmCell>)
      start = {slice(first, -1, 0, H), slice(first, -1, H, 2 * H)};
    else
      start = first;
    const Var xs = dropout(table(tokens), rate);
    const auto read = [&](const Var& ys) { return head(dropout(ys, rate)); };
    if (!kind) return read(unroll(cell, xs, start).ys);
    const AttentionMemory memory = attention.memory(places, lengths);
    if (*kind == Score::additive) return read(unroll(BahdanauCell{cell, attention, memory}, xs, start).ys);
    const LuongState<typename C::State> fed{start, summary.tape().constant(0, {2, H})};
    return read(unroll(LuongCell{cell, attention, combine, memory}, xs, fed).ys);
  }

  Init init{.seed = 9, .dtype = DType::f64};
  Embedding table;
  Linear bridge;
  C cell;
  Attention attention;
  Linear combine, head;
};

template <class C>
void check_by_hand() {
  for (const auto& kind : kinds)
    for (const bool training : {false, true}) {
      const auto decoder = decoder_with<C>(kind, 0.5);
      const auto read = [&](const auto& scores) {
        Tape tape(TapeOptions{.dtype = DType::f64, .seed = 4});
        const Var tokens = tape.tokens({3, 2}, {begin, begin, 4, 5, 3, 3}),
                  lengths = tape.tokens({2}, {3, 2});
        return tape.read(scores(tokens, drawn(tape, {S, 2, E}, 1), lengths, drawn(tape, {2, Z}, 2)));
      };
      const Tensor whole = read([&](Var tokens, Var places, Var lengths, Var summary) {
        return decoder(tokens, decoder.source(places, summary, lengths), {.training = training});
      });
      const Tensor by_hand = read([&](Var tokens, Var places, Var lengths, Var summary) {
        return Parts<C>(decoder, kind).scores(kind, tokens, places, lengths, summary, training ? 0.5 : 0);
      });
      check_close("by hand", whole, by_hand, 1e-12);
    }
}

}  // namespace

TEST_CASE("a seq2seq decoder is what one composes of its parts") {
  check_by_hand<GruCell>();
  check_by_hand<LstmCell>();
}

TEST_CASE("a seq2seq decoder searches by what it was taught, and never drops as it does") {
  check_search<GruCell>();
  check_search<LstmCell>();
  check_search<Projected>({std::nullopt, Score::additive, Score::general});
}

TEST_CASE("every parameter of a seq2seq decoder takes part") {
  check_gradients<GruCell>();
  check_gradients<LstmCell>();
  check_gradients<Projected>({std::nullopt, Score::additive, Score::general});
}

TEST_CASE("a seq2seq decoder does not see past an end") {
  const auto decoder = decoder_with<GruCell>(Score::general);
  Tape tape(DType::f64);
  const Var tokens = tape.tokens({2, 2}, {begin, begin, 4, 5});
  const Var one = decoder(tokens, source_of(tape, decoder)),
            other = decoder(tokens, source_of(tape, decoder, 9));
  tape.run({one, other});
  CHECK(tape.read(one) == tape.read(other));
}

TEST_CASE("scheduled sampling with certainty of the true token is teacher forcing") {
  for (const auto& kind : kinds) {
    const auto decoder = decoder_with<LstmCell>(kind);
    Tape tape(DType::f64);
    const Var tokens = tape.tokens({3, 2}, {begin, begin, 4, 5, 3, 3});
    const auto source = source_of(tape, decoder);
    const Var taught = decoder(tokens, source),
              drawn = decoder(tokens, source, {.teacher = tape.constant(1)});
    tape.run({taught, drawn});
    const Tensor a = tape.read(taught), b = tape.read(drawn);
    for (std::size_t i = 0; i < 3 * 2 * V; ++i) CHECK(std::abs(a.at(i) - b.at(i)) < 1e-12);
  }
}

TEST_CASE("a seq2seq decoder says what does not fit") {
  const Init init{.seed = 1};
  auto options = options_with(Score::dot);
  options.memory = 5;
  CHECK(shape_error([&] { Seq2SeqDecoder<GruCell>(init, options); }) ==
        "Attention: the dot score needs a query and a memory of one size, not 4 and 5; use Score::general");
  options = options_with(std::nullopt);
  options.memory = 0;  // is ignored
  CHECK_NOTHROW(Seq2SeqDecoder<GruCell>(init, options));
  options.summary = 0;
  CHECK_THROWS_AS(Seq2SeqDecoder<GruCell>(init, options), ShapeError);

  const auto decoder = decoder_with<GruCell>(Score::additive, 0.3);
  Tape tape(DType::f64);
  const auto source = source_of(tape, decoder);
  const Var tokens = tape.tokens({1, 2}, {begin, begin});
  CHECK(tape_error([&] { decoder(tokens, source); }) ==
        "Seq2SeqDecoder: it drops values at random; tell it {.training = true} or {.training = false}");
}
