// names: writes names that nobody has (generate), and tells where a name comes from (classify).
#include "../shared/classify.hpp"
#include "../shared/language_model.hpp"
#include "../shared/sequence_model.hpp"

#include <fmt/format.h>

#include <boost/algorithm/string.hpp>

#include <set>

namespace {

using namespace examples;
using spool::Tape;
using spool::Var;
using Ids = std::vector<std::vector<int>>;

constexpr const char* purpose =
    R"(Names, character by character: a model that writes new ones, or one that tells
their nationality.

  names train --task generate    learn to write names, and keep the model in
                                 --model
  names sample [options]         write some
  names train --task classify    learn to tell which class a name is of
  names classify NAME...         the likeliest classes of names
  names eval [options]           the model on the test part, beside baselines

With --data DIR the names are those of DIR/names_makemore or
DIR/names_nationality, CLASS.txt each.

)";

struct Names {
  std::vector<std::string> texts;
  Ids ids;                       // of their symbols
  spool::Vocabulary vocabulary;  // of all names, and the line end, 0
  Classes classes;
};

// Four languages with syllables and endings of their own; a name's first syllable comes again as its last,
// before the ending: "tavikonatashi".
std::string made_up(int language, spool::Philox& random) {
  static const std::vector<std::vector<std::string>> syllables{{"ta", "vi", "ko", "ri", "na", "mo"},
                                                               {"gro", "mor", "bak", "dur", "zug"},
                                                               {"le", "lu", "ane", "sil", "eri", "oua"},
                                                               {"zha", "shi", "chen", "xu", "ya"}};
  static const std::vector<std::string> ends{"shi", "k", "elle", "ng"};
  const auto& all = syllables[static_cast<std::size_t>(language)];
  const std::string first = all[random.below(all.size())];
  std::string name = first;
  for (std::uint64_t n = 2 + random.below(2); n > 0; --n) name += all[random.below(all.size())];
  name += first;
  return random.below(4) > 0 ? name + ends[static_cast<std::size_t>(language)] : name;
}

// Names, each once in its class: of DIR/names_makemore (task "generate": one class) or DIR/names_nationality;
// without a directory, of four languages made up here. No option changes how they are divided.
Names read_names(const std::string& directory, const std::string& task) {
  std::vector<std::string> texts;
  Classes classes;
  std::set<std::pair<std::string, int>> seen;
  const auto add = [&](const std::string& name, int label) {
    if (name.empty() || !seen.emplace(name, label).second) return;
    texts.push_back(name);
    classes.of.push_back(label);
  };
  if (directory.empty()) {
    spool::Philox random(1);
    classes.names = {"Tavi", "Mork", "Lune", "Zhan"};
    for (int i = 0; i < 2400; ++i) add(made_up(i % 4, random), i % 4);
  } else {
    for (const auto& file :
         files_in(directory + (task == "generate" ? "/names_makemore" : "/names_nationality"), ".txt")) {
      if (file.stem() == "README") continue;
      for (const std::string& line : lines_of(spool::read_text(file.string())))
        add(boost::trim_copy(line), static_cast<int>(classes.names.size()));
      classes.names.push_back(file.stem().string());
    }
  }
  classes.split = spool::stratified_split(classes.of, {}, /*seed=*/1);

  const spool::Vocabulary vocabulary("\n" + boost::join(texts, ""));
  std::vector<std::vector<int>> ids;
  for (const std::string& text : texts) ids.push_back(vocabulary.encode(text));
  classes.lengths = spool::lengths_of(ids);
  return {std::move(texts), std::move(ids), vocabulary, std::move(classes)};
}

SequenceModel writer(const Program& program, std::int64_t V) {
  const Recipe& recipe = program.recipe();
  return {program.init(),
          {.recipe = recipe, .symbols = V, .classes = V, .bidirectional = false, .pooling = Pooling::none}};
}

// What is read of the names of a part: the line end before the name, and the one after it.
Ids whole_lines(const Names& names, std::span<const std::size_t> part) {
  Ids lines;
  for (const std::size_t i : part) {
    lines.push_back(names.ids[i]);
    lines.back().insert(lines.back().begin(), 0);
    lines.back().push_back(0);
  }
  return lines;
}

// Nats, by character or in all.
Var loss_of(Tape& tape, const SequenceModel& model, const Ids& lines, std::span<const std::size_t> chosen,
            bool training, spool::Reduction reduction) {
  spool::PaddedIds x = spool::pad(lines, chosen);
  spool::PaddedIds y = spool::pad(lines, chosen, {.value = spool::ignore_index});
  for (int& length : x.lengths) --length;
  const Var targets = spool::slice(tape.tokens(y.shape, y.ids), 0, 1, y.shape[0]);
  x.ids.resize(x.ids.size() - x.lengths.size());
  x.shape = x.shape.with(0, x.shape[0] - 1);
  return spool::cross_entropy(model(tape, x, training), targets, {.reduction = reduction});
}

