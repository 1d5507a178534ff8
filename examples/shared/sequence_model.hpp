// The model that most programs share: symbols or rows, through recurrent layers, to scores of classes, of
// each sequence or of each step. It is no part of the library.
#pragma once

#include "any_recurrent.hpp"
#include "program.hpp"

#include <spool/spool.hpp>

#include <optional>
#include <string>
#include <vector>

namespace examples {

/// What the head reads of the recurrent layers' outputs [T,B,H].
enum class Pooling : std::uint8_t {
  none,      ///< each of them
  last,      ///< the last of each sequence, of both directions
  mean,      ///< the mean over each sequence
  attention  ///< a mean with learnt weights: softmax over time of v . tanh(output)
};
/// By name; UsageError for another.
Pooling pooling_of(const std::string& name);

struct SequenceModelOptions {
  Recipe recipe = {};
  std::int64_t symbols = 0;  ///< V of sequences of symbols; or
  std::int64_t width = 0;    ///< D of sequences of rows
  std::int64_t classes = 0;  ///< C
  bool bidirectional = true;
  Pooling pooling = Pooling::last;
};

/// Sequences to scores [B,C], or [T,B,C] without pooling: embedding (of symbols), recurrent layers, pooling
/// over time, a linear head. Dropout before and after the layers, and between them.
class SequenceModel {
 public:
  SequenceModel(const spool::Init& init, SequenceModelOptions options);
  spool::Var operator()(spool::Tape& tape, const spool::PaddedIds& x, bool training) const;
  spool::Var operator()(spool::Tape& tape, const spool::PaddedRows& x, bool training) const;
  /// xs [T,B,D], lengths [B]
  spool::Var operator()(spool::Var xs, spool::Var lengths, bool training) const;
  spool::Params parameters() const;

  /// One step at a time, without pooling and in one direction: a symbol [1,1] or a row [1,1,D] to scores
  /// [1,1,C].
  spool::Stepper<spool::Vars> stepper() const;

 private:
  spool::Var pooled(const AnyRecurrent::Output& out, spool::Var lengths) const;

  SequenceModelOptions options_;
  std::optional<spool::Embedding> table_;
  AnyRecurrent layers_;
  std::optional<spool::Linear> look_;  // v of attention
  spool::Linear head_;
};

}  // namespace examples
