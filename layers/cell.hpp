// What a recurrent cell is: anything with a const member step(Var x, State s) that gives the next state, or a
// std::pair of the output and the next state. State is a Var or any structure of Vars (graph/state.hpp). Of a
// state alone, the output is the state itself where it is a Var, cell.output(state) where there is such a
// member, and the member h otherwise. Nothing is inherited or registered.
//
//   struct MyCell {
//     Param w, u;
//     Var step(Var x, Var h) const { return tanh(matmul(x, x.tape().param(w)) + matmul(h,
//     h.tape().param(u))); }
//   };
//
// A cell that takes a third argument, the line of the program to show in errors, gets it from whoever calls.
#pragma once

#include <spool/graph/param.hpp>
#include <spool/graph/state.hpp>
#include <spool/graph/tape.hpp>

#include <concepts>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace spool {

namespace detail {

template <class C, class S>
concept StepsFrom = requires(const C& cell, Var x, const S& s, const Where& where) {
  cell.step(x, s, where);
};

template <class C, class S>
concept Steps = StepsFrom<C, S> || requires(const C& cell, Var x, const S& s) {
  cell.step(x, s);
};

template <class C, class S>
auto raw_step(const C& cell, Var x, const S& s, const Where& where) {
  if constexpr (StepsFrom<C, S>)
    return cell.step(x, s, where);
  else
    return cell.step(x, s);
}

template <class C, class S>
using StepResult = decltype(raw_step(std::declval<const C&>(), Var(), std::declval<const S&>(),
                                     std::declval<const Where&>()));

template <class C, class S>
concept GivesState = std::same_as<StepResult<C, S>, S>;
template <class C, class S>
concept GivesPair = std::same_as<StepResult<C, S>, std::pair<Var, S>>;

template <class C, class S>
concept HasOutput = std::same_as<S, Var> || requires(const C& cell, const S& s) {
  { cell.output(s) } -> std::convertible_to<Var>;
} || requires(const S& s) {
  { s.h } -> std::convertible_to<Var>;
};

/// Throws ShapeError when a state of `found` cells meets a model of `cells`.
void check_cells(std::string_view model, std::size_t found, std::size_t cells);
/// Throws ShapeError for a probability outside 0..1.
void check_rate(std::string_view who, double rate);
/// Throws TapeError where something that drops values at random does not know whether it trains; `told` is
/// what to tell.
void check_training(std::string_view who, std::string_view told, std::optional<bool> training);
/// Throws ShapeError unless the parts of a state have kept their number and shapes over a step.
void check_kept(const char* who, const Vars& before, const Vars& now, const Where& where);

}  // namespace detail

/// Whether unroll() and the wrappers can work with this cell and this type of state.
template <class C, class S>
concept Cell = detail::Steps<C, S> &&
    (detail::GivesPair<C, S> || (detail::GivesState<C, S> && detail::HasOutput<C, S>));

/// A cell with parameters that knows its first state, all of whose parts are [B,...]: LstmCell, and one of
/// yours that layers and decoders are made of.
template <class C>
concept StatefulCell = requires(const C& cell, Tape& tape, std::int64_t batch) {
  { cell.zero_state(tape, batch) } -> std::same_as<typename C::State>;
  { cell.output_size() } -> std::convertible_to<std::int64_t>;
  { cell.parameters() } -> std::convertible_to<Params>;
}
&&Cell<C, typename C::State>;

/// Stops the compilation with a sentence about what is missing.
template <class C, class S>
constexpr void require_cell() {
  static_assert(
      detail::Steps<C, S>,
      "a cell needs a member `step(Var x, State s) const`, where State is the type of the given state");
  if constexpr (detail::Steps<C, S>) {
    static_assert(
        detail::GivesState<C, S> || detail::GivesPair<C, S>,
        "step(x, state) must return the next state, of the type of the given one, or a std::pair of "
        "the output (a Var) and the next state");
    static_assert(detail::GivesPair<C, S> || detail::HasOutput<C, S>,
                  "which Var of the state is the output? name it h, or give the cell a member "
                  "`Var output(const State&) const`, or let step return std::pair(output, state)");
  }
}

/// The output that belongs to a state: what cell.output(state) says, else the state itself, else state.h.
template <class C, class S>
Var output_of(const C& cell, const S& state) {
  if constexpr (requires { cell.output(state); })
    return cell.output(state);
  else if constexpr (std::same_as<S, Var>)
    return state;
  else
    return state.h;
}

/// One step of any cell: {output, next state}. Errors show `where` for cells that take a line, and the line
/// inside the cell for others.
template <class C, class S>
std::pair<Var, S> step(const C& cell, Var x, const S& state, const Where& where = Where::current()) {
  require_cell<C, S>();
  const auto run = [&] {
    if constexpr (detail::StepsFrom<C, S>) {
      return cell.step(x, state, where);
    } else {
      const CalledFrom lifted(x.tape());
      return cell.step(x, state);
    }
  };
  if constexpr (detail::GivesPair<C, S>) {
    return run();
  } else {
    S next = run();
    const Var y = output_of(cell, next);
    return {y, std::move(next)};
  }
}

}  // namespace spool
