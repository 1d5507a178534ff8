// DataParallel: one update from a batch in parts. Each part is recorded on a tape of its own, and all parts
// are recorded, differentiated, planned and run at once, each by one of the threads that runs have. That pays
// where these are much of the work: where each batch has another structure.
//
// Invariants: gradients are added in the order of the parts, so results depend on the number of parts and not
// on the number of threads. A step that fails changes no parameter.
#pragma once

#include <spool/graph/tape.hpp>
#include <spool/optim/optimizer.hpp>

#include <deque>
#include <functional>
#include <span>
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
  double step(const Loss& loss, Accumulated how = Accumulated::mean);

  int parts() const { return static_cast<int>(parts_.size()); }
  /// As the last step left it: its loss, its run_stats(), its random(). Other values of the step are not
  /// kept, and with the new parameters they can't be read.
  Tape& tape(int part);

 private:
  struct Part {
    explicit Part(const TapeOptions& options) : tape(options) {}
    Tape tape;
    Var loss;
    std::vector<Var> wrt, gradients, wanted;
  };

  void run(int part, const Loss& loss);
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
