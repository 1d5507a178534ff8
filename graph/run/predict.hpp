// What a run will take, before anything is computed.
#pragma once

#include <spool/graph/tape.hpp>

#include <cstddef>
#include <span>

namespace spool {

/// Bytes for the values of a planned run of these: what RunStats::arena_bytes says after it.
std::size_t predicted_bytes(Tape& tape, std::span<const Var> wanted);

}  // namespace spool
