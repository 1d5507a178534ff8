// Truncated backpropagation through time with two numbers (Williams and Peng 1990, BPTT(h; h') with h' = k1
// and h = k2): every k1 steps, the loss of those k1 steps is taken back over the last k2. Each step's loss
// counts once, and its gradient reaches back over k2 - k1 steps at least. Nothing here trains: a loop takes
// one window after the other and carries the state from each to the next, as numbers, so without gradient.
//
//   auto carried = lstm.zero_state(B);
//   for (const BpttWindow& w : bptt_windows(T, {.k1 = 10, .k2 = 40})) {
//     tape.clear();
//     const Var x = tape.tokens({w.end - w.begin, B}, characters.subspan(w.begin * B, ...));
//     const auto run = [&](Var xs, auto state) { return lstm.unroll(xs, state); };
//     const auto [ys, next] = unroll_window(w, one_hot(x, V), carried.on(tape), run);
//     const Var loss = cross_entropy(head(ys), tape.tokens({w.end - w.fresh, B}, ...));  // of fresh .. end
//     carried = adam.step(loss, next);
//   }
#pragma once

#include <spool/layers/unroll.hpp>

#include <cstdint>
#include <vector>

namespace spool {

/// 1 <= k1 <= k2. k1 = k2 is the usual case of windows side by side. Each window runs k2 steps forward and
/// back, so a sequence costs k2 / k1 times what it does in one piece, and memory for k2 steps.
struct Truncation {
  std::int64_t k1 = 1;  ///< steps from one update to the next
  std::int64_t k2 = 1;  ///< steps that a gradient runs back
};

/// Steps begin..end-1 of a sequence: the fresh ones, and those before them that make up k2, as far as there
/// are any. Where k1 = k2 there are none before, also when the last window is shorter than k1.
struct BpttWindow {
  std::int64_t begin;  ///< the state given to the window is that before this step
  std::int64_t fresh;  ///< the first step whose loss belongs to this window
  std::int64_t carry;  ///< where the next window begins; after the last one, the end of the sequence
  std::int64_t end;
};

/// The windows of a sequence, in order: k1 fresh steps in each, fewer in the last if k1 does not divide all.
/// ShapeError unless 1 <= k1 <= k2 and steps is at least 0.
std::vector<BpttWindow> bptt_windows(std::int64_t steps, const Truncation& k);

namespace detail {
/// Throws ShapeError unless this is a window and xs has its steps.
void check_window(const BpttWindow& window, Var xs, const Where& where);
/// Throws ShapeError unless there is one output for each step.
void check_outputs(Var ys, std::int64_t steps, const Where& where);
}  // namespace detail

/// Records one window: run(xs [t,B,...], state) gives the outputs of t steps, [t,B,...], and the state after
/// them, as unroll() or a layer's unroll() does, forward in time. xs [end-begin,B,...] holds the window's
/// steps. The result has the outputs of the fresh steps, [end-fresh,B,...], and the state to carry: that
/// before step `carry`, by this window's weights. Where the next window begins inside this one, run is called
/// for the steps before that point and then for the others, so that a mask of one call (recurrent dropout)
/// holds for one part. ShapeError for another number of steps, or of outputs.
template <class S, class F>
Unrolled<S> unroll_window(const BpttWindow& window, Var xs, S state, F&& run,
                          Where where = Where::current()) {
  detail::check_window(window, xs, where);
  Vars outputs;
  const auto go = [&](std::int64_t begin, std::int64_t end) {
    if (begin == end) return;
    const Var part = slice(Operand(xs, where), 0, begin - window.begin, end - window.begin);
    auto [ys, after] = run(part, std::move(state));
    detail::check_outputs(ys, end - begin, where);
    outputs.push_back(ys);
    state = std::move(after);
  };
  go(window.begin, window.carry);
  S carried = state;
  go(window.carry, window.end);
  const Var ys = concat(outputs, 0, where);
  return {slice(Operand(ys, where), 0, window.fresh - window.begin, window.end - window.begin),
          std::move(carried)};
}

}  // namespace spool
