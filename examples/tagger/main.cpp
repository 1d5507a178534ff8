// tagger: says of each word of a sentence what part of speech it is.
#include "../shared/classify.hpp"
#include "../shared/sequence_model.hpp"

#include <fmt/format.h>

#include <boost/algorithm/string.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace {

using namespace examples;
using spool::Tape, spool::Var;

constexpr const char* purpose =
    R"(Parts of speech: a tag for each word, by its spelling and the words around it.

  tagger train [options]        learn, and keep the model in --model
  tagger tag SENTENCE...        tag sentences, each in quotes
  tagger eval [options]         the model on the test part, beside a baseline

With --data DIR the sentences are those of DIR/pos_ud_ewt/ewt-*.tsv.gz.

)";

using Texts = std::vector<std::string>;
using Sentences = spool::WordsOfSentences;

struct Part {
  Sentences words, tags;
};
struct Corpus {
  Part train, validation, test;
  Texts tags;  // sorted
};

// Nouns and verbs share their words, so that only the place tells them apart; adjectives have an ending.
Part made_up(std::size_t count, spool::Philox& random) {
  static const Texts syllables{"ta", "vi", "ko", "gro", "mor", "lu", "sil", "en", "bu"};
  Part part{Sentences(count), Sentences(count)};
  for (std::size_t i = 0; i < count; ++i)
    for (const std::string tag : {"DET", "ADJ", "ADJ", "NOUN", "VERB", "DET", "ADJ", "NOUN"}) {
      if (tag != "NOUN" && tag != "VERB" && random.below(2) == 0) continue;
      std::string word = tag == "DET" ? "the" : tag == "ADJ" ? "ish" : "";
      for (int n = tag == "DET" ? 0 : 3; n > 0; --n) word.insert(0, syllables[random.below(9)]);
      part.words[i].push_back(word);
      part.tags[i].push_back(tag);
    }
  return part;
}

Corpus read_corpus(const std::string& directory) {
  spool::Philox random(1);
  std::set<std::string> tags{"NOUN", "PROPN"};
  const auto part = [&](const char* name, std::size_t count) {
    const std::string path = fmt::format("{}/pos_ud_ewt/ewt-{}.tsv.gz", directory, name);
    if (directory.empty()) return made_up(count, random);
    auto columns = spool::read_conll(path);
    if (columns.size() < 2) throw spool::FileError(path + ": has no second column, with the tags");
    return Part{std::move(columns[0]), std::move(columns[1])};
  };
  Corpus c{part("train", 1200), part("dev", 200), part("test", 200), {}};
  for (const Part* p : {&c.train, &c.validation, &c.test})
    for (const Texts& sentence : p->tags) tags.insert(sentence.begin(), sentence.end());
  c.tags.assign(tags.begin(), tags.end());
  return c;
}

int number_of(const std::string& tag, const Texts& tags) {
  return static_cast<int>(std::ranges::lower_bound(tags, tag) - tags.begin());
}

constexpr spool::PadOptions fewer_shapes{.value = 0, .multiple_of = 4};  // and so fewer plans

// To the layers that read sentences a word is a row of a table, and its bytes as read in both directions.
class Tagger {
 public:
  Tagger(const spool::Init& init, const Recipe& r, std::int64_t letters, spool::WordVocabulary words,
         Texts tags)
      : vocabulary_(std::move(words)),
        table_(init.named("words"), vocabulary_.size(), r.embed),
        letters_(init.named("letters"), 256, letters),
        spelling_(init.named("spelling"),
                  {.cell = r.cell, .input = letters, .hidden = letters, .bidirectional = true}),
        sentence_(init, {.recipe = r,
                         .width = r.embed + 2 * letters,
                         .classes = std::ssize(tags),
                         .pooling = Pooling::none}),
        tags_(std::move(tags)) {}