double evaluate(const SequenceModel& model, const Ids& lines) {
  double characters = 0;
  for (const auto& line : lines) characters += static_cast<double>(line.size() - 1);
  return total_loss(spool::lengths_of(lines),
                    [&](Tape& tape, std::span<const std::size_t> chosen) {
                      return loss_of(tape, model, lines, chosen, false, spool::Reduction::sum);
                    }) /
         characters;
}

int sample(const Program& program, int count, const std::string& prefix,
           const spool::SampleOptions& sampling) {
  const spool::Vocabulary vocabulary(program.fact("vocabulary"));
  const auto model = writer(program, vocabulary.size());
  program.restore(model.parameters());
  const WriteOptions how{
      .prime = vocabulary.encode("\n" + prefix, "--prefix"), .length = 40, .end = 0, .sampling = sampling};
  auto stepper = model.stepper();
  for (int i = 0; i < count; ++i)
    fmt::print("{}{}\n", prefix,
               write(stepper, vocabulary, how, program.seed(), static_cast<std::uint32_t>(i)));
  return 0;
}

int generate(Program& program, const Names& names) {
  const int V = names.vocabulary.size();
  const spool::Split& split = names.classes.split;
  const Ids train = whole_lines(names, split.train), test = whole_lines(names, split.test),
            validation = whole_lines(names, split.validation);
  const auto model = writer(program, V);
  if (program.trains())
    return program.fit(
        model.parameters(), spool::lengths_of(train),
        [&](Tape& tape, std::span<const std::size_t> chosen) {
          return loss_of(tape, model, train, chosen, true, spool::Reduction::mean);
        },
        [&] { return evaluate(model, validation); }, {.loss_unit = "nats per character"});
  program.restore(model.parameters());
  const spool::NGrams ngrams(train, V);
  print_table({fmt::format("{} test names", test.size()), "nats per character"},
              {{program.recipe().cell, {evaluate(model, test)}},
               {"n-grams", {ngrams.loss(test, ngrams.best_order(validation))}}});
  return 0;
}

// The n-grams of one to four bytes, with marks for both ends.
std::vector<std::string> ngrams_of(const std::string& name) {
  const std::string text = "^" + name + "$";
  std::vector<std::string> all;
  for (std::size_t n = 1; n <= 4; ++n)
    for (std::size_t i = 0; i + n <= text.size(); ++i) all.push_back(text.substr(i, n));
  return all;
}

SequenceModel model_of(const Program& program, std::int64_t V, std::int64_t classes) {
  return {program.init(), {.recipe = program.recipe(), .symbols = V, .classes = classes}};
}

int print_classes(const Program& program) {
  const spool::Vocabulary vocabulary(program.fact("vocabulary"));
  const auto model = model_of(program, vocabulary.size(), std::ssize(lines_of(program.fact("classes"))));
  program.restore(model.parameters());
  return print_likeliest(program, [&](Tape& tape, const std::string& name) {
    const Ids ids{vocabulary.encode(name, name)};
    return model(tape, spool::pad(ids), /*training=*/false);
  });
}

int classify(Program& program, const Names& names) {
  program.fact("classes", joined(names.classes.names));
  const auto model = model_of(program, names.vocabulary.size(), std::ssize(names.classes.names));
  const Scores scores = [&](Tape& tape, std::span<const std::size_t> chosen, bool training) {
    return model(tape, spool::pad(names.ids, chosen), training);
  };
  const ClassifyOptions rare_count{.balanced = true};
  if (program.trains()) return fit_classes(program, model.parameters(), names.classes, scores, rare_count);

  program.restore(model.parameters());
  std::vector<std::vector<std::string>> ngrams;
  for (const std::string& name : names.texts) ngrams.push_back(ngrams_of(name));
  const Bags bags(ngrams, names.classes, rare_count);
  report_classes(program, names.classes,
                 {{program.recipe().cell, scores}, {"logistic regression, n-grams", bags.scores()}});
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string task, prefix;
  int count = 0;
  spool::SampleOptions sampling;
  const Recipe recipe{.hidden = 128};
  Program program({.name = "names",
                   .purpose = purpose,
                   .verbs = {"train", "eval", "sample", "classify"},
                   .epochs = 15,
                   .recipe = recipe,
                   .with_words = {{"classify", "a name"}},
                   .only = {{{"sample"}, {"count", "prefix", "temperature", "top-k", "top-p"}}}});
  program.learnt()("task", po::value(&task)->default_value("generate"), "generate or classify");
  auto used = program.used();
  used("count", po::value(&count)->default_value(10), "names to write");
  used("prefix", po::value(&prefix)->default_value(""), "how they begin");
  add_options(program, sampling);

  return program.run(argc, argv, [&] {
    require_one_of("task", task, {"generate", "classify"});
    require(count >= 1, fmt::format("--count must be at least 1, not {}", count));
    const bool generates = task == "generate";
    require(program.verb() != (generates ? "classify" : "sample"),
            "the model in --model was trained with --task " + task);
    if (program.verb() == "sample") return sample(program, count, prefix, sampling);
    if (program.verb() == "classify") return print_classes(program);
    const Names names = read_names(program.data(), task);
    program.fact("vocabulary", names.vocabulary.symbols());
    return generates ? generate(program, names) : classify(program, names);
  });
}
