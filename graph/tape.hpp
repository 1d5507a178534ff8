// Tape: a program recorded op by op, as flat columns of rows. Recording computes nothing; run() does.
//
// Invariants: operands have smaller ids than the op that reads them; equal op, operands and attributes give
// the same node (random ops and inputs excepted, whose attributes carry a number of their own); nothing here
// recurses, so a tape may be millions of steps deep. One thread records and runs a tape. No arithmetic here:
// ops/ has the ops, graph/run/ the interpreter.
#pragma once

#include <spool/graph/op.hpp>
#include <spool/graph/param.hpp>
#include <spool/graph/tensor.hpp>
#include <spool/graph/var.hpp>

#include <memory>
#include <memory_resource>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace spool {

struct TapeOptions {
  DType dtype = DType::f32;   ///< of every node: float to train, double to check
  std::uint64_t seed = 0;     ///< of random ops such as dropout
  bool check_finite = false;  ///< stop at the first op that gives NaN or infinity, and name it (slow)
  /// "plain", or passes of the planner to leave out: "-fuse,-group". Empty: what SPOOL_PLAN says.
  std::string plan = {};
};

/// What runs of a tape have cost.
struct RunStats {
  std::uint64_t runs = 0;       ///< in all
  std::uint64_t plans = 0;      ///< made for them
  std::uint64_t hits = 0;       ///< runs that found their plan made already
  std::uint64_t fallbacks = 0;  ///< planned runs that failed, and were run plainly to say what is wrong
  std::uint64_t plan_ns = 0;    ///< of the last run: to find its plan, or to make it
  std::uint64_t run_ns = 0;     ///< of the last run, without that
  std::uint32_t nodes = 0;      ///< that the last run computed
  std::size_t steps = 0;        ///< of its plan
  std::size_t arena_bytes = 0, packed_bytes = 0;  ///< memory for values, and for packed weights
};

/// A part of a recording that the reverse walk records again (see graph/segment.hpp): nodes begin..end-1, of
/// which the first ones stand for its inputs.
struct SegmentRange {
  std::uint32_t begin, inputs, end;
};

class Tape {
 public:
  explicit Tape(TapeOptions options = {});
  explicit Tape(DType dtype) : Tape(TapeOptions{.dtype = dtype}) {}
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  DType dtype() const;
  bool checks_finite() const;
  const TapeOptions& options() const;

  // --- leaves ---------------------------------------------------------------------------------------------

  /// A slot holding data; set() changes it between runs. The name is for messages and printing.
  Var input(const Tensor& value, std::string_view name = {}, Where where = Where::current());
  /// A slot without data yet: set() must come before run().
  Var input(const Shape& shape, std::string_view name = {}, Where where = Where::current());
  /// Whole numbers (token ids, classes, lengths) as an input of this tape's dtype. Throws TapeError for a
  /// number that the dtype can't hold exactly (above 2^24 in float).
  Var tokens(const Shape& shape, std::span<const int> ids, std::string_view name = {},
             Where where = Where::current());
  Var tokens(const Shape& shape, std::initializer_list<int> ids, std::string_view name = {},
             Where where = Where::current()) {
    return tokens(shape, std::span(ids.begin(), ids.size()), name, where);
  }
  /// One number in every element.
  Var constant(double value, const Shape& shape = {}, Where where = Where::current());
  /// A parameter as a node; the same node however often it is asked for.
  Var param(const Param& p, Where where = Where::current());

  /// New data for an input of this tape; ShapeError when the shape differs.
  void set(Var input, const Tensor& value);
  void set(Var input, std::span<const int> ids);
  /// Direct access to an input's data (zeros when there was none yet), to change numbers in place; counts as
  /// a change.
  Tensor& edit(Var input);

  // --- running --------------------------------------------------------------------------------------------

  /// Computes the wanted values together and keeps them until the next run. Throws TapeError for an input
  /// without data or a value that an op refuses.
  void run(std::span<const Var> wanted);
  void run(std::initializer_list<Var> wanted) { run(std::span(wanted.begin(), wanted.size())); }
  /// The value of v: as kept by the last run, or computed now. Throws TapeError when parameters have changed
  /// since that run, since the two would not belong together.
  const Tensor& read(Var v);
  /// The value of a node of one element.
  double value(Var v) { return read(v).item(); }

  RunStats run_stats() const;
  /// The steps that a run of these takes, one line each; what each one joined, and why not more.
  std::string plan_text(std::span<const Var> wanted);
  std::string explain_plan(std::span<const Var> wanted);

  RandomState random() const;
  void set_random(RandomState state);
  void next_draw();  ///< Fresh random numbers for the next run of this same tape.

  /// Forgets all nodes (handles go stale) and keeps memory for the next recording; moves the draw on.
  void clear();

  // --- reading the tape -----------------------------------------------------------------------------------

  std::uint32_t size() const { return r_->size; }  ///< Number of nodes.
  std::size_t bytes() const;                       ///< Memory that the recording takes.
  Var at(std::uint32_t id);
  const OpDef& op(std::uint32_t id) const { return *r_->rows.op[id]; }
  std::span<const std::uint32_t> operands(std::uint32_t id) const { return r_->operands(id); }
  Attrs attrs(std::uint32_t id) const { return r_->attrs(id); }
  /// Nodes of equal shapes have the same Shape, at one address.
  const Shape& shape(std::uint32_t id) const { return *r_->rows.shapes[r_->rows.shape_id[id]]; }
  std::string scope(std::uint32_t id) const;      ///< "encoder/lstm0/t=17"; empty outside any scope.
  std::string where(std::uint32_t id) const;      ///< "my_model.cpp:41"
  std::string label(std::uint32_t id) const;      ///< Op name; for leaves also the name: param "wh".
  const Param& param_at(std::uint32_t id) const;  ///< The parameter behind a parameter node.
  const Tensor& bound(std::uint32_t id) const;  ///< The data of an input node; TapeError when there is none.
  std::span<const Param> params() const;        ///< All parameters on this tape, in order of first use.

