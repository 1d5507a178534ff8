// Executor: runs plans. It holds the memory that plans work in and what they keep from run to run: the
// storage of values, packed weights, room for tiles. Results have the same bits however many threads there
// are, since no element's arithmetic depends on who computes it.
#pragma once

#include <spool/graph/plan/plan.hpp>
#include <spool/graph/run/memory.hpp>
#include <spool/graph/run/team.hpp>
#include <spool/graph/tape.hpp>

#include <algorithm>
#include <functional>
#include <span>
#include <vector>

namespace spool::run {

/// What a plan keeps from one run to the next: its packed weights, and of which values they are.
template <class T>
struct PlanMemory {
  struct Packed {
    std::uint64_t serial = 0;  ///< see Leaf
    std::uint64_t version = 0;
  };
  Memory<T> packed;
  std::vector<Packed> state;  ///< by step
};

/// The data of a leaf. What has a serial (see Param) is packed once for each version of it.
struct Leaf {
  const Tensor* value;
  std::uint64_t serial = 0;
  std::uint64_t version = 0;
};

/// The data of an input or a parameter of a tape.
Leaf leaf_of(const Tape& tape, std::uint32_t id);

/// The elements of a result, side by side.
template <class T>
void copy_block(const plan::Block& block, const T* data, T* to) {
  const T* row = data + block.at.offset;
  for (std::int64_t r = 0; r < block.rows; ++r, row += block.stride, to += block.cols)
    block.step == 1 ? static_cast<void>(std::copy_n(row, block.cols, to))
                    : static_cast<void>(std::fill_n(to, block.cols, *row));
}

template <class T>
class Executor {
 public:
  /// Runs a plan on a tape of its structure, and puts each wanted value i to room(i), where it may be
  /// computed. `team` may be null. Throws what evals throw; what is in the rooms then is of no use.
  template <class Room>
  void run(const plan::Plan& plan, PlanMemory<T>& memory, const Tape& tape, Team* team, Room&& room) {
    rooms_.clear();
    for (std::size_t i = 0; i < plan.results.size(); ++i) rooms_.push_back(room(i));
    bind(
        plan, memory, tape, [&tape](std::uint32_t id) { return leaf_of(tape, id); }, rooms_);
    execute(plan, memory, tape, team);
    for (std::size_t i = 0; i < plan.results.size(); ++i) {
      const plan::Block& block = plan.results[i];
      if (base(block.at.base) + block.at.offset != rooms_[i])
        copy_block(block, base(block.at.base), rooms_[i]);
    }
  }

  // run() in parts, for who runs one plan over and over: bind() whenever leaves have moved to another place
  // or another version, execute() each time.

  using LeafOf = std::function<Leaf(std::uint32_t)>;  ///< by node of the tape
  void bind(const plan::Plan& plan, PlanMemory<T>& memory, const Tape& tape, const LeafOf& leaf_of,
            std::span<T* const> rooms = {});
  void execute(const plan::Plan& plan, PlanMemory<T>& memory, const Tape& tape, Team* team);
  const T* base(std::uint32_t b) const { return bases_[b]; }

  std::size_t bytes() const { return arena_.bytes(); }

 private:
  Memory<T> arena_;
  std::vector<Memory<T>> scratch_;  // of each thread
  std::vector<T> scalars_;
  std::vector<const T*> bases_;
  std::vector<std::vector<T>> converted_;
  std::vector<Leaf> leaves_;
  std::vector<T*> rooms_;  // of the results of a run
  std::size_t scratch_elements_ = 0;
  std::vector<bool> packed_;  // by step: whether it packs what is packed already
};

extern template class Executor<float>;
extern template class Executor<double>;

}  // namespace spool::run
