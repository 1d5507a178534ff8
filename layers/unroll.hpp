// unroll: any cell over time, recorded step by step on the tape of its inputs. What is special about a
// recurrent layer (lengths, direction) is here, so that every cell has it. Nothing is shared between steps
// but the nodes: a parameter is one node however often a step reads it.
#pragma once

#include <spool/graph/run/predict.hpp>
#include <spool/layers/budget.hpp>
#include <spool/layers/cell.hpp>
#include <spool/layers/time_groups.hpp>
#include <spool/ops/elementwise.hpp>
#include <spool/ops/grad.hpp>
#include <spool/ops/index.hpp>
#include <spool/ops/movement.hpp>
#include <spool/ops/reduce.hpp>

#include <memory_resource>
#include <span>
#include <vector>

namespace spool {

struct UnrollOptions {
  /// [B] whole numbers in 0..T (see Tape::tokens), bound when the tape runs. Past its end a sequence's state
  /// stays what it was and its outputs are 0, so that results are those of each sequence alone.
  Var lengths = {};
  /// From the last step to the first; with lengths, each sequence from its own last step. ys[t] still
  /// belongs to xs[t].
  bool reverse = false;
  /// Steps that the backward pass computes again, for less memory; docs/memory.md.
  Recomputation recomputation = {};
  /// Chooses the recomputation: TapeError where none takes the steps and their gradients within this. What is
  /// chosen, plan_budget() says.
  Budget budget = {};
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

/// [T,B,...] -> [T*B,...]
Var rows_of_steps(Var xs, const Where& where);

/// Throws ShapeError unless xs is [T,B,...] with T > 0.
void check_steps(Var xs, const Where& where);

}  // namespace detail

template <class C, class S>
BudgetPlan plan_budget(const C& cell, Var xs, const S& state, const UnrollOptions& options);

/// Runs a cell over xs [T,B,...] from a state; see cell.hpp for what a cell is. Each step is recorded in the
/// scope "t=17". ShapeError for T = 0, and for lengths that are not [B].
template <class C, class S>
Unrolled<S> unroll(const C& cell, Var xs, S state, const UnrollOptions& options = {},
                   Where where = Where::current()) {
  require_cell<C, S>();
  Tape& tape = xs.tape(where);
  const CalledFrom from(tape, where);
  detail::check_steps(xs, where);
  const std::int64_t T = xs.shape()[0];
  const bool ragged = options.lengths.valid();
  const detail::Ends ends(xs, options.lengths, where);
  if (ragged) xs = mask_past_end(xs, options.lengths, where);  // whatever is there, even NaN, has no effect
  if (ragged && options.reverse) xs = reverse_sequence(xs, options.lengths);
  const bool backwards = options.reverse && !ragged;

  Recomputation how = options.recomputation;
  if (options.budget.bytes != 0) how = plan_budget(cell, xs, state, options).recomputation;
  detail::check_recomputation(how);
  std::pmr::vector<Var> ys(static_cast<std::size_t>(T), &tape.scratch());
  const detail::TimeGroups groups{T, how, backwards, where};
  const auto record = [&](const Vars& parts, std::int64_t begin, std::int64_t end, S s) {
    const std::int64_t origin = groups.first(begin, end), B = parts[0].shape()[1];
    const Operand rows{detail::rows_of_steps(parts[0], where), where};
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t t = groups.first(i, i + 1);
      const Scope scope(tape, "t", t);
      auto [y, next] = step(cell, slice(rows, 0, (t - origin) * B, (t - origin + 1) * B), s, where);
      ys[static_cast<std::size_t>(t)] = y;
      s = ragged ? ends.keep(t, std::move(next), s) : std::move(next);
    }
    return s;
  };
  state = detail::record_groups(groups, {xs}, 0, T, std::move(state), how.states, record);
  Var all = stack(ys, 0, where);
  if (ragged) all = mask_past_end(all, options.lengths, where);
  if (ragged && options.reverse) all = reverse_sequence(all, options.lengths);
  return {all, std::move(state)};
}

/// The recomputation that unroll() chooses for a budget, and what a run will take. It records a few steps on
/// other tapes, so the cell may hold no Vars of this one: for such a cell, choose for the cell inside, and
/// give unroll() the recomputation. A loop asks once, too. TapeError for a budget that is too small.
template <class C, class S>
BudgetPlan plan_budget(const C& cell, Var xs, const S& state, const UnrollOptions& options) {
  const auto bytes_of = [&](std::int64_t steps, const Recomputation& how) {
    Tape few({.dtype = xs.tape().dtype(), .plan = xs.tape().options().plan});
    const Var in = few.input(xs.shape().with(0, steps));
    const S start = map_state(state, [&](Var v) { return few.input(v.shape()); });
    UnrollOptions o{.reverse = options.reverse, .recomputation = how};
    if (options.lengths.valid()) o.lengths = few.input(options.lengths.shape());
    const auto [ys, last] = unroll(cell, in, start, o);
    Var loss = sum(ys * ys);
    for (const Var v : flatten(last)) loss = loss + sum(v * v);
    Vars wrt = flatten(start);
    wrt.push_back(in);
    for (const Param& p : Params(few.params().begin(), few.params().end())) wrt.push_back(few.param(p));
    return predicted_bytes(few, grad(loss, wrt));
  };
  std::int64_t state_bytes = 0;
  for (const Var v : flatten(state))
    state_bytes += v.shape().size() * (xs.tape().dtype() == DType::f32 ? 4 : 8);
  return detail::plan_budget(xs.shape()[0], state_bytes, options.budget, bytes_of);
}

/// The same over steps that are separate Vars, [B,...] each, all of one shape.
template <class C, class S>
Unrolled<S> unroll(const C& cell, std::span<const Var> xs, S state, const UnrollOptions& options = {},
                   Where where = Where::current()) {
  return unroll(cell, stack(xs, 0, where), std::move(state), options, where);
}

}  // namespace spool
