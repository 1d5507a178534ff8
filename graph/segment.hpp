// Segments: parts of a recording whose inner values are not kept for the backward pass. They are recorded as
// usual. When the reverse walk reaches the end of one, it records the whole segment again, from the same
// inputs, and goes backwards through that copy. A run then needs the inner values of the first recording no
// longer than the forward pass does, and those of the copy no longer than the copy's own gradients.
//
// A segment begins with one barrier for each of its inputs: an op that gives the value of its first operand,
// and waits for the others. The first recording's barriers wait for all inputs of the segment; the copy's
// wait for the gradients that came in from outside, so that nothing is computed again before it is needed.
// Whatever else a segment reads (parameters, masks) is read by the copy too, which draws the same random
// numbers. Segments may lie inside of each other: a copy has copies of those inside of it, which are recorded
// again in their turn.
#pragma once

#include <spool/graph/tape.hpp>

#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

namespace spool {

/// What is recorded while it lives is a segment.
class Segment {
 public:
  /// Replaces the inputs, of which there must be one at least, by barriers inside of the segment. TapeError
  /// for inputs that are empty, stale or of another tape.
  Segment(Tape& tape, std::span<Var> inputs, const Where& where = Where::current());
  ~Segment();
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

 private:
  Tape& tape_;
  std::uint32_t begin_, inputs_;
};

/// Records a segment of the tape again, once `after` are there. `inputs` are what its barriers stand for.
/// Returns the copy of each of its nodes in order. What depends on none of its inputs, such as a parameter
/// and what is made of parameters alone, is its own copy, but for random numbers: they are drawn again.
std::pmr::vector<Var> record_again(Tape& tape, const SegmentRange& segment, std::span<const Var> inputs,
                                   std::span<const Var> after);

}  // namespace spool
