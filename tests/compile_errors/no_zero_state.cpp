// error: the cell of a Seq2SeqDecoder needs C(init, input, hidden), State, step, zero_state(tape, batch)
#include <spool/layers/seq2seq_decoder.hpp>

struct NoZeroState {
  using State = spool::Var;
  NoZeroState(const spool::Init&, std::int64_t, std::int64_t) {}
  spool::Var step(spool::Var, spool::Var h) const { return h; }
  std::int64_t output_size() const { return 1; }
  spool::Params parameters() const { return {}; }
};

using Decoder = spool::Seq2SeqDecoder<NoZeroState>;
std::size_t f(const Decoder& decoder) { return sizeof(decoder); }
