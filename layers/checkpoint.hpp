// Checkpoints in the sense of Griewank and Walther (2000): a part of a model whose inner values are computed
// again in the backward pass instead of being kept, for any cell and any function. In a plain run, gradients
// of steps that share no op have the same bits as without; see docs/memory.md.
#pragma once

#include <spool/graph/error.hpp>
#include <spool/graph/segment.hpp>
#include <spool/layers/cell.hpp>

#include <tuple>
#include <utility>

namespace spool {

/// What f(inputs...) gives, for inputs that are Vars or states (see graph/state.hpp). Of the values between
/// inputs and results, a run keeps none for the backward pass, which begins with f once more. Vars that f
/// refers to without being given them are kept. TapeError where there is no Var among the inputs.
template <class F, class First, class... In>
auto checkpoint(F&& f, const First& first, const In&... more) {
  const std::tuple<First, In...> in(first, more...);
  Vars all = flatten(in);
  if (all.empty() || !all[0].valid()) throw TapeError("checkpoint: there is no input to start from");
  const Segment segment(*all[0].tape_or_null(), all, Where::none());
  return std::apply(std::forward<F>(f), rebuild(in, all));
}

/// A cell whose steps are checkpoints: what the backward pass keeps of each step is x and the state.
template <class C>
struct Recomputed {
  C cell;

  template <class S>
  auto step(Var x, const S& s, const Where& where = Where::current()) const {
    return checkpoint(
        [&](Var x_in, const S& s_in) {
          auto result = spool::step(cell, x_in, s_in, where);
          if constexpr (detail::GivesPair<C, S>)
            return result;
          else
            return std::move(result.second);
        },
        x, s);
  }
  template <class S>
  Var output(const S& s) const {
    return output_of(cell, s);
  }
};

/// Works around any cell, and inside of any wrapper.
template <class C>
Recomputed<C> checkpoint(C cell) {
  return {std::move(cell)};
}

}  // namespace spool
