// grad_check: is this gradient right? Compares the gradient that the tape gives with slopes measured by
// varying the inputs, entry by entry, and reports the worst entry of each input. The recording is made once,
// in double; only values vary. A pass means something: a numeric slope that is too inaccurate to judge by, a
// kink at the point and a value that is not finite are all reported as failures of their own kind.
#pragma once

#include <spool/graph/state.hpp>
#include <spool/graph/tape.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace spool {

struct GradCheckOptions {
  int order = 1;      ///< 2 checks the gradient of the gradient as well, and so on
  bool quad = false;  ///< Work in 113 bits on both sides: errors of 1e-14 show, at some 100 times the cost.
  /// An entry passes when |analytic - numeric| <= atol + rtol * max(|analytic|, |numeric|). By default 1e-7
  /// and 1e-10; with quad 1e-14 (constants inside ops are doubles) and 1e-18.
  std::optional<double> rtol = {}, atol = {};
  /// The first step of the differences, for inputs of size 1; smaller ones follow. By default 1/16; with quad
  /// 2^-20.
  std::optional<double> step = {};
  std::vector<std::size_t> wrt =
      {};  ///< Which inputs to differentiate; empty: all. Leave out token ids and such.
  std::vector<std::string> names = {};  ///< Of the inputs, for the report; by default x0, x1, ...
  std::size_t entries = 1000;  ///< Inputs with more elements are checked along random directions instead.
  int directions = 8;          ///< How many.
  std::uint64_t seed = 1;      ///< Of the directions and of the weights that reduce an output to one number.
};

/// From harmless to worst.
enum class GradVerdict : std::uint8_t {
  ok,
  inconclusive,  ///< the numeric slope is not accurate enough to tell: a jump or a kink nearby, or noise
  kink,          ///< the slopes to the left and to the right differ
  wrong,
  not_finite  ///< the function, its gradient or all points around it are NaN or infinite
};

/// One comparison: of an entry, or along a direction.
struct GradEntry {
  std::string position;  ///< "[1, 2]" or "direction 3"
  double analytic = 0, numeric = 0;
  double numeric_error = 0;  ///< estimated
  double error = 0;          ///< |analytic - numeric|
  double jump = 0;           ///< slope to the right minus slope to the left
  GradVerdict verdict = GradVerdict::ok;

  double relative() const;  ///< error / max(|analytic|, |numeric|); 0 when both are 0
};

/// All comparisons of one input at one order.
struct GradInput {
  std::string name;
  Shape shape;
  int order = 1;
  std::size_t checked = 0, failed = 0;
  GradEntry worst;      ///< the worst verdict; among equals the largest error as a part of what is allowed
  bool reached = true;  ///< false when the output does not depend on it: slopes and gradient are all 0
};

struct GradReport {
  std::vector<GradInput> inputs;
  bool quad = false;
  double rtol = 0, atol = 0;

  explicit operator bool() const;  ///< Every comparison is ok.
  std::string text() const;        ///< A line or two for each input.
};

/// Checks the gradients of f at the inputs. f records on the given tape (of f64) and returns one Var of any
/// shape, which is reduced with fixed pseudo-random weights so that errors in different elements can't
/// cancel. At order 2 these weights count as an input, which checks how the gradient depends on the incoming
/// one. Random ops keep their draw, so dropout may be checked.
/// Throws TapeError for no inputs, an order below 1, an index in wrt that does not exist, a result of another
/// tape, and an f whose values differ from run to run.
GradReport grad_check(const std::function<Var(Tape&, const Vars&)>& f, const std::vector<Tensor>& inputs,
                      const GradCheckOptions& options = {});

/// The same for a model: `loss` records it from its parameters, which are varied on the tape alone (the model
/// stays as it is, and may hold floats) and reported by name. `wrt` and `names` play no part.
GradReport grad_check(const std::function<Var(Tape&)>& loss, const Params& params,
                      const GradCheckOptions& options = {});

namespace verify {
/// All elements of all parts, one after the other, as one array of rank 1.
Var joined(const Vars& parts);
}  // namespace verify

/// The same for functions of states, such as one step of a cell: f(Tape&, S) -> Var or state. `at` gives the
/// structure and the values, read from its own tape; its Vars are the inputs, in the order of flatten().
///   struct Ins { Var x; LstmState s; };
///   grad_check_state([&](Tape&, const Ins& in) { return lstm.step(in.x, in.s); }, ins);
template <class S, class F>
GradReport grad_check_state(F&& f, const S& at, const GradCheckOptions& options = {}) {
  std::vector<Tensor> values;
  for_each_var(at, [&](const Var& v) { values.push_back(v.tape().read(v)); });
  return grad_check(
      [&](Tape& tape, const Vars& in) { return verify::joined(flatten(f(tape, rebuild(at, in)))); }, values,
      options);
}

}  // namespace spool
