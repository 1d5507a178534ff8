#include <spool/graph/error.hpp>
#include <spool/layers/embedding.hpp>
#include <spool/ops/index.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace spool {

namespace {

// The first values of a table, with the padding row, if any, at 0.
Fill table(const Fill& rows, std::optional<std::int64_t> padding) {
  return [rows, padding](const Shape& shape, Philox& random) {
    std::vector<double> values = rows(shape, random);
    if (padding) {
      const std::int64_t row = *padding < 0 ? *padding + shape[0] : *padding;
      if (row < 0 || row >= shape[0])
        throw ShapeError(
            fmt::format("Embedding: padding_idx {} is no row of a table of {}", *padding, shape[0]));
      std::fill_n(values.begin() + row * shape[1], shape[1], 0.0);
    }
    return values;
  };
}

}  // namespace

Embedding::Embedding(const Init& init, std::int64_t vocabulary, std::int64_t size, EmbeddingOptions options)
    : options_(options),
      weight_(init.param("weight", {vocabulary, size},
                         table(init.scheme == Scheme::keras ? fill::uniform(-0.05, 0.05) : fill::normal(0, 1),
                               options.padding_idx))) {}

Var Embedding::operator()(Var index, Where where) const {
  Tape& tape = index.tape(where);
  const CalledFrom from(tape, where);
  return embedding(tape.param(weight_), index, options_.padding_idx);
}

Params Embedding::parameters() const { return {weight_}; }

}  // namespace spool
