// sentiment: reviews, good or bad, by word or by character.
#include "../shared/classify.hpp"
#include "../shared/sequence_model.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace {

using namespace examples;
using spool::Tape;
using Symbols = std::vector<std::string>;
using Ids = std::vector<std::vector<int>>;

constexpr const char* purpose =
    R"(Reviews, good or bad: a bidirectional recurrent network reads them word by
word, or character by character.

  sentiment train [options]     learn, and keep the model in --model
  sentiment eval [options]      the model on the test part, beside a baseline
  sentiment classify TEXT...    the class of texts, each in quotes; why.svg
                                shows which words speak for it

With --data DIR, --set says which reviews: films of DIR/sentiment_en_rt
(English), waimai (meals) or hotels of DIR/sentiment_zh (Chinese). Without,
sentences of a small made-up language with negations.

)";

struct Options {
  std::string set, by, pooling;
  int min_count = 0;
  std::int64_t longest = 0;
  double unknown = 0;
};

struct Reviews {
  std::vector<Symbols> symbols;
  Classes classes;
};

// Words are what stands between spaces; characters are code points.
Symbols symbols_of(const std::string& text, const Options& o) {
  Symbols all;
  if (o.by == "word") {
    all = spool::words_of(text);
  } else {
    all = spool::characters_of(text);
    for (std::string& c : all)
      if (c == "\n" || c == "\r") c = " ";
  }
  if (std::ssize(all) > o.longest) all.resize(static_cast<std::size_t>(o.longest));
  return all;
}

// "the film is not dull": words that stand for good or bad, each perhaps negated; what most of them say.
std::pair<std::string, int> made_up(spool::Philox& random) {
  static const Symbols things{"film", "plot", "cast", "end", "music"},
      bad{"dull", "poor", "weak", "flat", "sad"}, good{"fine", "bright", "witty", "warm", "bold"};
  std::string text;
  int sum = 0;
  while (sum == 0 || random.below(3) > 0) {
    const bool is_good = random.below(2) == 1, negated = random.below(2) == 1;
    text += fmt::format("{}the {} is {}{}", text.empty() ? "" : " and ", things[random.below(5)],
                        negated ? "not " : "", (is_good ? good : bad)[random.below(5)]);
    sum += is_good == negated ? -1 : 1;
  }
  return {text, sum > 0 ? 1 : 0};
}

// Texts and their classes: 0 is bad, 1 is good.
std::vector<std::pair<std::string, int>> read_texts(const std::string& directory, const std::string& set) {
  std::vector<std::pair<std::string, int>> texts;
  if (directory.empty()) {
    spool::Philox random(1);
    for (int i = 0; i < 1500; ++i) texts.push_back(made_up(random));
  } else if (set == "films") {
    for (const int label : {0, 1})
      for (const std::string& line :
           lines_of(spool::read_text(directory + (label == 1 ? "/sentiment_en_rt/rt-polarity.pos"
                                                             : "/sentiment_en_rt/rt-polarity.neg"))))
        texts.emplace_back(line, label);
  } else {
    const std::string file = directory + "/sentiment_zh/" +
                             (set == "waimai" ? "waimai_10k.csv.gz" : "ChnSentiCorp_htl_all.csv.gz");
    const spool::Csv csv(file);
    const spool::Tensor labels = csv.numbers("label");
    const Symbols reviews = csv.texts("review");
    for (std::size_t i = 0; i < reviews.size(); ++i) {
      if (labels.at(i) != 0 && labels.at(i) != 1)
        throw spool::FileError(fmt::format("{}: label {} is neither 0 nor 1", file, labels.at(i)));
      texts.emplace_back(reviews[i], static_cast<int>(labels.at(i)));
    }
  }
  return texts;
}

Reviews read_reviews(const std::string& directory, const Options& o) {
  Reviews all;
  all.classes.names = {"bad", "good"};
  for (const auto& [text, label] : read_texts(directory, o.set)) {
    Symbols symbols = symbols_of(text, o);
    if (symbols.empty()) continue;
    all.classes.lengths.push_back(std::ssize(symbols));
    all.symbols.push_back(std::move(symbols));
    all.classes.of.push_back(label);
  }
  all.classes.split = spool::stratified_split(all.classes.of, {}, /*seed=*/1);
  return all;
}

SequenceModel model_of(const Program& program, const Options& o, std::int64_t symbols) {
  return {program.init(),
          {.recipe = program.recipe(), .symbols = symbols, .classes = 2, .pooling = pooling_of(o.pooling)}};
}

// How much each symbol speaks for the text's class: the class's score over the other's, less the same when
// the symbol is unknown. [1,T]
spool::Tensor reasons(const SequenceModel& model, const std::vector<int>& ids) {
  Ids changed(ids.size() + 1, ids);
  for (std::size_t t = 0; t < ids.size(); ++t) changed[t + 1][t] = spool::WordVocabulary::unknown;
  Tape tape;
  const spool::Tensor scores = tape.read(model(tape, spool::pad(changed), /*training=*/false));
  const auto lead = [&](std::size_t i) { return scores.at(2 * i + 1) - scores.at(2 * i); };
  spool::Tensor out({1, std::ssize(ids)});
  for (std::size_t t = 0; t < ids.size(); ++t) out.set(t, (lead(0) - lead(t + 1)) * (lead(0) > 0 ? 1 : -1));
  return out;
}

