// Executor: runs plans. It holds the memory that plans work in and what they keep from run to run: the
// storage of values, packed weights, room for tiles. Results have the same bits however many threads there
// are, since no element's arithmetic depends on who computes it.
#pragma once

#include <spool/graph/plan/plan.hpp>
#include <spool/graph/run/memory.hpp>
#include <spool/graph/run/team.hpp>
#include <spool/graph/tape.hpp>

#include <vector>

namespace spool::run {

/// What a plan keeps from one run to the next: its packed weights, and of which parameters they are.
template <class T>
struct PlanMemory {
  struct Packed {
    const void* param = nullptr;
    std::uint64_t version = 0;
  };
  Memory<T> packed;
  std::vector<Packed> state;  ///< by step
};

template <class T>
class Executor {
 public:
  /// Runs a plan on a tape of its structure, and hands each wanted value to `take` in order: take(i, block,
  /// data), whose elements lie at data + block.at.offset. `team` may be null. Throws what evals throw.
  template <class Take>
  void run(const plan::Plan& plan, PlanMemory<T>& memory, const Tape& tape, Team* team, Take&& take) {
    execute(plan, memory, tape, team);
    for (std::size_t i = 0; i < plan.results.size(); ++i)
      take(i, plan.results[i], bases_[plan.results[i].at.base]);
  }

  std::size_t bytes() const { return arena_.bytes(); }

 private:
  void execute(const plan::Plan& plan, PlanMemory<T>& memory, const Tape& tape, Team* team);
  void bind(const plan::Plan& plan, PlanMemory<T>& memory, const Tape& tape);

  Memory<T> arena_;
  std::vector<Memory<T>> scratch_;  // of each thread
  std::vector<T> scalars_;
  std::vector<const T*> bases_;
  std::vector<std::vector<T>> converted_;
};

extern template class Executor<float>;
extern template class Executor<double>;

}  // namespace spool::run
