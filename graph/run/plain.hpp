// The plain interpreter: runs a tape node by node with the ops' own evals, in float, double or Quad. It is
// the oracle that every faster way of running is held against, so it stays obvious: no fusion, no reordering,
// one buffer a node, given back after its last reader.
#pragma once

#include <spool/graph/tape.hpp>

#include <span>
#include <unordered_map>
#include <vector>

namespace spool {

/// Values to use for some nodes instead of computing or reading them: inputs or parameters varied by a check.
template <class T>
using Overrides = std::unordered_map<std::uint32_t, std::vector<T>>;

/// Computes the wanted nodes, converting inputs and parameters to T on the way in, and returns their
/// elements. Throws TapeError as Tape::run does. T is float, double or Quad.
template <class T>
std::vector<std::vector<T>> run_plain(Tape& tape, std::span<const Var> wanted,
                                      const Overrides<T>& overrides = {});

}  // namespace spool
