#pragma once

#include <spool/graph/plan/draft.hpp>
#include <spool/graph/plan/plan.hpp>

namespace spool::plan {

/// The steps of a draft through which all passes have gone.
Plan emit_plan(Draft& d);

}  // namespace spool::plan
