// unroll: any cell over time, recorded step by step on the tape of its inputs. What is special about a
// recurrent layer (lengths, direction) is here, so that every cell has it. Nothing is shared between steps
// but the nodes: a parameter is one node however often a step reads it.
#pragma once

#include <spool/layers/cell.hpp>
#include <spool/ops/index.hpp>
#include <spool/ops/movement.hpp>

#include <span>

namespace spool {

struct UnrollOptions {
  /// [B] whole numbers in 0..T (see Tape::tokens), bound when the tape runs. Past its end a sequence's state
  /// stays what it was and its outputs are 0, so that results are those of each sequence alone.
  Var lengths = {};
  /// From the last step to the first; with lengths, each sequence from its own last step. ys[t] still
  /// belongs to xs[t].
  bool reverse = false;
};

template <class S>
struct Unrolled {
  Var ys;   ///< [T,B,...]: the output of every step
  S state;  ///< after the last step of each sequence
};

/// Zeros where a step is past its sequence's end: xs [T,B,...], lengths [B] -> [T,B,...]. A run throws
/// TapeError for a length that is no whole number or outside 0..T.
Var mask_past_end(Var xs, Var lengths, Where where = Where::current());

namespace detail {

/// Which sequences still go on at each step, while unrolling.
class Ends {
 public:
  /// xs [T,B,...]; lengths [B], or empty where all go on to the end.
  Ends(Var xs, Var lengths, const Where& where);

  /// `now` for sequences that step t belongs to, `before` for those that ended earlier.
  template <class S>
  S keep(std::int64_t t, const S& now, const S& before) const {
    return rebuild(now, kept(t, flatten(now), flatten(before)));
  }

 private:
  Vars kept(std::int64_t t, const Vars& now, const Vars& before) const;

  Var lengths_;
  Where where_;
};

/// Throws ShapeError unless xs is [T,B,...] with T > 0.
void check_steps(Var xs, const Where& where);

}  // namespace detail

/// Runs a cell over xs [T,B,...] from a state; see cell.hpp for what a cell is. Each step is recorded in the
/// scope "t=17". ShapeError for T = 0, and for lengths that are not [B].
template <class C, class S>
Unrolled<S> unroll(const C& cell, Var xs, S state, const UnrollOptions& options = {},
                   Where where = Where::current()) {
  require_cell<C, S>();
  Tape& tape = xs.tape();
  const CalledFrom from(tape, where);
  detail::check_steps(xs, where);
  const std::int64_t T = xs.shape()[0];
  const bool ragged = options.lengths.valid();
  const detail::Ends ends(xs, options.lengths, where);
  if (ragged) xs = mask_past_end(xs, options.lengths, where);  // whatever is there, even NaN, has no effect
  if (ragged && options.reverse) xs = reverse_sequence(xs, options.lengths);
  const bool backwards = options.reverse && !ragged;

  Vars ys(static_cast<std::size_t>(T));
  for (std::int64_t i = 0; i < T; ++i) {
    const std::int64_t t = backwards ? T - 1 - i : i;
    const Scope scope(tape, "t", t);
    auto [y, next] = step(cell, select(xs, 0, t), state, where);
    state = ragged ? ends.keep(t, std::move(next), state) : std::move(next);
    ys[static_cast<std::size_t>(t)] = y;
  }
  Var all = stack(ys, 0, where);
  if (ragged) all = mask_past_end(all, options.lengths, where);
  if (ragged && options.reverse) all = reverse_sequence(all, options.lengths);
  return {all, std::move(state)};
}

/// The same over steps that are separate Vars, [B,...] each, all of one shape.
template <class C, class S>
Unrolled<S> unroll(const C& cell, std::span<const Var> xs, S state, const UnrollOptions& options = {},
                   Where where = Where::current()) {
  return unroll(cell, stack(xs, 0, where), std::move(state), options, where);
}

}  // namespace spool
