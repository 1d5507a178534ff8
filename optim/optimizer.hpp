// Optimizer: changes parameters by their gradients. This base does what all algorithms share: the run that
// gives loss and gradients, accumulation, clipping, the guard against gradients that are not finite, and the
// state that a checkpoint saves. An algorithm is one update rule (optim/update_rule.hpp).
//
// Invariants: an update changes either all parameters that the loss depends on, or nothing at all; it is the
// same bits on every run, however many threads share it. step() reads gradients where the run left them;
// copies are made only of what waits for apply().
#pragma once

#include <spool/graph/param.hpp>
#include <spool/graph/snapshot.hpp>
#include <spool/graph/state.hpp>
#include <spool/graph/tape.hpp>
#include <spool/optim/clip.hpp>

#include <any>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace spool {

/// What became of the last update.
struct StepReport {
  struct NonFinite {
    std::string param;
    std::size_t count;  ///< elements of its gradient that are NaN or infinite
  };
  double grad_norm = 0;                ///< of all gradients together, before clipping (see Clip::norm_type)
  bool skipped = false;                ///< nothing was changed, because the gradients are not finite
  std::string reason;                  ///< why it was skipped; empty when it was not
  std::vector<NonFinite> non_finite;   ///< the parameters to blame
  std::vector<std::string> unreached;  ///< parameters that no loss depended on: left alone, without decay
};

enum class Accumulated { mean, sum };

class Optimizer {
 public:
  /// An array of numbers that an update rule keeps for each parameter, such as exp_avg.
  struct Buffer {
    const char* name;
    double initial = 0;
    bool scalar = false;  ///< one number, not one for each element
  };

  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // --- updating -------------------------------------------------------------------------------------------

  /// What accumulate(loss) and apply() do. Afterwards tape.value(loss) is the loss before the update.
  void step(Var loss);
  /// The same, and the next state's numbers from that one run, which stand until the next step() or
  /// accumulate(). Any state will do: a tuple of Vars serves to ask for more values of the same run, read
  /// with tape.value().
  template <class S>
  const Carried<S>& step(Var loss, const S& next_state) {
    run(loss, listed(next_state));
    const Carried<S>& carried = carry(next_state);
    update_by_run(loss);
    return carried;
  }

  /// Appends the gradients of a loss to its tape, runs both at once, and adds the gradients to those waiting
  /// for apply(). The loss must be a scalar (ShapeError) and depend on some parameter (TapeError).
  void accumulate(Var loss);
  template <class S>
  const Carried<S>& accumulate(Var loss, const S& next_state) {
    run(loss, listed(next_state));
    add_run(loss);
    return carry(next_state);
  }

  /// Updates by the mean (or sum) of the gradients of all accumulate() calls since the last update. TapeError
  /// when there were none.
  void apply(Accumulated how = Accumulated::mean);
  /// Updates by gradients from elsewhere: one for each of params(), in order, of its shape (else ShapeError).
  void apply(std::span<const Tensor> gradients);
  /// The same of tensors that lie anywhere; a null pointer where no loss depends on the parameter, which is
  /// then left alone.
  void apply(std::span<const Tensor* const> gradients);
  /// Forgets the gradients that wait for apply().
  void discard();

  /// The outcome of the last update.
  const StepReport& last() const { return last_; }

  // --- settings -------------------------------------------------------------------------------------------

  const std::string& name() const { return name_; }  ///< "AdamW"
  Params params() const;                             ///< All of them, group after group.
  /// Clips from now on. Throws TapeError for values without a meaning.
  void set_clip(const Clip& clip);

  int groups() const { return static_cast<int>(groups_.size()); }
  double lr(int group = 0) const;
  void set_lr(double lr, int group = 0);  ///< TapeError unless finite and at least 0.
  /// The momentum, or betas[0]; nothing where the algorithm has none or was made with momentum 0.
  std::optional<double> momentum(int group = 0) const;
  void set_momentum(double momentum, int group = 0);  ///< TapeError unless in [0, 1) and there is one.

  // --- saving ---------------------------------------------------------------------------------------------

  /// What the next updates depend on besides parameters and options: for parameter i of params() the count
  /// "i.NAME.step" and tensors such as "i.NAME.exp_avg", for group j the number "group.j.lr". TapeError while
  /// gradients wait for apply().
  Snapshot state() const;
  /// Takes back what state() gave: from then on all updates are the same bits. FileError, and no change, when
  /// it comes from another algorithm, other parameters or other groups. TapeError as state().
  void load_state(const Snapshot& snapshot);

 protected:
  /// What the optimiser knows of one parameter.
  struct Slot {
    Param param;
    std::size_t group;
    Shape shape;  // of the parameter, when the optimiser was made; the dtype too
    DType dtype;
    std::uint64_t step;  // updates so far
    std::vector<Tensor> buffers;
  };
  /// Where a group's options keep what schedules change. momentum may be null.
  struct Knobs {
    double* lr;
    double* momentum;
  };

  /// Some elements of a parameter, and by what their gradients are multiplied.
  struct Part {
    std::size_t begin, end;
    double scale;
  };

  /// `by_element`: an update may be divided into parts, which several threads work on.
  Optimizer(std::string name, bool by_element) : name_(std::move(name)), by_element_(by_element) {}
  void add_group(const Params& params, Knobs knobs, const std::vector<Buffer>& buffers);
  [[noreturn]] void fail(const std::string& what) const;
  std::size_t checked(int group) const;  // TapeError when there is no such group

 private:
  struct Group {
    Knobs knobs;
    std::vector<Buffer> buffers;
  };

  virtual void update(Slot& slot, Tensor& param, const Tensor& gradient, const Part& part) const = 0;

  template <class S>
  std::span<const Var> listed(const S& state) {
    also_.clear();
    for_each_var(state, [&](const Var& v) { also_.push_back(v); });
    return also_;
  }
  template <class S>
  const Carried<S>& carry(const S& state) {
    auto* const carried = std::any_cast<Carried<S>>(&carried_);
    if (carried == nullptr) return carried_.emplace<Carried<S>>(state);
    carried->read(state);
    return *carried;
  }

  void run(Var loss, std::span<const Var> also);
  void differentiate(Var loss);
  void add_run(Var loss);
  void update_by_run(Var loss);
  void copy(std::size_t slot, const Tensor& gradient, std::vector<Tensor>& to) const;
  void take(std::size_t slot, const Tensor& gradient);
  void check_gradient(std::size_t slot, const Tensor& gradient) const;
  template <class At>
  void apply_all(std::size_t count, const At& at);
  void update_all();
  double clip();
  void skip();
  void check_params() const;
  std::vector<std::pair<std::string, double*>> knobs() const;
  std::string entry(std::size_t slot, const char* what) const;

  std::string name_;
  bool by_element_;
  std::vector<Group> groups_;
  std::vector<Slot> slots_;
  Clip clip_;
  std::vector<Tensor> waiting_;  // by slot: sums of gradients, for apply()
  std::vector<char> waits_;      // by slot: 0 where no loss depended on the parameter
  std::size_t accumulated_ = 0;
  StepReport last_;

  // Kept from one step to the next, so that a step needs no new memory.
  Var differentiated_;                            // the loss that nodes_ are the gradients of
  std::vector<Var> wrt_, nodes_, wanted_, also_;  // nodes; wrt_ and nodes_ by slot
  // The update at hand, by slot; null where no loss depends on the parameter.
  std::vector<const Tensor*> gradients_;
  std::vector<Tensor*> params_;
  std::vector<Tensor> copies_;  // of gradients that can't serve as they are
  std::any carried_;            // a Carried of some state
};

}  // namespace spool
