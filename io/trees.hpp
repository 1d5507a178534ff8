// Binary trees over words as bracketed text, as treebanks have them: (4 (3 very) (4 good)). Labels are kept
// as they stand; what they mean is the program's to know.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace spool {

/// A tree in the order in which its nodes can be computed. The last node is the root.
struct WordTree {
  enum class Node { leaf, join };
  std::vector<Node> order;          ///< a leaf takes the next word, a join the last two parts still apart
  std::vector<std::string> labels;  ///< one for each node; empty where there is none
  std::vector<std::string> words;   ///< from left to right
};

/// Reads a tree whose brackets each hold a label and then either a word or two trees. Any depth will do.
/// Throws FileError "ORIGIN: what is wrong".
WordTree labelled_tree(std::string_view text, const std::string& origin = "tree");
/// Reads a tree without labels: ((very good) film). More than two parts are joined from the right, so that
/// plain words are a tree too: a b c is (a (b c)). Throws FileError as above.
WordTree plain_tree(std::string_view text, const std::string& origin = "tree");
/// Labelled trees, one a line; empty lines don't count. Throws FileError as above, with the number of the
/// line, for what read_text() refuses, and when there is no tree.
std::vector<WordTree> read_trees(const std::string& path);

namespace detail {
void check_tree(bool holds);  ///< ShapeError where it does not.
}

/// A value for each node, in order: leaf(number of the word) of a leaf, join(left, right) of the values of a
/// join's parts. Throws ShapeError for leaves and joins that make no tree of the words.
template <class Leaf, class Join>
auto fold_tree(const WordTree& tree, const Leaf& leaf, const Join& join) {
  std::vector<std::invoke_result_t<const Leaf&, std::size_t>> values;
  std::vector<std::size_t> apart;  // numbers of the nodes that are in no join yet
  std::size_t word = 0;
  for (const WordTree::Node node : tree.order) {
    if (node == WordTree::Node::leaf) {
      detail::check_tree(word < tree.words.size());
      values.push_back(leaf(word++));
    } else {
      detail::check_tree(apart.size() > 1);
      const std::size_t right = apart.back();
      apart.pop_back();
      values.push_back(join(values[apart.back()], values[right]));
      apart.pop_back();
    }
    apart.push_back(values.size() - 1);
  }
  detail::check_tree(apart.size() == 1 && word == tree.words.size());
  return values;
}

}  // namespace spool
