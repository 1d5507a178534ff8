// Folding: what a recording computes from parameters alone need not be computed again until they change. For
// runs that repeat one recording with standing parameters.
#pragma once

#include <spool/graph/tape.hpp>

namespace spool::run {

struct Folded {
  Vars wanted;  ///< the values asked for, perhaps by other nodes with the same values
  Vars fixed;   ///< nodes that depend on parameters alone, and that the rest of the recording reads
};

/// Finds them, and appends to the tape where that leaves more to be computed once: a product whose rows are
/// picked from a table, take_rows(E, i) W, is rows picked from a product, take_rows(E W, i), which has the
/// same bits; a bias added to such rows is added to the table, which may change the order of a sum.
Folded fold(Tape& tape, std::span<const Var> wanted);

}  // namespace spool::run
