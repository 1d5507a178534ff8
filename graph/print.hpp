// A tape as text and as a Graphviz drawing.
#pragma once

#include <spool/graph/tape.hpp>

#include <string>

namespace spool {

/// One line for each node: %id = op(%operands) attributes : shape  scope.
std::string to_text(const Tape& tape);
/// A digraph for dot(1); scopes become clusters.
std::string to_dot(const Tape& tape);

/// What a tape holds, for a summary line.
struct TapeStats {
  std::size_t nodes = 0, params = 0, inputs = 0;
  std::size_t tape_bytes = 0;   ///< memory of the recording itself
  std::size_t value_bytes = 0;  ///< memory of all values, were they kept at once
};
TapeStats stats(const Tape& tape);
std::string to_text(const TapeStats& stats);

}  // namespace spool