  // Scores [T,B,tags] of the chosen sentences.
  Var operator()(Tape& tape, const Sentences& all, std::span<const std::size_t> chosen, bool training) const {
    const Sentences sentences = pick(all, chosen);
    const spool::WordVocabulary here(sentences);
    std::vector<std::vector<int>> places;
    for (const Texts& words : sentences) places.push_back(here.encode(words));
    const spool::PaddedIds x = spool::pad(places, fewer_shapes);
    return sentence_(spool::take_rows(vectors(tape, here), tape.tokens(x.shape, x.ids)),
                     tape.tokens({std::ssize(x.lengths)}, x.lengths), training);
  }

  bool knows(const std::string& w) const { return vocabulary_.encode(Texts{w})[0] != vocabulary_.unknown; }
  Sentences tags_of(const Sentences& all) const {
    const spool::LengthBatches batches(spool::lengths_of(all), {.size = 64, .shuffle = false});
    Sentences tags(all.size());
    Tape tape;
    for (std::uint64_t n = 0; n < batches.size(); ++n) {
      const auto chosen = batches.at(n);
      tape.clear();
      const spool::Tensor best = tape.read(spool::argmax((*this)(tape, all, chosen, /*training=*/false)));
      for (std::size_t b = 0; b < chosen.size(); ++b)
        for (std::size_t t = 0; t < all[chosen[b]].size(); ++t)
          tags[chosen[b]].push_back(tags_[static_cast<std::size_t>(best.at(t * chosen.size() + b))]);
    }
    return tags;
  }

  spool::Params parameters() const { return spool::parameters(table_, letters_, spelling_, sentence_); }

 private:
  // [U,D], with rows to spare.
  Var vectors(Tape& tape, const spool::WordVocabulary& here) const {
    Texts words;
    std::vector<std::vector<int>> bytes;
    const int U = (here.size() + 63) / 64 * 64;
    for (int k = 0; k < U; ++k) {
      const std::string& word = words.emplace_back(here.word(std::min(k, here.size() - 1)));
      const std::size_t skipped = word.size() - std::min<std::size_t>(word.size(), 20);
      bytes.emplace_back();
      for (const char c : word.substr(skipped)) bytes.back().push_back(static_cast<unsigned char>(c));
    }
    const spool::PaddedIds x = spool::pad(bytes, fewer_shapes);
    const auto spelling =
        spelling_(letters_(tape.tokens(x.shape, x.ids)), {.lengths = tape.tokens({U}, x.lengths)});
    return spool::concat({table_(tape.tokens({U}, vocabulary_.encode(words))), spelling.last}, -1);
  }

  spool::WordVocabulary vocabulary_;
  spool::Embedding table_, letters_;
  AnyRecurrent spelling_;
  SequenceModel sentence_;
  Texts tags_;
};

using Counts = std::map<std::string, std::map<std::string, int>>;  // how often each word has each tag

// The baseline: the tag that the word has most often in the training part; of a word that is not there, a
// name's where it has a capital, else a noun's.
std::string most_frequent(const Counts& counts, const std::string& word) {
  const auto found = counts.find(word);
  if (found == counts.end()) return std::isupper(static_cast<unsigned char>(word[0])) != 0 ? "PROPN" : "NOUN";
  return std::ranges::max_element(found->second, {}, [](const auto& tag) { return tag.second; })->first;
}

// Which tags are taken for which: of all words, of those that are counted, and of the others.
std::vector<spool::Confusion> judge(const Part& part, const Sentences& predicted, const Texts& tags,
                                    const Counts& counts = {}) {
  std::vector<spool::Confusion> c(3, spool::Confusion(std::ssize(tags)));
  for (std::size_t i = 0; i < predicted.size(); ++i)
    for (std::size_t t = 0; t < predicted[i].size(); ++t)
      for (spool::Confusion* of : {&c[0], &c[counts.contains(part.words[i][t]) ? 1 : 2]})
        of->add(number_of(part.tags[i][t], tags), number_of(predicted[i][t], tags));
  return c;
}

