// Ops that choose elements by index. Indices are whole numbers in the tape's own dtype (see Tape::tokens);
// they get no gradient. An index that is no whole number or out of range is a TapeError of the run, with its
// value, its flat position among the indices and the allowed range.
#pragma once

#include <spool/graph/op.hpp>
#include <spool/graph/tape.hpp>

#include <optional>

namespace spool {

/// out[.., i, ..] = x[.., index[.., i, ..], ..] along `axis` (torch.gather, numpy.take_along_axis). The two
/// have the same rank and broadcast outside the axis; ShapeError when they do not.
Var gather(Operand x, Operand index, int axis);
/// The adjoint of gather: zeros of size `extent` along `axis`, to which out[.., index[.., i, ..], ..] +=
/// x[.., i, ..], in the order of i. x and index have one shape; ShapeError when not.
Var scatter_add(Operand x, Operand index, int axis, std::int64_t extent);

/// Rows of a table: [V, D...] and index [...] -> [..., D...].
Var take_rows(Operand table, Operand index);
/// The adjoint of take_rows: a table of `rows` rows that are sums of those of x, [..., D...] and index [...]
/// -> [rows, D...], added in the order of the indices. ShapeError unless x's shape starts with index's.
Var scatter_rows_add(Operand x, Operand index, std::int64_t rows);

/// take_rows for a table of word vectors: weight [V,D], index [...] -> [..., D]. The row `padding`, if given,
/// gets no gradient (torch.nn.Embedding's padding_idx; negative counts from the end). ShapeError when that
/// row does not exist.
Var embedding(Operand weight, Operand index, std::optional<std::int64_t> padding = {});

/// [...] -> [..., depth]: `on` at the index, `off` elsewhere.
Var one_hot(Operand index, std::int64_t depth, double on = 1, double off = 0);

/// Reverses the first lengths[b] steps of each sequence and leaves the rest where it is: xs [T,B,...],
/// lengths [B] of whole numbers in 0..T. Its own inverse. ShapeError when T*B rows can't be counted in the
/// tape's dtype (above 2^24 in float).
Var reverse_sequence(Operand xs, Operand lengths);

}  // namespace spool
