// DataParallel: one update from a batch in parts. Each part is recorded on a tape of its own, and all parts
// are recorded, differentiated, planned and run at once, each by one of the threads that runs have. That pays
// where these are much of the work: where each batch has another structure.
//
// Invariants: gradients are added in the order of the parts, so results depend on the number of parts and not
// on the number of threads. A step that fails changes no parameter.
#pragma once

#include <spool/graph/state.hpp>
#include <spool/graph/tape.hpp>
#include <spool/optim/optimizer.hpp>

#include <deque>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace spool {

class DataParallel {
 public:
  /// Records the loss of one part of the batch, a scalar, on that part's tape, which is empty. Several
  /// threads call it at once, each for other parts: it may read models and data, and change what belongs to
  /// its part.
  using Loss = std::function<Var(Tape& tape, int part)>;

  /// The optimizer must outlive this. Part p's random ops have the seed of the options plus p. TapeError for
  /// less than one part.
  DataParallel(Optimizer& optimizer, int parts, const TapeOptions& options = {});

  /// Updates by the mean (or sum) of the gradients of all parts' losses, and returns the mean (or sum) of the
  /// losses. Parameters that no loss depends on are left alone. What a part throws is thrown, for the first
  /// of them. TapeError for a loss from another tape, or where no loss depends on any parameter. Gradients
  /// that wait for Optimizer::apply() go on waiting.
  double step(const Loss& loss, Accumulated how = Accumulated::mean) {
    return update([&loss](Tape& tape, int part, std::vector<Var>&) { return loss(tape, part); }, how);
  }

  /// What a step gives where parts give more than their losses.
  template <class S>
  struct Result {
    double loss;
    std::vector<S> parts;  ///< what each part gave beside its loss
  };
  /// The same for a function that gives std::pair(loss, more): Vars of the part's tape whose numbers are
  /// wanted from the same run, such as counts, predictions or the next recurrent state. Any state will do
  /// (graph/state.hpp): a Var, a list, a struct of Vars. They are read with tape(part), and by Carried, and
  /// stand until the next step.
  template <class F>
  requires detail::TupleLike<std::invoke_result_t<const F&, Tape&, int>>
  auto step(const F& loss_and_more, Accumulated how = Accumulated::mean) {
    static_assert(std::tuple_size_v<std::invoke_result_t<const F&, Tape&, int>> == 2,
                  "a part gives its loss, or a pair of its loss and a state of Vars that are wanted too");
    using S = std::tuple_element_t<1, std::invoke_result_t<const F&, Tape&, int>>;
    Result<S> result{0, std::vector<S>(parts_.size())};
    const auto record = [&](Tape& tape, int part, std::vector<Var>& also) {
      auto [loss, more] = loss_and_more(tape, part);
      for_each_var(more, [&also](const Var& v) { also.push_back(v); });
      result.parts[static_cast<std::size_t>(part)] = std::move(more);
      return loss;
    };
    result.loss = update(record, how);
    return result;
  }

  int parts() const { return static_cast<int>(parts_.size()); }
  /// As the last step left it: its loss and what else the part gave, its run_stats(), its random(). Other
  /// values of the step are not kept, and with the new parameters they can't be read.
  Tape& tape(int part);

 private:
  struct Part {
    explicit Part(const TapeOptions& options) : tape(options) {}
    Tape tape;
    Var loss;
    std::vector<Var> also, wrt, gradients, wanted;
  };
  using Record = std::function<Var(Tape& tape, int part, std::vector<Var>& also)>;

  double update(const Record& record, Accumulated how);
  void run(int part, const Record& record);
  void add(double factor);
  bool reached(std::size_t param) const;

  Optimizer& optimizer_;
  Params params_;
  std::deque<Part> parts_;
  std::vector<Tensor> sums_;              // of gradients, by parameter, of the tapes' dtype
  std::vector<const Tensor*> gradients_;  // of all parts
  std::vector<const Tensor*> updates_;    // by parameter; null where no loss depends on it
};

}  // namespace spool
