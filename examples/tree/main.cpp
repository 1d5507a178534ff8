// tree: whether a sentence is positive or negative, by a network that follows its parse tree.
#include "../shared/classify.hpp"

#include <fmt/format.h>

#include <boost/algorithm/string.hpp>

#include <array>
#include <set>

namespace {

using namespace examples;
using spool::Tape;
using spool::Var;
using Chosen = std::span<const std::size_t>;

constexpr const char* purpose =
    R"help(Sentiment of trees: a Tree-LSTM computes a vector for each phrase from those of
its two parts.

  tree train [options]          learn from the labels of all phrases, and keep
                                the model in --model
  tree eval [options]           the model on the roots of the test part, beside
                                bags of words
  tree show [options] TREE      what it says of each phrase of a tree such as
                                "((not very) good)", as a picture too

With --data DIR the trees are those of DIR/sst_trees, without it logical
expressions that are made here.

)help";

struct Example {
  spool::WordTree tree;      // words in lower case
  std::vector<int> classes;  // of each node: 0 negative, 1 positive, ignore_index neither or not known
};

struct Trees {
  std::vector<Example> all;
  Classes roots;  // all of them are positive or negative
};

Example example_of(spool::WordTree tree, const std::string& origin) {
  Example e{.tree = std::move(tree), .classes = {}};
  for (std::string& word : e.tree.words) boost::to_lower(word);
  for (const std::string& label : e.tree.labels) {
    if (!label.empty() && (label.size() > 1 || label < "0" || label > "4"))
      throw spool::FileError(fmt::format("{}: the label '{}' is none of 0 to 4", origin, label));
    e.classes.push_back(label.empty() || label == "2" ? spool::ignore_index : label > "2");
  }
  return e;
}

// ((and a) b) or (not a), of so many words, as a labelled tree. `value`: what it comes to.
std::string expression(std::uint64_t size, spool::Philox& random, bool& value) {
  bool a = false, b = false;
  std::string parts;
  if (size == 1) {
    value = random.below(2) == 1;
    parts = value ? "1" : "0";
  } else if (size == 2 || random.below(4) == 0) {
    parts = "(2 not) " + expression(size - 1, random, a);
    value = !a;
  } else {
    const std::uint64_t left = 1 + random.below(size - 2), kind = random.below(3);
    const std::string first = expression(left, random, a), second = expression(size - 1 - left, random, b);
    value = kind == 0 ? a && b : kind == 1 ? a || b : a != b;
    parts = fmt::format("(2 (2 {}) {}) {}", std::array{"and", "or", "xor"}.at(kind), first, second);
  }
  return fmt::format("({} {})", value ? 4 : 0, parts);
}

// The treebank's own parts, without trees that are neutral as a whole; or 1600 expressions of 3 to 12 words.
Trees read_trees(const std::string& directory) {
  Trees trees{.all = {}, .roots = {.names = {"negative", "positive"}, .of = {}, .lengths = {}, .split = {}}};
  spool::Split& split = trees.roots.split;
  spool::Philox random(1);
  for (const auto& [part, name, count] : {std::tuple{&split.train, "train.txt.gz", 1000},
                                          {&split.validation, "dev.txt", 200},
                                          {&split.test, "test.txt.gz", 400}}) {
    const std::string file = directory + "/sst_trees/" + name;
    std::vector<spool::WordTree> some;
    bool value = false;
    for (int i = 0; directory.empty() && i < count; ++i)
      some.push_back(spool::labelled_tree(expression(3 + random.below(10), random, value)));
    if (!directory.empty()) some = spool::read_trees(file);
    for (spool::WordTree& tree : some) {
      Example e = example_of(std::move(tree), file);
      if (e.classes.back() < 0) continue;
      part->push_back(trees.all.size());
      trees.roots.of.push_back(e.classes.back());
      trees.roots.lengths.push_back(std::ssize(e.tree.words));
      trees.all.push_back(std::move(e));
    }
    if (part->empty()) throw spool::FileError(file + ": no tree is positive or negative as a whole");
  }
  return trees;
}

// The words of each phrase, in the order of the nodes.
std::vector<std::vector<std::string>> phrases(const spool::WordTree& tree) {
  return spool::fold_tree(
      tree, [&](std::size_t i) { return std::vector{tree.words[i]}; },
      [](std::vector<std::string> left, const std::vector<std::string>& right) {
        left.insert(left.end(), right.begin(), right.end());
        return left;
      });
}

// Tai, Socher and Manning 2015, equations 9 to 14 for two children (the matrix of a forget gate sees both).
// Trees are recorded node by node; it is the planner that finds what can be computed together.
class TreeLstm {
 public:
  TreeLstm(const spool::Init& init, const Recipe& r, spool::WordVocabulary words)
      : words_(std::move(words)),
        dropout_(r.dropout),
        table_(init.named("words"), words_.size(), r.embed),
        leaf_(init.named("leaf"), r.embed, 3 * r.hidden),
        join_(init.named("join"), 2 * r.hidden, 5 * r.hidden),
        head_(init.named("head"), r.hidden, 2) {}

