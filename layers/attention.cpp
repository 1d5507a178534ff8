#include <spool/graph/error.hpp>
#include <spool/layers/attention.hpp>
#include <spool/layers/unroll.hpp>
#include <spool/ops/elementwise.hpp>
#include <spool/ops/matmul.hpp>
#include <spool/ops/movement.hpp>
#include <spool/ops/record.hpp>
#include <spool/ops/softmax.hpp>

#include <fmt/format.h>

namespace spool {

Attention::Attention(const Init& init, const AttentionOptions& options) : options_(options) {
  AttentionOptions& o = options_;
  if (o.query < 1 || o.memory < 1 || o.hidden < 0)
    throw ShapeError(fmt::format("Attention: sizes must be at least 1; query is {}, memory {}, hidden {}",
                                 o.query, o.memory, o.hidden));
  if (o.score == Score::dot && o.query != o.memory)
    throw ShapeError(
        fmt::format("Attention: the dot score needs a query and a memory of one size, not {} and {}; use "
                    "Score::general",
                    o.query, o.memory));
  if (o.hidden == 0) o.hidden = o.query;
  const LinearOptions no_bias{.bias = false};
  if (o.score == Score::additive) query_.emplace(init.named("query"), o.query, o.hidden, no_bias);
  if (o.score != Score::dot)
    memory_.emplace(init.named("memory"), o.memory, o.score == Score::additive ? o.hidden : o.query, no_bias);
  if (o.score == Score::additive) score_.emplace(init.named("score"), o.hidden, 1, no_bias);
}

AttentionMemory Attention::memory(Var memory, Var lengths, Where where) const {
  Tape& tape = memory.tape(where);
  const CalledFrom from(tape, where);
  const Shape& s = memory.shape();
  if (s.rank() != 3 || s[2] != options_.memory || s[0] == 0)
    fail_shape("Attention", fmt::format("the memory must be [S, B, {}] with S above 0", options_.memory),
               {memory}, where);
  Var mask = tape.constant(1, {s[0], s[1]});
  if (lengths.valid()) {
    memory = mask_past_end(memory, lengths, where);
    mask = mask_past_end(mask, lengths, where);
  }
  const Var values = permute(memory, {1, 0, 2});
  return {memory_ ? (*memory_)(values) : values, values, transpose(mask)};
}

// queries [B,T,Q] and keys [B,S,K] -> [B,T,S]
Var Attention::scores(Var queries, Var keys) const {
  if (options_.score != Score::additive) return matmul(queries, transpose(keys));
  const std::int64_t B = keys.shape()[0], S = keys.shape()[1], T = queries.shape()[1], K = options_.hidden;
  const Var q = reshape((*query_)(queries), {B, T, 1, K}), k = reshape(keys, {B, 1, S, K});
  return reshape((*score_)(tanh(q + k)), {B, T, S});
}

Attended Attention::operator()(Var query, const AttentionMemory& m, Where where) const {
  Tape& tape = query.tape(where);
  const CalledFrom from(tape, where);
  const Shape& q = query.shape();
  const int rank = q.rank();
  const std::int64_t B = m.values.shape(where)[0], S = m.values.shape()[1], E = m.values.shape()[2];
  if ((rank != 2 && rank != 3) || q[rank - 1] != options_.query || q[rank - 2] != B)
    fail_shape("Attention", fmt::format("the query must be [{0}, {1}] or [T, {0}, {1}]", B, options_.query),
               {query, m.values}, where);
  const Scope scope(tape, "attention");
  const Var queries = rank == 2 ? reshape(query, {B, 1, q[1]}) : permute(query, {1, 0, 2});
  Var e = scores(queries, m.keys);
  if (options_.scale != 1) e = e * options_.scale;
  const Var weights = masked_softmax(e, reshape(m.mask, {B, 1, S}));
  const Var context = matmul(weights, m.values);
  if (rank == 2) return {reshape(context, {B, E}), reshape(weights, {B, S})};
  return {permute(context, {1, 0, 2}), permute(weights, {1, 0, 2})};
}

Params Attention::parameters() const {
  Params all;
  for (const auto* part : {&query_, &memory_, &score_})
    if (*part) {
      const Params some = (*part)->parameters();
      all.insert(all.end(), some.begin(), some.end());
    }
  return all;
}

}  // namespace spool
