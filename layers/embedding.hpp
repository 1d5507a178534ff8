// Embedding: a table of learnt vectors, looked up by whole numbers.
#pragma once

#include <spool/graph/var.hpp>
#include <spool/layers/init.hpp>

#include <optional>

namespace spool {

struct EmbeddingOptions {
  /// A row that starts at 0 and gets no gradient; negative counts from the end.
  std::optional<std::int64_t> padding_idx = {};
};

/// weight [V,D].
class Embedding {
 public:
  /// First values: normal (PyTorch), or uniform within 0.05 (Keras). ShapeError for sizes below 1 and for a
  /// padding_idx that is no row.
  Embedding(const Init& init, std::int64_t vocabulary, std::int64_t size, EmbeddingOptions options = {});

  /// Whole numbers [...] -> [..., D] (see Tape::tokens). A run throws TapeError for one outside 0..V-1.
  Var operator()(Var index, Where where = Where::current()) const;
  Params parameters() const;

 private:
  EmbeddingOptions options_;
  Param weight_;
};

}  // namespace spool