  // The scores of all nodes [N,2], in their order.
  Var operator()(Tape& tape, const spool::WordTree& tree, bool training) const {
    const std::vector<int> ids = words_.encode(tree.words);
    const spool::LstmState leaves = leaf(dropped(table_(tape.tokens({std::ssize(ids)}, ids)), training));
    const auto word = [&](std::size_t k) {
      const auto at = static_cast<std::int64_t>(k);
      return spool::LstmState{slice(leaves.h, 0, at, at + 1), slice(leaves.c, 0, at, at + 1)};
    };
    spool::Vars outputs;
    for (const auto& state :
         spool::fold_tree(tree, word, [&](const auto&left, const auto&right) { return join(left, right); }))
      outputs.push_back(state.h);
    return head_(dropped(concat(outputs, 0), training));
  }
  spool::Params parameters() const { return spool::parameters(table_, leaf_, join_, head_); }

 private:
  Var dropped(Var x, bool training) const { return dropout(x, dropout_, training); }

  spool::LstmState leaf(Var words) const {  // [n,D]
    const auto [i, o, u] = spool::split<3>(leaf_(words));
    const Var c = sigmoid(i) * tanh(u);
    return {sigmoid(o) * tanh(c), c};
  }
  spool::LstmState join(const spool::LstmState& left, const spool::LstmState& right) const {
    const auto [i, o, u, fl, fr] = spool::split<5>(join_(spool::concat({left.h, right.h}, 1)));
    const Var c = sigmoid(i) * tanh(u) + sigmoid(fl) * left.c + sigmoid(fr) * right.c;
    return {sigmoid(o) * tanh(c), c};
  }

  spool::WordVocabulary words_;
  double dropout_;
  spool::Embedding table_;
  spool::Linear leaf_, join_, head_;
};

std::vector<std::vector<std::string>> sentences_of(const Trees& trees) {
  std::vector<std::vector<std::string>> words;
  for (const Example& e : trees.all) words.push_back(e.tree.words);
  return words;
}

// Learns the mean over all phrases that have a class; the accuracy of roots decides which epoch is best.
int train(const Program& program, const Trees& trees, const TreeLstm& model, const Scores& roots) {
  ClassifyOptions options;
  options.learnt = [&](Tape& tape, Chosen chosen) {
    spool::Vars scores;
    std::vector<int> classes;
    for (const std::size_t i : chosen) {
      const Example& e = trees.all[i];
      scores.push_back(model(tape, e.tree, /*training=*/true));
      classes.insert(classes.end(), e.classes.begin(), e.classes.end());
    }
    return cross_entropy(concat(scores, 0), tape.tokens({std::ssize(classes)}, classes));
  };
  return fit_classes(program, model.parameters(), trees.roots, roots, options);
}

// Logistic regression on the words of sentences; and on those of all phrases that the Tree-LSTM learns from.
void evaluate(const Program& program, const Trees& trees, const Scores& roots) {
  std::vector<std::vector<std::string>> words = sentences_of(trees);
  const Bags sentences(words, trees.roots);
  Classes more = trees.roots;
  std::set<std::vector<std::string>> seen;
  for (const std::size_t i : trees.roots.split.train) {
    const auto all = phrases(trees.all[i].tree);
    for (std::size_t node = 0; node + 1 < all.size(); ++node) {
      if (trees.all[i].classes[node] < 0 || !seen.insert(all[node]).second) continue;
      more.split.train.push_back(words.size());
      more.of.push_back(trees.all[i].classes[node]);
      more.lengths.push_back(std::ssize(all[node]));
      words.push_back(all[node]);
    }
  }
  const Bags of_phrases(words, more);
  report_classes(program, trees.roots,
                 {{"Tree-LSTM", roots},
                  {"bag of words, of sentences", sentences.scores()},
                  {"bag of words, of phrases", of_phrases.scores()}});
}

int show(const Program& program, const spool::WordTree& tree, const TreeLstm& model) {
  Tape tape;
  const spool::Tensor p = tape.read(spool::softmax(model(tape, tree, /*training=*/false)));
  std::vector<double> positive;
  for (const auto& phrase : phrases(tree)) {
    positive.push_back(p.at(2 * positive.size() + 1));
    fmt::print("{:.2f}  {}\n", positive.back(), boost::join(phrase, " "));
  }
  spool::write_file(program.file("tree.svg"),
                    spool::tree_chart(tree, positive, "How positive each phrase is"));
  fmt::print("as a picture: {}\n", program.file("tree.svg"));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const Recipe recipe{
      .cell = "", .hidden = 100, .layers = 0, .embed = 100, .batch = 25, .lr = 2e-3, .dropout = 0.5};
  Program program({.name = "tree",
                   .purpose = purpose,
                   .verbs = {"train", "eval", "show"},
                   .epochs = 8,
                   .recipe = recipe,
                   .with_words = {{"show", "a tree, such as \"((not very) good)\""}}});
  return program.run(argc, argv, [&] {
    const bool shows = program.verb() == "show";
    const Trees trees = shows ? Trees{} : read_trees(program.data());
    const TreeLstm model({.seed = program.seed(), .scheme = spool::Scheme::keras}, program.recipe(),
                         kept_words(program, "words", pick(sentences_of(trees), trees.roots.split.train),
                                    /*min_count=*/2));
    const Scores roots = [&](Tape& tape, Chosen chosen, bool training) {
      spool::Vars scores;
      for (const std::size_t i : chosen)
        scores.push_back(select(model(tape, trees.all[i].tree, training), 0, -1));
      return stack(scores, 0);
    };
    if (program.trains()) return train(program, trees, model, roots);
    program.restore(model.parameters());
    if (shows)
      return show(program, example_of(spool::plain_tree(boost::join(program.words(), " "), "show"), "").tree,
                  model);
    evaluate(program, trees, roots);
    return 0;
  });
}
