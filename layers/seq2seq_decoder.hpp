// Seq2SeqDecoder: the decoder of a sequence-to-sequence model: a TokenDecoder around any cell that it can
// make (see DecoderCell), with attention or without, whose first state is made from a summary of the source.
// The kind of attention is an option here, where in attention_cells.hpp it is a type. The encoder is the
// user's: recurrent layers, or a convolutional encoder.
//
//   const Seq2SeqDecoder<GruCell> decoder(
//       init.named("decoder"), {.vocabulary = V, .embed = 64, .hidden = 128, .memory = E, .summary = Z});
//   const auto source = decoder.source(memory, summary, lengths);
//   const Var scores = decoder(tokens, source, {.training = true});
//   const auto best = decode_beam(decoder.stepper(source, 5), B, {.begin = 1, .end = 2}, {.width = 5});
#pragma once

#include <spool/layers/attention_cells.hpp>
#include <spool/layers/decode_stepper.hpp>
#include <spool/layers/token_decoder.hpp>
#include <spool/ops/activation.hpp>

#include <concepts>
#include <memory>
#include <optional>

namespace spool {

struct Seq2SeqDecoderOptions {
  std::int64_t vocabulary = 0;  ///< V
  std::int64_t embed = 0;       ///< size of a token's vector
  std::int64_t hidden = 0;      ///< H, units of the cell
  std::int64_t memory = 0;      ///< E, feature size of the memory; ignored without attention
  std::int64_t summary = 0;     ///< Z, size of the summary that the first state is made from
  /// additive attends before each step (BahdanauCell); the others after it, with input feeding (LuongCell).
  /// Without attention the first state is all that the decoder knows of the source.
  std::optional<Score> attention = Score::additive;
  double dropout = 0;  ///< of the embedded words and of the head's input
};

struct Seq2SeqCall {
  std::optional<bool> training = {};  ///< must be said where there is dropout: whether to drop
  Var teacher = {};  ///< scheduled sampling (TokenDecoder::sampled); without it the true tokens are read
  Vars* weights = nullptr;  ///< takes up the attention's weights of each step, [B,S]
};

/// A cell that a Seq2SeqDecoder can make, as LstmCell is.
template <class C>
concept DecoderCell = StatefulCell<C> && requires(const Init& init, std::int64_t size) {
  C(init, /*input=*/size, /*hidden=*/size);
};

/// Parameters: table, bridge (summary to first state, tanh), cell, attention, combine (Luong; its output has
/// H units too), head.
template <class C>
class Seq2SeqDecoder {
  static_assert(DecoderCell<C>,
                "the cell of a Seq2SeqDecoder needs C(init, input, hidden), State, step, "
                "zero_state(tape, batch), output_size() and parameters(), as LstmCell has");

 public:
  /// ShapeError for sizes below 1, and what Attention throws.
  Seq2SeqDecoder(const Init& init, const Seq2SeqDecoderOptions& options)
      : options_(options),
        table_(init.named("table"), options.vocabulary, options.embed),
        cell_(init.named("cell"), options.embed + fed_size(), options.hidden),
        bridge_(init.named("bridge"), options.summary, state_size()),
        head_(init.named("head"), head_size(), options.vocabulary) {
    if (!options.attention) return;
    const std::int64_t Y = cell_.output_size(), E = options.memory;
    attention_.emplace(init.named("attention"),
                       AttentionOptions{.query = Y, .memory = E, .score = *options.attention});
    if (!looks_before()) combine_.emplace(init.named("combine"), Y + E, options.hidden);
  }

  /// The encoder's result; a state, so that a Carried can hold it.
  struct Source {
    Var summary;                     ///< [B,Z]
    States<AttentionMemory> memory;  ///< one, or none without attention
  };
  /// memory [S,B,E], summary [B,Z], lengths [B] as Attention::memory takes them. Without attention the memory
  /// is not read and may be empty.
  Source source(Var memory, Var summary, Var lengths = {}, Where where = Where::current()) const {
    Source s{summary, {}};
    if (attention_) s.memory.push_back(attention_->memory(memory, lengths, where));
    return s;
  }

