// Gradients through sequences that are longer than any recording should be, such as a million steps: time is
// cut into segments, which are recorded and run one at a time. First all states between segments are found;
// then each segment, from the last to the first, is recorded again with its gradients, and what it gives for
// its state goes into the one before. This is backpropagation through all of time, not its truncated form
// (see truncated_bptt.hpp): the gradients are those of one long recording, but for rounding. Memory is that
// of one segment and of one state for each, and with segments of about sqrt(T) steps grows as sqrt(T).
#pragma once

#include <spool/graph/grad.hpp>
#include <spool/graph/state.hpp>
#include <spool/ops/elementwise.hpp>
#include <spool/ops/grad.hpp>
#include <spool/ops/reduce.hpp>

#include <cstdint>
#include <utility>
#include <vector>

namespace spool {

template <class S>
struct SegmentGradients {
  double loss = 0;                ///< of all segments together
  std::vector<Tensor> gradients;  ///< of the parameters, in their order
  std::vector<Tensor> start;      ///< of the state before the first segment, in the order of flatten()
  Carried<S> last;                ///< the state after the last segment
};

namespace detail {
/// Throws ShapeError unless there are some.
void check_segments(std::int64_t segments);
/// Adds, or begins with what is there where there is no sum yet.
void add_gradients(std::vector<Tensor>& sums, Tape& tape, std::span<const Var> gradients);
}  // namespace detail

/// record(i, state) records segment i of the sequence on the tape, from the state before it, and gives the
/// segment's part of the loss, a scalar, and the state after it. It is called twice for each, but once for
/// the last, and draws the same random numbers each time. The tape is cleared whenever a segment begins.
///
///   const auto all = gradients_over_segments(tape, adam.params(), n, lstm.zero_state(B), [&](auto i, auto
///   state) {
///     auto [ys, next] = lstm.unroll(table(tape.tokens({steps, B}, x(i))), state);
///     return std::pair(cross_entropy(head(ys), tape.tokens({steps, B}, y(i)), {.reduction =
///     Reduction::sum}), next);
///   });
///   adam.apply(all.gradients);
template <class S, class F>
SegmentGradients<S> gradients_over_segments(Tape& tape, const Params& params, std::int64_t segments,
                                            Carried<S> start, F&& record) {
  detail::check_segments(segments);
  std::vector<Carried<S>> states{std::move(start)};  // before each segment
  std::vector<RandomState> random;
  const auto n = static_cast<std::size_t>(segments);
  for (std::size_t i = 0; i + 1 < n; ++i) {
    tape.clear();
    random.push_back(tape.random());
    const S next = record(static_cast<std::int64_t>(i), states[i].on(tape)).second;
    tape.run(flatten(next));
    states.emplace_back(next);
  }

  tape.clear();
  random.push_back(tape.random());
  SegmentGradients<S> all{0, {}, {}, states.back()};
  for (std::size_t i = n; i-- > 0;) {
    if (i + 1 < n) tape.clear();
    tape.set_random(random[i]);
    const S before = states[i].on(tape);
    const auto [loss, next] = record(static_cast<std::int64_t>(i), before);
    Var objective = loss;
    const Vars after = flatten(next);
    for (std::size_t k = 0; k < all.start.size(); ++k)
      objective = objective + sum(after[k] * tape.input(all.start[k], "gradient"));
    Vars wrt = flatten(before);
    const std::size_t parts = wrt.size();
    for (const Param& p : params) wrt.push_back(tape.param(p));
    const Vars gradients = grad(objective, wrt);
    Vars wanted = gradients;
    wanted.push_back(loss);
    if (i + 1 == n) wanted.insert(wanted.end(), after.begin(), after.end());
    tape.run(wanted);
    all.loss += tape.value(loss);
    if (i + 1 == n) all.last.read(next);
    all.start.clear();
    detail::add_gradients(all.start, tape, std::span(gradients).first(parts));
    detail::add_gradients(all.gradients, tape, std::span(gradients).subspan(parts));
    states.pop_back();
  }
  tape.set_random(random.back());  // as if the segments had run once
  return all;
}

}  // namespace spool
