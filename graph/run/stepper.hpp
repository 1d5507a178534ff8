// Stepper: a cell, or a whole model around it, one time step at a time: text as it is typed, sound as it
// arrives. The step is recorded and planned once; after that a step allocates nothing, and what depends on
// parameters alone is computed anew only when one has changed.
//
//   Stepper stepper(Shape{1, 1}, model.zero_state(1), [&](Var token, auto state) {
//     return model(token, state, /*training=*/false);
//   });
//   for (int token : tokens) const Tensor& scores = stepper.step(token);
//
// A step runs in the thread that calls it. Parameters must stay as they are while it runs; between steps they
// may change. Random ops draw anew at each step.
#pragma once

#include <spool/graph/state.hpp>
#include <spool/graph/tape.hpp>

#include <concepts>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace spool {

namespace run {

/// A Stepper, whatever its type of state.
class StepProgram {
 public:
  /// One step as recorded on `tape`: inputs of it, parts of the state before and after, and outputs.
  struct Recording {
    std::unique_ptr<Tape> tape;
    Vars inputs, before, after, outputs;
    Where where;
  };
  explicit StepProgram(Recording recording);
  StepProgram(StepProgram&&) noexcept;
  StepProgram& operator=(StepProgram&&) noexcept;
  ~StepProgram();

  void expect_inputs(std::size_t given) const;
  // Also what turns into a whole number by itself: an enumerator, an element of a std::vector<bool>.
  template <class N>
  requires std::is_arithmetic_v<N> || requires(const N& n) { std::int64_t{n}; }
  void put(std::size_t i, const N& number) {
    if constexpr (std::is_floating_point_v<N>) {
      const double value = number;
      put(i, std::span<const double>(&value, 1));
    } else {
      put_token(i, static_cast<std::int64_t>(number));
    }
  }
  void put_token(std::size_t i, std::int64_t token);
  void put(std::size_t i, std::span<const int> tokens);
  void put(std::size_t i, std::span<const float> values);
  void put(std::size_t i, std::span<const double> values);
  void put(std::size_t i, const Tensor& value);
  void step();
  const std::vector<Tensor>& outputs() const;
  void read_state(std::vector<Tensor>& parts) const;
  void set_state(std::span<const Tensor> parts);
  std::string plan_text() const;

 private:
  struct Impl;
  Impl& impl() const;
  std::unique_ptr<Impl> impl_;  // null once it was moved from
};

}  // namespace run

/// S is the type of the state, any structure of Vars (graph/state.hpp).
template <class S>
class Stepper {
 public:
  /// Calls record(x..., state) once, with a Var for each input and the state before the step. It returns the
  /// output and the state after the step, as a std::pair or what unroll() returns; the output is a Var or any
  /// structure of at least one. Both states have the same shapes, else ShapeError.
  template <class Record>
  Stepper(const Shape& input, const Carried<S>& start, Record&& record, TapeOptions options = {},
          Where where = Where::current())
      : start_(start),
        program_(recorded(std::span(&input, 1), start, std::make_index_sequence<1>(), record,
                          std::move(options), where)) {
    reset();
  }
  /// The same for several inputs: {Shape{1, 1}, Shape{1, 8}}.
  template <std::size_t N, class Record>
  Stepper(const Shape (&inputs)[N], const Carried<S>& start, Record&& record, TapeOptions options = {},
          Where where = Where::current())
      : start_(start),
        program_(recorded(inputs, start, std::make_index_sequence<N>(), record, std::move(options), where)) {
    reset();
  }

  /// Runs a step and returns its (first) output, which stands until the next one. For each input there is one
  /// argument: a Tensor, or its elements as a contiguous range of int, float or double; a single one may be
  /// a number. ShapeError unless they fit; TapeError for values that an op refuses. Neither changes the
  /// state.
  template <class... Inputs>
  const Tensor& step(const Inputs&... inputs) {
    program_.expect_inputs(sizeof...(inputs));
    std::size_t i = 0;
    (program_.put(i++, inputs), ...);
    program_.step();
    return program_.outputs()[0];
  }
  /// All outputs of the last step, in the order in which record's result lists them. TapeError before the
  /// first one.
  const std::vector<Tensor>& outputs() const { return program_.outputs(); }

  /// The state after the last step.
  Carried<S> state() const {
    Carried<S> now = start_;
    program_.read_state(now.values());
    return now;
  }
  /// Goes on from this state. ShapeError unless its parts have the shapes of the first one's.
  void set_state(const Carried<S>& state) { program_.set_state(state.values()); }
  /// Goes on from the state that was given to the constructor.
  void reset() { set_state(start_); }

  /// What a step does, one line each.
  std::string plan_text() const { return program_.plan_text(); }

 private:
  template <std::size_t... I, class Record>
  static run::StepProgram recorded(std::span<const Shape> inputs, const Carried<S>& start,
                                   std::index_sequence<I...>, Record& record, TapeOptions options,
                                   const Where& where) {
    auto tape = std::make_unique<Tape>(std::move(options));
    const std::array<Var, sizeof...(I)> xs{tape->input(inputs[I], "x", where)...};
    const S before = start.on(*tape, where);
    const auto [outputs, after] = record(xs[I]..., before);
    static_assert(std::same_as<std::remove_cvref_t<decltype(after)>, S>,
                  "a step returns the output and the next state, of the type of the given one");
    return run::StepProgram({std::move(tape), Vars(xs.begin(), xs.end()), flatten(before), flatten(after),
                             flatten(outputs), where});
  }

  Carried<S> start_;
  run::StepProgram program_;
};

}  // namespace spool