  /// tokens [T,B], which begin with the begin token -> scores [T,B,V], those of step t being of token t+1.
  /// TapeError where there is dropout and `training` is not said.
  Var operator()(Var tokens, const Source& source, const Seq2SeqCall& call = {},
                 Where where = Where::current()) const {
    const CalledFrom from(tokens.tape(where), where);
    if (options_.dropout > 0) detail::check_training("Seq2SeqDecoder", "it", call.training);
    return choose([&](auto kind) {
      const auto writer = decoder(cell_of(kind, source, call.weights), call.training);
      auto start = start_of(kind, source.summary);
      return call.teacher.valid() ? writer.sampled(tokens, std::move(start), call.teacher, where).ys
                                  : writer(tokens, std::move(start), {}, where).ys;
    });
  }

  /// For decode_greedy(), decode_sample() (width 1) and decode_beam(): a step of `width` rows for each
  /// sequence. It is recorded once, without dropout, from the source's numbers.
  DecodeStep stepper(const Source& source, int width = 1, Where where = Where::current()) const {
    Tape& tape = source.summary.tape(where);
    const CalledFrom from(tape, where);
    return choose([&](auto kind) -> DecodeStep {
      const auto start = start_of(kind, source.summary);
      tape.run(flatten(std::pair(source, start)));
      const auto step = [&](Var tokens, const auto& s, const Source& all) {
        return decoder(cell_of(kind, all, nullptr), false).step(tokens, s);
      };
      using Stepper = DecodeStepper<std::remove_const_t<decltype(start)>, Source>;
      const auto stepper = std::make_shared<Stepper>(Carried(start), Carried(source), width, step,
                                                     TapeOptions{.dtype = tape.dtype()}, where);
      return [stepper](std::span<const int> tokens, std::span<const int> parents) -> const Tensor& {
        return (*stepper)(tokens, parents);
      };
    });
  }

  Params parameters() const {
    Params all = spool::parameters(table_, bridge_, cell_, head_);
    const auto add = [&](const auto& part) {
      if (!part) return;
      for (const Param& p : part->parameters()) all.push_back(p);
    };
    add(attention_);
    add(combine_);
    return all;
  }

 private:
  bool looks_before() const { return options_.attention == Score::additive; }
  std::int64_t fed_size() const {  // beside each embedded word
    return !options_.attention ? 0 : looks_before() ? options_.memory : options_.hidden;
  }
  std::int64_t head_size() const {
    if (!options_.attention) return cell_.output_size();
    return looks_before() ? cell_.output_size() + options_.memory : options_.hidden;
  }
  std::int64_t state_size() const {
    Tape tape;
    std::int64_t size = 0;
    for (const Var part : flatten(cell_.zero_state(tape, 1))) size += part.shape().back();
    return size;
  }

  template <class Cell>
  TokenDecoder<Cell> decoder(Cell cell, std::optional<bool> training) const {
    return {table_, std::move(cell), head_, options_.dropout, training};
  }

  struct Alone {};
  struct LooksBefore {};
  struct LooksAfter {};

  // Calls f with the kind of attention as a type.
  template <class F>
  auto choose(F&& f) const {
    if (!attention_) return f(Alone{});
    return looks_before() ? f(LooksBefore{}) : f(LooksAfter{});
  }
  const C& cell_of(Alone, const Source&, Vars*) const { return cell_; }
  BahdanauCell<C> cell_of(LooksBefore, const Source& source, Vars* weights) const {
    return {cell_, *attention_, source.memory[0], weights};
  }
  LuongCell<C> cell_of(LooksAfter, const Source& source, Vars* weights) const {
    return {cell_, *attention_, *combine_, source.memory[0], weights};
  }

  template <class Kind>
  typename C::State start_of(Kind, Var summary) const {
    const Var all = tanh(bridge_(summary));
    std::int64_t at = 0;
    return map_state(cell_.zero_state(all.tape(), all.shape()[0]), [&](Var part) {
      const std::int64_t begin = at;
      at += part.shape().back();
      return slice(all, -1, begin, at);
    });
  }
  LuongState<typename C::State> start_of(LooksAfter, Var summary) const {
    return {start_of(Alone{}, summary), summary.tape().constant(0, {summary.shape()[0], options_.hidden})};
  }

  Seq2SeqDecoderOptions options_;
  Embedding table_;
  C cell_;
  Linear bridge_, head_;
  std::optional<Attention> attention_;
  std::optional<Linear> combine_;
};

}  // namespace spool
