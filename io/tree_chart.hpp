// A tree over words as a picture: what each node is worth, from the root at the top down to the words. It
// follows the reader's light or dark theme, as line_chart() does.
#pragma once

#include <spool/io/trees.hpp>

#include <span>
#include <string>

namespace spool {

/// The tree as a whole SVG file, a circle for each node with its value of 0..1, orange for low and blue for
/// high ones. Values are in the order of WordTree::order; one that is not finite is left out, and others are
/// coloured as the nearer end. Throws ShapeError when they are not as many as nodes, and for
/// leaves and joins that make no tree of the words.
std::string tree_chart(const WordTree& tree, std::span<const double> values, const std::string& title = {});

}  // namespace spool
