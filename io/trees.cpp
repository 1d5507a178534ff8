#include <spool/graph/error.hpp>
#include <spool/io/file.hpp>
#include <spool/io/text.hpp>
#include <spool/io/trees.hpp>
#include <spool/io/utf8.hpp>

#include <fmt/format.h>

#include <utility>

namespace spool {

namespace {

constexpr std::string_view blanks = " \t\r\n", brackets = "()", ends = " \t\r\n()";

// The next bracket or word, which leaves the text; empty at its end.
std::string_view next_token(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
  if (text.empty()) return {};
  const bool bracket = brackets.find(text[0]) != std::string_view::npos;
  const std::string_view token = text.substr(0, bracket ? 1 : text.find_first_of(ends));
  text.remove_prefix(token.size());
  return token;
}

// Builds a tree bracket by bracket, without recursion, so that no depth is too deep.
class Builder {
 public:
  Builder(bool labelled, const std::string& origin) : labelled_(labelled), origin_(origin) {}

  WordTree read(std::string_view text) {
    for (std::string_view token = next_token(text); !token.empty(); token = next_token(text))
      if (token == "(")
        open(text);
      else if (token == ")")
        close();
      else
        leaf(token);
    if (open_.size() > 1) fail("a bracket is never closed");
    if (labelled_ && open_[0].parts > 1) fail("more than one tree");
    join();
    return std::move(tree_);
  }

 private:
  struct Open {
    std::string label;
    int parts = 0;
    bool has_word = false;
  };

  [[noreturn]] void fail(const std::string& what) const { fail_file(origin_, what); }

  void add(WordTree::Node node) {
    tree_.order.push_back(node);
    tree_.labels.emplace_back();
  }

  void open(std::string_view& text) {
    ++open_.back().parts;
    open_.emplace_back();
    if (!labelled_) return;
    const std::string_view label = next_token(text);
    if (label.empty() || label == "(" || label == ")") fail("a bracket opens without a label");
    open_.back().label = label;
  }

  void leaf(std::string_view word) {
    if (labelled_ && open_.size() == 1)
      fail(fmt::format("{} stands outside of the brackets", in_quotes(word)));
    ++open_.back().parts;
    open_.back().has_word = true;
    add(WordTree::Node::leaf);
    tree_.words.emplace_back(word);
  }

  void close() {
    if (open_.size() == 1) fail("a bracket closes that was never opened");
    const Open& o = open_.back();
    if (labelled_ && o.parts > (o.has_word ? 1 : 2)) fail("a node is neither one word nor two trees");
    if (labelled_ && o.parts == 1 && !o.has_word) fail("a node is neither one word nor two trees");
    join();
    tree_.labels.back() = o.label;
    open_.pop_back();
  }

  void join() {
    if (open_.back().parts == 0) fail("there is no word");
    for (int i = 1; i < open_.back().parts; ++i) add(WordTree::Node::join);
  }

  bool labelled_;
  const std::string& origin_;
  WordTree tree_;
  std::vector<Open> open_ = std::vector<Open>(1);  // the text as a whole, then each bracket
};

}  // namespace

void detail::check_tree(bool holds) {
  if (!holds) throw ShapeError("tree: leaves and joins make no tree of the words");
}

WordTree labelled_tree(std::string_view text, const std::string& origin) {
  return Builder(true, origin).read(text);
}

WordTree plain_tree(std::string_view text, const std::string& origin) {
  return Builder(false, origin).read(text);
}

std::vector<WordTree> read_trees(const std::string& path) {
  const std::string text = read_text(path);
  std::vector<WordTree> trees;
  std::string_view rest = text;
  for (int line = 1; !rest.empty(); ++line) {
    const std::string_view one = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(one.size() + 1, rest.size()));
    if (one.find_first_not_of(blanks) != std::string_view::npos)
      trees.push_back(labelled_tree(one, fmt::format("{}, line {}", path, line)));
  }
  if (trees.empty()) fail_file(path, "no trees");
  return trees;
}

}  // namespace spool
