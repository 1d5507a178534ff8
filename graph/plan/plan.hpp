// Plan: a tape's live part as a short list of steps, each with the places of its operands and results. It
// holds no data, and serves every tape that records the same ops with the same shapes.
#pragma once

#include <spool/graph/op.hpp>
#include <spool/graph/plan/layout.hpp>
#include <spool/graph/plan/options.hpp>

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

namespace spool::plan {

/// A place in one of the arrays that a run brings along: the arena, the scalars, a leaf's data, or, after
/// those of all leaves, the memory of a result.
struct Ref {
  static constexpr std::uint32_t arena = 0, scalars = 1, first_leaf = 2;
  std::uint32_t base = arena;
  std::int64_t offset = 0;
  friend bool operator==(const Ref&, const Ref&) = default;
};

/// Rows that lie `stride` apart; how long they are, the step knows.
struct Rows {
  Ref at;
  std::int64_t stride = 0, count = 0;
};

/// rows x cols elements; step is 0 where one element serves a whole row.
struct Block {
  Ref at;
  std::int64_t rows = 0, cols = 0, stride = 0, step = 1;
};

/// Packs a right operand. A parameter that has not changed since the last run is packed still, where this is
/// all that its memory serves for.
struct Pack {
  const OpDef* op;
  Ref from;
  std::int64_t stride, k, n;
  bool transposed, stays;
  std::int64_t at;  ///< in the packed storage, in elements
};

/// Rows times a matrix, packed or as it lies, added to other rows where `add` is not empty, or where `index`
/// is not, to the rows of a table with these numbers.
struct RowsProduct {
  const OpDef* op;
  std::int64_t k, n, rows;
  std::int64_t packed;  ///< where, in the packed storage; -1: not packed
  Ref right;            ///< as it lies, then, with rows so far apart
  std::int64_t stride;
  std::vector<Rows> a, add, c, index;
  Rows table;
};

/// Rows, transposed, times other rows, for each of several right sides, and the sums of their columns; all of
/// it added to what is there already where it `adds`.
struct LongProduct {
  struct Right {
    std::int64_t n;
    std::vector<Rows> b;
    Ref c;
    std::int64_t ldc;
  };
  const OpDef* op;
  std::int64_t m, rows;
  std::vector<Rows> a;
  std::vector<Right> rights;
  std::optional<Ref> sums;
  bool adds;
};

/// The ops that Tiles applies to each tile.
struct TileOps {
  struct Op {
    const OpDef* op;
    std::uint32_t attrs, attr_count;  // in Plan::attrs
    std::uint32_t operands, arity;    // in `operands`
    std::int32_t output;              // which result of the step it stores; -1: a temporary
    std::uint32_t temporary;          // where it is kept, else
    Form form;
    bool single;             // gives one element a row
    std::int64_t cols, row;  // elements of a row that it goes through; of the row that it stores in
    std::int64_t at;         // where in that row; where a slice begins
  };
  std::uint32_t inputs = 0, outputs = 0, temporaries = 0;
  std::vector<Op> ops;
  /// Inputs are numbered first, then the results of ops.
  std::vector<std::uint32_t> operands;
  std::vector<std::uint32_t> steps;  ///< of each input: 0 where one element serves a whole row
  std::int64_t mean_cols = 0;        ///< of the ops
  bool whole_rows = false;           ///< tiles must not cut rows, since some op folds or slices them, say
};

/// Ops on tiles of up to `cols` elements a row: for each instance its rows, inputs, outputs.
struct Tiles {
  std::uint32_t ops;
  std::int64_t cols;
  std::vector<std::int64_t> rows;  ///< of each instance
  std::vector<Rows> operands;      ///< inputs and outputs of each instance
};

/// Any op, by its eval.
struct EvalStep {
  const OpDef* op;
  std::uint32_t attrs, attr_count;  // in Plan::attrs
  std::vector<Ref> in;
  std::vector<Shape> in_shapes;
  Ref out;
  Shape shape;
};

struct Copies {
  std::vector<std::pair<Block, Block>> blocks;  ///< from, to
};

using Step = std::variant<Pack, RowsProduct, LongProduct, Tiles, EvalStep, Copies>;

/// A number computed at the start of each run: a constant of the tape, or an op on other numbers.
struct ScalarOp {
  static constexpr std::uint32_t one = 0xffffffffU;
  std::uint32_t node;  ///< on the tape; `one` for the number 1
  std::vector<std::uint32_t> operands;
};

struct Plan {
  std::vector<Step> steps;
  std::vector<TileOps> tile_ops;
  std::vector<std::int64_t> attrs;
  std::vector<ScalarOp> scalars;
  std::vector<std::uint32_t> leaves;  ///< nodes of the tape, in the order of their bases
  std::vector<Block> results;         ///< of the wanted nodes, in order
  std::vector<std::uint32_t>
      handed;  ///< which of them are computed in memory of their own, in the order of bases
  std::int64_t arena = 0, packed = 0;  ///< elements
  std::int64_t handed_size = 0;        ///< elements of those results together
  std::int64_t work = 0;               ///< multiplications, about: whether threads are worth their while
  std::uint32_t nodes = 0;             ///< live nodes that it runs
};

/// Makes the plan that computes the wanted nodes. Those that are `given` count as leaves: whoever runs the
/// plan brings their values along.
Plan make_plan(Tape& tape, std::span<const Var> wanted, const Options& options,
               std::span<const Var> given = {});

/// The same plan as text, one line a step; with reasons, a second one about what it joined and why not more.
std::string plan_text(Tape& tape, std::span<const Var> wanted, const Options& options, bool with_reasons,
                      std::span<const Var> given = {});

}  // namespace spool::plan
