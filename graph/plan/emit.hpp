#pragma once

#include <spool/graph/plan/draft.hpp>
#include <spool/graph/plan/plan.hpp>

namespace spool::plan {

/// Where an op's attributes are in a plan's list of them, and how many.
using KeptAttrs = std::pair<std::uint32_t, std::uint32_t>;
KeptAttrs keep(Attrs attrs, std::vector<std::int64_t>& in);

/// A program as a run carries it out. A result that is not stored lives in a temporary tile until its last
/// reader.
TileOps tile_ops(const Tape& tape, const TileProgram& program, std::vector<std::int64_t>& attrs);

/// The steps of a draft through which all passes have gone.
Plan emit_plan(Draft& d);

}  // namespace spool::plan
