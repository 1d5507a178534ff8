// Which passes make a plan. All are on; SPOOL_PLAN switches some off for a whole program, to find out which
// one is to blame or what it is worth.
#pragma once

#include <string_view>

namespace spool::plan {

struct Options {
  bool plain = false;  ///< no plan: the plain interpreter runs the tape node by node
  bool sums = true;    ///< sums of products become one long product, and one that adds to the next
  bool select = true;  ///< products of selected rows are taken once for each row of the table
  bool fuse = true;    ///< element-wise ops run together, tile by tile
  bool sink = true;    ///< results are computed where they are read, if nothing else is kept longer
  bool group = true;   ///< equal work on different operands runs as one step
  bool place = true;   ///< values are computed where a concat or a product wants them
  bool reuse = true;   ///< storage serves again after its last reader
  /// No pass: whoever runs the plan brings memory for results, which are then computed there where `place` is
  /// on.
  bool hand_out = false;
  /// No pass: parameters stand for many runs, so that whatever is packed stays packed.
  bool standing = false;
};

/// "plain", or names of passes to leave out, each after a minus: "-fuse,-group". Throws TapeError for others.
Options parse_options(std::string_view text);

/// What the text says, or, where it is empty, the environment variable SPOOL_PLAN.
Options chosen_options(std::string_view text);

}  // namespace spool::plan
