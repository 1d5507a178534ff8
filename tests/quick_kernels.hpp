// Checks what planned runs use in place of an op's eval: OpDef's `tile`, `fast` and `divides`.
#pragma once

#include <spool/graph/tape.hpp>

namespace spool::test {

/// For every node of a tape, whatever its op, in the tape's dtype: a quick kernel gives what the eval gives,
/// but for rounding; an op that says it can be divided by rows gives the same bits whole and divided.
void check_quick_kernels(Tape& tape);

}  // namespace spool::test
