// Attention: a weighted mean of a memory (an encoder's outputs, a grid of image features), with weights that
// a query chooses, additive (Bahdanau, Cho and Bengio 2015) or multiplicative (Luong, Pham and Manning 2015).
// What depends on the memory alone is computed once, by memory(). Cells that attend at each of their steps
// are in attention_cells.hpp.
#pragma once

#include <spool/graph/var.hpp>
#include <spool/layers/init.hpp>
#include <spool/layers/linear.hpp>

#include <optional>

namespace spool {

/// How well a query q and a place m of the memory match.
enum class Score : std::uint8_t {
  additive,  ///< v . tanh(W q + U m) (Bahdanau et al. 2015, appendix A.1.2)
  general,   ///< q . (W m) (Luong et al. 2015, eq. 8)
  dot        ///< q . m, of one size
};

struct AttentionOptions {
  std::int64_t query = 0, memory = 0;  ///< sizes Q and E
  Score score = Score::additive;
  std::int64_t hidden = 0;  ///< additive: the size of v; 0: Q
  double scale = 1;         ///< scores are multiplied by this, such as 1/sqrt(Q) (Vaswani et al. 2017, eq. 1)
};

/// A memory as attention reads it. Any structure of states may hold it: each part has the batch in front.
struct AttentionMemory {
  Var keys;    ///< [B,S,K]
  Var values;  ///< [B,S,E]
  Var mask;    ///< [B,S]: 1, or 0 past a sequence's end
};

struct Attended {
  Var context;  ///< [B,E], or [T,B,E]
  Var weights;  ///< [B,S], or [T,B,S]: they sum to 1 over S, and are 0 past a sequence's end
};

/// Parameters: additive query.weight [K,Q] and memory.weight [K,E], both without bias, and score.weight
/// [1,K]; general memory.weight [Q,E]; dot none.
class Attention {
 public:
  /// ShapeError for sizes below 1, and for dot unless Q = E.
  Attention(const Init& init, const AttentionOptions& options);

  /// memory [S,B,E] in the layout of unroll(); lengths [B] whole numbers in 0..S (see Tape::tokens), without
  /// them all of S counts. What lies past an end has no effect, even where it is NaN. ShapeError for other
  /// shapes; a run throws TapeError for lengths that do not fit.
  AttentionMemory memory(Var memory, Var lengths = {}, Where where = Where::current()) const;

  /// query [B,Q], or [T,B,Q] for many queries at once. A memory of length 0 gives weights and context 0.
  /// ShapeError for other shapes.
  Attended operator()(Var query, const AttentionMemory& memory, Where where = Where::current()) const;

  Params parameters() const;
  std::int64_t memory_size() const { return options_.memory; }

 private:
  Var scores(Var queries, Var keys) const;

  AttentionOptions options_;
  std::optional<Linear> query_, memory_, score_;
};

}  // namespace spool
