// Trees as bracketed text: what they become, and what is refused.
#include <spool/spool.hpp>

#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "catch.hpp"
#include "scratch.hpp"

using namespace spool;

namespace {

// The tree written out again, in a way of its own: words, and joins as [left right], each with its label.
std::string shown(const WordTree& t) {
  REQUIRE(t.order.size() == t.labels.size());
  std::vector<std::string> parts;
  std::size_t word = 0;
  for (std::size_t i = 0; i < t.order.size(); ++i) {
    if (t.order[i] == WordTree::Node::leaf) {
      parts.push_back(t.words.at(word++) + t.labels[i]);
      continue;
    }
    REQUIRE(parts.size() >= 2);
    const std::string right = parts.back();
    parts.pop_back();
    parts.back() = "[" + parts.back() + " " + right + "]" + t.labels[i];
  }
  REQUIRE(parts.size() == 1);
  REQUIRE(word == t.words.size());
  return parts[0];
}

}  // namespace

TEST_CASE("labelled trees keep words, labels and structure") {
  CHECK(shown(labelled_tree("(4 (3 very) (4 good))")) == "[very3 good4]4");
  CHECK(shown(labelled_tree("(0 no)")) == "no0");
  CHECK(shown(labelled_tree(" (a(b x)\t(c (d y) (NP z)) ) \r\n")) == "[xb [yd zNP]c]a");
}

TEST_CASE("plain trees are joined from the right") {
  CHECK(shown(plain_tree("((not very) good)")) == "[[not very] good]");
  CHECK(shown(plain_tree("a b c")) == "[a [b c]]");
  CHECK(shown(plain_tree("(a b c) ((d))")) == "[[a [b c]] d]");
}

TEST_CASE("a tree may be of any depth") {
  constexpr int depth = 200'000;
  std::string text;
  for (int i = 0; i < depth; ++i) text += "(2 (1 x) ";
  text += "(1 y)" + std::string(depth, ')');
  CHECK(labelled_tree(text).order.size() == 2 * depth + 1);
}

TEST_CASE("what is no tree is refused") {
  const auto refused = [](const char* text) {
    try {
      labelled_tree(text, "file, line 3");
    } catch (const FileError& e) {
      return std::string(e.what());
    }
    return std::string("nothing");
  };
  CHECK(refused("") == "file, line 3: there is no word");
  CHECK(refused("(2 )") == "file, line 3: there is no word");
  CHECK(refused("(2 (1 a) (3 b)") == "file, line 3: a bracket is never closed");
  CHECK(refused("(2 a))") == "file, line 3: a bracket closes that was never opened");
  CHECK(refused("((1 a) (3 b))") == "file, line 3: a bracket opens without a label");
  CHECK(refused("(2") == "file, line 3: a bracket is never closed");
  CHECK(refused("(") == "file, line 3: a bracket opens without a label");
  CHECK(refused("(2 a) (3 b)") == "file, line 3: more than one tree");
  CHECK(refused("good (3 b)") == "file, line 3: \"good\" stands outside of the brackets");
  for (const char* text : {"(2 a b)", "(2 (1 a))", "(2 (1 a) b)", "(2 (1 a) (1 b) (1 c))"})
    CHECK(refused(text) == "file, line 3: a node is neither one word nor two trees");
  CHECK_THROWS_WITH(plain_tree(" ()"), "tree: there is no word");
}

TEST_CASE("a tree is folded node by node") {
  const WordTree tree = plain_tree("((a b) (c d) e)");
  const auto spans = fold_tree(
      tree, [&](std::size_t i) { return tree.words[i]; },
      [](const std::string& left, const std::string& right) { return "(" + left + right + ")"; });
  CHECK(spans ==
        std::vector<std::string>{"a", "b", "(ab)", "c", "d", "(cd)", "e", "((cd)e)", "((ab)((cd)e))"});
}

TEST_CASE("a tree is drawn with the values of its nodes") {
  // Words are 42 and 35 pixels wide, 14 apart; rows 44.
  const WordTree tree = plain_tree("(horrid <b>no)");
  const std::string svg = tree_chart(tree, std::array{0.0, 0.5, 1.0}, "a & b");
  const auto has = [&](const char* text) { return svg.find(text) != std::string::npos; };
  CHECK(has("<title>a &amp; b</title>"));
  CHECK(has("<circle cx=\"41.0\" cy=\"104.0\" r=\"15\" fill=\"#e08a3c\"/>"));
  CHECK(has("<circle cx=\"93.5\" cy=\"104.0\" r=\"15\" fill=\"#d6d6d6\"/>"));
  CHECK(has("<circle cx=\"67.2\" cy=\"60.0\" r=\"15\" fill=\"#5ea3e6\"/>"));
  CHECK(has("M67.2 60.0L41.0 104.0"));
  CHECK(has("M67.2 60.0L93.5 104.0"));
  CHECK(has(">horrid</text>"));
  CHECK(has(">&lt;b&gt;no</text>"));
  CHECK(has(">0.50</text>"));

  const std::string beyond = tree_chart(tree, std::array{-7.0, std::nan(""), 1e300});
  CHECK(beyond.find("#e08a3c") != std::string::npos);
  CHECK(beyond.find("#5ea3e6") != std::string::npos);
  CHECK(beyond.find("nan") == std::string::npos);

  CHECK_THROWS_WITH(tree_chart(tree, std::array{1.0}), "tree_chart: 1 values for 3 nodes");
  using enum WordTree::Node;
  for (const WordTree& no :
       {WordTree{{}, {}, {}}, WordTree{{leaf, join}, {}, {"a"}}, WordTree{{leaf}, {}, {}},
        WordTree{{leaf, leaf}, {}, {"a", "b"}}, WordTree{{leaf}, {}, {"a", "b"}}})
    CHECK_THROWS_WITH(tree_chart(no, std::vector<double>(no.order.size())),
                      "tree: leaves and joins make no tree of the words");
}

TEST_CASE("a file has a tree a line") {
  const Scratch scratch;
  const auto trees = read_trees(scratch.file("good", "(1 a)\n\n(2 (0 b) (1 c))"));
  REQUIRE(trees.size() == 2);
  CHECK(shown(trees[1]) == "[b0 c1]2");
  const std::string bad = scratch.file("bad", "(1 a)\n \r\n(2 (0 b) (1 c)\n(1 a)\n");
  CHECK_THROWS_WITH(read_trees(bad), bad + ", line 3: a bracket is never closed");
  const std::string blank = scratch.file("blank", "\n \n");
  CHECK_THROWS_WITH(read_trees(blank), blank + ": no trees");
}

TEST_CASE("the sentiment treebank") {
  const char* const folder = std::getenv("SPOOL_DATA");
  const std::string at = std::string(folder != nullptr ? folder : "../shared/data") + "/sst_trees/";
  if (!std::filesystem::exists(at)) {
    WARN("skipped: no " + at);
    return;
  }
  CHECK(read_trees(at + "train.txt.gz").size() == 8544);
  CHECK(read_trees(at + "test.txt.gz").size() == 2210);
  const auto dev = read_trees(at + "dev.txt");
  REQUIRE(dev.size() == 1101);
  CHECK(shown(dev[0]) ==
        "[It2 [['s2 [[a2 [lovely3 film2]4]3 [with2 [[lovely3 performances2]3 "
        "[by2 [[Buy2 and2]2 Accorsi2]2]2]4]3]4]4 .2]4]3");
}
