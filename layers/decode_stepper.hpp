// DecodeStepper: a decoder as the DecodeStep that a search asks for, recorded once, planned once, and run
// without a growing tape. The search's choice of parents is part of the step.
//
//   DecodeStepper stepper{Carried(state), Carried(memory), width, [&](Var tokens, auto s, const auto& m) {
//     return decoder(m).step(tokens, s);         // scores [N,V], and the next state
//   }};
//   auto best = decode_beam(std::ref(stepper), batch, {.begin = 1, .end = 2}, {.width = width});
//   stepper.restart(Carried(state2), Carried(memory2));  // the next batch, of the same shapes
#pragma once

#include <spool/graph/run/stepper.hpp>
#include <spool/layers/decode.hpp>
#include <spool/ops/index.hpp>

#include <span>
#include <utility>
#include <vector>

namespace spool {

namespace detail {
/// The rows of all parts, which must be as many: ShapeError otherwise, and for a width below 1.
std::int64_t rows_of(std::span<const Tensor> state, std::span<const Tensor> memory, int width);
/// 0, 0, 1, 1, 2, 2 for three rows twice each.
std::vector<int> each_repeated(std::int64_t rows, int times);
}  // namespace detail

/// S is the state, M what the steps look at and leave alone (an AttentionMemory; Vars{} for nothing): any
/// structures of Vars, each of which has one row for each sequence.
template <class S, class M = Vars>
class DecodeStepper {
 public:
  /// Calls record(tokens [N], state, memory) once; it gives a std::pair (or what unroll() returns) of scores
  /// [N,V] and the next state. N is `width` rows for each sequence. ShapeError unless all parts of start and
  /// memory have one number of rows, and for a width below 1.
  template <class Record>
  DecodeStepper(const Carried<S>& start, const Carried<M>& memory, int width, const Record& record,
                const TapeOptions& options = {}, Where where = Where::current())
      : width_(width),
        batch_(detail::rows_of(start.values(), memory.values(), width)),
        dtype_(options.dtype),
        stepper_(
            {Shape{batch_ * width}, Shape{batch_ * width}}, repeated(start, memory),
            [&](Var tokens, Var parents, const Both& before) {
              const S chosen = map_state(before.first, [&](Var part) { return take_rows(part, parents); });
              const auto [scores, next] = record(tokens, chosen, before.second);
              return std::pair<Var, Both>(scores, Both(next, before.second));
            },
            options, where) {}

  const Tensor& operator()(std::span<const int> tokens, std::span<const int> parents) {
    return stepper_.step(tokens, parents);
  }

  /// Goes on with other sequences. ShapeError unless of the same shapes.
  void restart(const Carried<S>& start, const Carried<M>& memory) {
    detail::rows_of(start.values(), memory.values(), width_);
    stepper_.set_state(repeated(start, memory));
  }

  std::int64_t batch() const { return batch_; }  ///< The number of sequences.

 private:
  using Both = std::pair<S, M>;

  Carried<Both> repeated(const Carried<S>& start, const Carried<M>& memory) const {
    Tape tape(dtype_);
    const std::vector<int> rows =
        detail::each_repeated(detail::rows_of(start.values(), memory.values(), width_), width_);
    const Var index = tape.tokens({std::ssize(rows)}, rows);
    const Both all =
        map_state(Both(start.on(tape), memory.on(tape)), [&](Var part) { return take_rows(part, index); });
    tape.run(flatten(all));
    return Carried<Both>(all);
  }

  int width_;
  std::int64_t batch_;
  DType dtype_;
  Stepper<Both> stepper_;
};

}  // namespace spool