int classify(const Program& program, const Options& o) {
  const auto vocabulary = spool::WordVocabulary::from_text(program.fact("vocabulary"));
  const SequenceModel model = model_of(program, o, vocabulary.size());
  program.restore(model.parameters());
  const std::vector<std::string> names = lines_of(program.fact("classes"));
  std::vector<std::string> pictures;
  const int code = print_likeliest(program, [&](Tape& tape, const std::string& text) {
    const Symbols symbols = symbols_of(text, o);
    require(!symbols.empty(), "classify: a text is empty");
    const Ids ids{vocabulary.encode(symbols)};
    const spool::Var scores = model(tape, spool::pad(ids), /*training=*/false);
    const double good = tape.read(spool::softmax(scores)).at(1), p = std::max(good, 1 - good);
    pictures.push_back(spool::heat_map(
        reasons(model, ids[0]),
        {.title = fmt::format("{} {:.2f}: how much each {} speaks for it", names[good > 0.5], p, o.by),
         .row_labels = {""},
         .column_labels = symbols,
         .width = std::clamp(100 + 14 * static_cast<int>(symbols.size()), 480, 1600),
         .height = 280}));
    return scores;
  });
  spool::write_file(program.file("why.svg"), spool::panels(pictures, 1));
  fmt::print("which words speak for it: {}\n", program.file("why.svg"));
  return code;
}

int learn_or_judge(Program& program, const Options& o) {
  const Reviews reviews = read_reviews(program.data(), o);
  const spool::WordVocabulary vocabulary =
      kept_words(program, "vocabulary", pick(reviews.symbols, reviews.classes.split.train), o.min_count);
  program.fact("classes", joined(reviews.classes.names));
  Ids ids;
  for (const Symbols& symbols : reviews.symbols) ids.push_back(vocabulary.encode(symbols));

  const SequenceModel model = model_of(program, o, vocabulary.size());
  const Scores scores = [&](Tape& tape, std::span<const std::size_t> chosen, bool training) {
    spool::PaddedIds x = spool::pad(ids, chosen);
    if (training) {
      const auto step = static_cast<std::uint32_t>(tape.random().draw);
      spool::Philox random(program.seed(), step);  // of this step, also after --resume
      for (int& id : x.ids)
        if (random.uniform() < o.unknown) id = spool::WordVocabulary::unknown;
    }
    return model(tape, x, training);
  };
  if (program.trains()) return fit_classes(program, model.parameters(), reviews.classes, scores);

  program.restore(model.parameters());
  std::vector<Symbols> features = reviews.symbols;
  if (o.by == "character")
    for (Symbols& symbols : features)  // pairs too
      for (std::size_t t = 1, T = symbols.size(); t < T; ++t) symbols.push_back(symbols[t - 1] + symbols[t]);
  const Bags bags(features, reviews.classes);
  report_classes(
      program, reviews.classes,
      {{fmt::format("{}, {}", program.recipe().cell, o.pooling), scores},
       {"logistic regression, bag of " + std::string(o.by == "word" ? "words" : "characters and pairs"),
        bags.scores()}});
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  const Recipe recipe{.hidden = 64, .embed = 100, .lr = 5e-3, .dropout = 0.5};
  Program program({.name = "sentiment",
                   .purpose = purpose,
                   .verbs = {"train", "eval", "classify"},
                   .epochs = 12,
                   .recipe = recipe,
                   .with_words = {{"classify", "a text, in quotes"}},
                   .of_data = {"set"}});
  auto learnt = program.learnt();
  learnt("set", po::value(&o.set)->default_value("films"), "films, waimai or hotels");
  learnt("by", po::value(&o.by)->default_value("word"), "word or character");
  learnt("pooling", po::value(&o.pooling)->default_value("attention"),
         "what the classifier reads: last (state), mean (of all) or attention (a learnt mean)");
  learnt("min-count", po::value(&o.min_count)->default_value(2), "symbols that stand so often are known");
  learnt("unknown", po::value(&o.unknown)->default_value(0.1, "0.1"), "share of symbols that training hides");
  learnt("longest", po::value(&o.longest)->default_value(200), "symbols of a text that are read");

  return program.run(argc, argv, [&] {
    require_one_of("set", o.set, {"films", "waimai", "hotels"});
    require_one_of("by", o.by, {"word", "character"});
    require(o.min_count >= 1, fmt::format("--min-count must be at least 1, not {}", o.min_count));
    require(o.longest > 0, "--longest must be above 0");
    require(o.unknown >= 0 && o.unknown < 1, "--unknown must be in [0, 1)");
    if (o.by == "word") program.hint_quotes();
    return program.verb() == "classify" ? classify(program, o) : learn_or_judge(program, o);
  });
}