int train(const Program& program, const Corpus& corpus, const Tagger& model) {
  const auto loss = [&](Tape& tape, std::span<const std::size_t> chosen) {
    std::vector<std::vector<int>> tags(chosen.size());
    for (std::size_t b = 0; b < chosen.size(); ++b)
      for (const auto& tag : corpus.train.tags[chosen[b]]) tags[b].push_back(number_of(tag, corpus.tags));
    const spool::PaddedIds y =
        spool::pad(tags, {.value = spool::ignore_index, .multiple_of = fewer_shapes.multiple_of});
    return spool::cross_entropy(model(tape, corpus.train.words, chosen, /*training=*/true),
                                tape.tokens(y.shape, y.ids));
  };
  const auto validate = [&]() -> spool::Metrics {
    const Sentences tags = model.tags_of(corpus.validation.words);
    return {{"accuracy", judge(corpus.validation, tags, corpus.tags)[0].accuracy()}};
  };
  return program.fit(model.parameters(), spool::lengths_of(corpus.train.words), loss, validate,
                     {.maximize = true});
}

int report(const Program& program, const Corpus& corpus, const Tagger& model) {
  Counts counts;
  for (std::size_t i = 0; i < corpus.train.words.size(); ++i)
    for (std::size_t t = 0; t < corpus.train.words[i].size(); ++t)
      ++counts[corpus.train.words[i][t]][corpus.train.tags[i][t]];
  Sentences baseline = corpus.test.words;
  for (Texts& sentence : baseline)
    for (std::string& word : sentence) word = most_frequent(counts, word);
  std::vector<Row> rows;
  spool::Confusion taken(std::ssize(corpus.tags));
  for (const auto& [who, tags] : {std::pair{program.recipe().cell, model.tags_of(corpus.test.words)},
                                  {"most frequent tag", baseline}}) {
    const auto c = judge(corpus.test, tags, corpus.tags, counts);
    if (rows.empty()) taken = c[0];
    rows.push_back({who, {c[0].accuracy(), c[1].accuracy(), c[2].accuracy()}});
  }
  print_table({"accuracy", "all words", "known", "unknown"}, rows);
  write_confusion(program, taken, corpus.tags);
  return 0;
}

// "the/DET dog/NOUN ./PUNCT", a line for each sentence.
int tag(const Texts& texts, const Tagger& model) {
  Sentences all;
  for (const std::string& text : texts) {
    all.push_back(spool::treebank_words(text, [&](const std::string& word) { return model.knows(word); }));
    require(!all.back().empty(), "tag: a sentence is empty");
  }
  const Sentences tags = model.tags_of(all);
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t t = 0; t < tags[i].size(); ++t)
      fmt::print("{}/{}{}", all[i][t], tags[i][t], t + 1 < tags[i].size() ? " " : "\n");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::int64_t letters = 0;
  const Recipe recipe{.hidden = 96, .embed = 64, .dropout = 0.3};
  Program program({.name = "tagger",
                   .purpose = purpose,
                   .verbs = {"train", "eval", "tag"},
                   .epochs = 6,
                   .recipe = recipe,
                   .with_words = {{"tag", "sentences, each in quotes"}}});
  program.learnt()("letters", po::value(&letters)->default_value(32),
                   "units that read a word, in each direction");

  return program.run(argc, argv, [&] {
    require(letters >= 1, fmt::format("--letters must be at least 1, not {}", letters));
    const bool uses = program.verb() == "tag";
    program.hint_quotes();
    const Corpus corpus =
        uses ? Corpus{{}, {}, {}, lines_of(program.fact("tags"))} : read_corpus(program.data());
    program.fact("tags", joined(corpus.tags));
    const Tagger model(program.init(), program.recipe(), letters,
                       kept_words(program, "vocabulary", corpus.train.words, /*min_count=*/2), corpus.tags);
    if (program.trains()) return train(program, corpus, model);
    program.restore(model.parameters());
    return uses ? tag(program.words(), model) : report(program, corpus, model);
  });
}