  /// The whole recording, valid until it changes. Operands of node i are operands[operand_end[i - 1]] up to
  /// operands[operand_end[i]], attributes likewise, and its shape is *shapes[shape_id[i]]. Shapes are
  /// numbered in order of first use since clear(), so recordings of the same structure have equal columns.
  struct Rows {
    std::span<const OpDef* const> op;
    std::span<const std::uint32_t> operand_end, attr_end, shape_id, operands;
    std::span<const std::int64_t> attrs;
    std::span<const Shape* const> shapes;
  };
  Rows rows() const { return r_->in_use(); }

  /// What `op: what` needs to become a full message: the operands and the user's line.
  std::string explain(std::string_view op, std::string_view what, std::span<const Var> operands,
                      const Where& where) const;

  // --- for those who extend the tape ----------------------------------------------------------------------

  Var add(const OpDef& op, std::span<const Var> in, Attrs attrs, const Where& where);
  /// The same op as a recorded node with other operands, as a node of its own even where there is an equal
  /// one.
  Var add_copy(std::uint32_t id, std::span<const Var> in);
  /// In the order of their ends; one that lies inside of another comes before it.
  std::span<const SegmentRange> segments() const;
  /// TapeError "use: what is wrong, and where" unless v is a live node of this tape.
  void check(Var v, const char* use, const Where& where = Where::none()) const {
    if (v.tape_ != this || v.epoch_ != r_->epoch) refuse(v, use, where);
  }
  /// A number for a random op's first attribute: distinct calls draw distinct numbers.
  std::int64_t next_random_call();
  /// For lists that are made while recording: what is given back serves the next list, or the next recording.
  std::pmr::memory_resource& scratch();
  std::uint32_t epoch() const { return r_->epoch; }
  std::uint64_t bindings() const;  ///< Grows whenever an input or the random state changes.

  /// Adopts the scope and line of a recorded node for whatever is recorded until destruction (gradients).
  class As {
   public:
    As(Tape& tape, std::uint32_t id);
    ~As();
    As(const As&) = delete;
    As& operator=(const As&) = delete;

   private:
    Tape& tape_;
    std::uint32_t scope_;
    const char* file_;
    std::uint32_t line_;
  };

 private:
  friend class Scope;
  friend class CalledFrom;
  friend class Segment;
  friend std::pmr::vector<Var> record_again(Tape&, const SegmentRange&, std::span<const Var>,
                                            std::span<const Var>);
  friend class Runner;
  struct Columns;
  // The part of Columns that is quick to read from outside.
  struct Recorded {
    Rows rows;  // all there is room for
    std::uint32_t size = 0, epoch = 0;

    // The ends are preceded by a 0, so that the first node is no special case.
    std::span<const std::uint32_t> operands(std::uint32_t id) const {
      const std::uint32_t* end = rows.operand_end.data() + id;
      return {rows.operands.data() + end[-1], rows.operands.data() + *end};
    }
    Attrs attrs(std::uint32_t id) const {
      const std::uint32_t* end = rows.attr_end.data() + id;
      return {rows.attrs.data() + end[-1], rows.attrs.data() + *end};
    }
    Rows in_use() const {
      Rows r = rows;
      for (auto* column : {&r.operand_end, &r.attr_end, &r.shape_id}) *column = column->first(size);
      r.op = r.op.first(size);
      r.operands = r.operands.first(rows.operand_end.data()[std::ptrdiff_t{size} - 1]);
      r.attrs = r.attrs.first(rows.attr_end.data()[std::ptrdiff_t{size} - 1]);
      return r;
    }
  };
  struct Kept;
  struct KeptDeleter {
    void operator()(Kept*) const;
  };
  [[noreturn]] void refuse(Var v, const char* use, const Where& where) const;
  Where line_for(const Where& where) const;  // the one of CalledFrom, if there is one
  std::unique_ptr<Columns> c_;
  const Recorded* r_;                        // *c_
  std::unique_ptr<Kept, KeptDeleter> kept_;  // graph/run's own: results, buffers
};

bool is_input(const OpDef& op);
bool is_param(const OpDef& op);
bool is_constant(const OpDef& op);
/// The number in every element of a constant node.
double constant_value(const Tape& tape, std::uint32_t id);

/// Names what is recorded while it lives: Scope s(tape, "encoder"); Scope t(tape, "t", 17) reads "t=17".
class Scope {
 public:
  Scope(Tape& tape, std::string_view name);
  Scope(Tape& tape, std::string_view name, std::int64_t index);
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  Tape& tape_;
  std::uint32_t outer_;
};

/// While it lives, ops count as recorded at the given line, unless a CalledFrom outside it has said so
/// already. Functions made of several ops use it, so that errors show the line of the program and not the
/// library's.
class CalledFrom {
 public:
  CalledFrom(Tape& tape, const Where& where);
  /// Without a line: lifts the mark, around code of the user's that the library calls back.
  explicit CalledFrom(Tape& tape);
  ~CalledFrom();
  CalledFrom(const CalledFrom&) = delete;
  CalledFrom& operator=(const CalledFrom&) = delete;

 private:
  Tape& tape_;
  const char* file_;
  std::uint32_t line_;
};

}  // namespace spool
