// translate: sequence to sequence with attention: dates, spelling to phonemes, English to French, Chinese to
// English. Recurrent layers read in both directions, an LSTM that looks back at them writes.
#include "../shared/any_recurrent.hpp"
#include "../shared/made_up.hpp"
#include "../shared/program.hpp"
#include "../shared/writer.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/algorithm/string.hpp>

#include <algorithm>
#include <map>

namespace {

using examples::Program, examples::Texts, examples::Tokens, examples::Writer, examples::WriterOptions;
using Ids = std::vector<std::vector<int>>;

const std::string purpose = R"(Reads one sequence and writes another: an encoder and a decoder with attention.

  translate train [options]              learn
  translate eval [options]               error rates, BLEU and chrF on the test
                                         part, beside a baseline
  translate translate TEXT... [options]  the best translations, and a picture of
                                         where it looked

--task dates needs no data: "5 March 1999" becomes 1999-03-05. With --data DIR,
phonemes spells words as they sound (DIR/seq2seq_cmudict); eng-fra and cmn-eng
are English to French and Chinese to English (DIR/translation_tatoeba). --cell
is the encoder's; what writes is an LSTM.

)";

// A source stands once, with all of its translations.
struct Task {
  void add(const Tokens& source, const Tokens& target) {
    const auto [at, is_new] = positions.emplace(source, sources.size());
    if (is_new) {
      sources.push_back(source);
      targets.emplace_back();
      lengths.push_back(std::ssize(source));
    }
    auto& all = targets[at->second];
    if (std::ranges::find(all, target) == all.end()) all.push_back(target);
  }
  std::map<Tokens, std::size_t> positions;
  std::vector<Tokens> sources;
  Texts targets;
  std::vector<std::int64_t> lengths;  // of the sources
  spool::Split split;                 // which no option changes
};

Tokens characters(const std::string& text) {
  return spool::words_of(spool::bleu_tokens(text, spool::BleuTokens::characters));
}

// A source as a user writes it.
Tokens source_tokens(const std::string& task, const std::string& text) {
  if (task == "eng-fra") return spool::words_of(spool::bleu_tokens(text));
  return characters(task == "phonemes" ? boost::to_lower_copy(text) : text);
}

// What stands between the tokens of a target that is shown.
std::string between(const std::string& task) { return task == "dates" ? "" : " "; }

// "word(2) W ER1 D # comment": letters, and phonemes without the digits of stress.
void add_word(Task& task, const std::string& line) {
  Tokens phonemes = spool::words_of(line.substr(0, line.find('#')));
  if (phonemes.size() < 2) return;
  const std::string word = phonemes[0].substr(0, phonemes[0].find('('));
  phonemes.erase(phonemes.begin());
  for (std::string& phoneme : phonemes) boost::trim_right_if(phoneme, boost::is_digit());
  task.add(source_tokens("phonemes", word), phonemes);
}

// English, a tab, the other language, a tab, whose sentences they are.
void add_sentence(Task& task, const std::string& name, const std::string& line) {
  std::vector<std::string> columns;
  boost::split(columns, line, [](char c) { return c == '\t'; });
  if (columns.size() < 2) throw spool::FileError(name + ": a line has no tab between two languages: " + line);
  if (name == "cmn-eng") std::swap(columns[0], columns[1]);
  task.add(source_tokens(name, columns[0]), spool::words_of(spool::bleu_tokens(columns[1])));
}

// What ties sentences together: a source or a translation that is the same but for case and punctuation.
// Words and dates are free: two spellings with one pronunciation are no leak, since the spelling is read.
std::vector<Tokens> keys_of(const Task& task) {
  std::vector<Tokens> keys(task.sources.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    keys[i] = {"from " + examples::letters_of(task.sources[i])};
    for (const Tokens& target : task.targets[i]) keys[i].push_back("to " + examples::letters_of(target));
  }
  return keys;
}

Task read_task(const std::string& directory, const std::string& name) {
  Task task;
  if (name == "dates") {
    spool::Philox random(2023);
    while (task.sources.size() < 4000) {
      const auto [date, iso] = examples::made_up_date(random);
      task.add(characters(date), characters(iso));
    }
  } else {
    const std::string file = name == "phonemes"  ? "/seq2seq_cmudict/cmudict.dict.gz"
                             : name == "eng-fra" ? "/translation_tatoeba/eng-fra.5000.txt.gz"
                                                 : "/translation_tatoeba/cmn-eng.txt.gz";
    for (const std::string& line :
         examples::lines_of(boost::trim_right_copy(spool::read_text(directory + file))))
      name == "phonemes" ? add_word(task, line) : add_sentence(task, name, line);
  }
  const spool::SplitFractions parts{0.9, 0.04, 0.06};
  task.split = name == "dates" || name == "phonemes"
                   ? spool::random_split(task.sources.size(), parts, /*seed=*/1)
                   : spool::grouped_split(spool::linked_groups(keys_of(task)), parts, /*seed=*/1);
  return task;
}

struct Model {
  Model(Program& program, const WriterOptions& options, const Task& task)
      : recipe(program.recipe()),
        from(examples::kept_words(program, "sources", examples::pick(task.sources, task.split.train),
                                  options.min_count)),
        table(program.init().named("source"), from.size(), recipe.embed),
        encoder(program.init().named("encoder"), {.cell = recipe.cell,
                                                  .input = recipe.embed,
                                                  .hidden = recipe.hidden,
                                                  .layers = recipe.layers,
                                                  .bidirectional = true,
                                                  .dropout = recipe.dropout}),
        writer(program, options, task.targets, task.split.train,
               {2 * recipe.hidden, 2 * recipe.hidden, 2 * recipe.hidden}) {}
  spool::Params parameters() const { return spool::parameters(table, encoder, writer); }

  Writer::Read reader(const std::vector<Tokens>& sources) const {
    Ids all;
    for (const Tokens& source : sources) all.push_back(from.encode(source));
    return [this, all = std::move(all)](spool::Tape& tape, std::span<const std::size_t> positions,
                                        bool training) {
      const spool::PaddedIds x = spool::pad(all, positions);
      const spool::Var lengths = tape.tokens({x.shape[1]}, x.lengths);
      const spool::Var xs = spool::dropout(table(tape.tokens(x.shape, x.ids)), recipe.dropout, training);
      const auto [ys, last] = encoder(xs, {.lengths = lengths, .training = training});
      return writer.decoder().source(ys, last, lengths);
    };
  }

  examples::Recipe recipe;
  spool::WordVocabulary from;
  spool::Embedding table;
  examples::AnyRecurrent encoder;
  Writer writer;
};

// "attention.svg": where it looked for each token of these texts.
void draw(const Program& program, const Model& model, const std::vector<Tokens>& sources,
          const std::vector<std::size_t>& positions, const std::vector<Tokens>& written,
          const std::string& name) {
  const Writer::Read read = model.reader(sources);
  std::vector<std::string> maps;
  for (std::size_t k = 0; k < positions.size(); ++k) {
    const auto weights = model.writer.looked(positions[k], written[k], read);
    if (!weights) return;
    maps.push_back(examples::attention_map(*weights, sources[positions[k]], written[k], between(name)));
  }
  spool::write_file(program.file("attention.svg"), spool::panels(maps));
  fmt::print("where it looked: {}\n", program.file("attention.svg"));
}

int evaluate(const Program& program, const Model& model, const Task& task, const std::string& name) {
  const std::span test = task.split.test, some = test.first(std::min<std::size_t>(test.size(), 300));
  const Writer::Read read = model.reader(task.sources);
  const auto best = model.writer.write(test, task.lengths, read),
             greedy = model.writer.write(test, task.lengths, read, 1);
  std::vector<Tokens> nearest;
  for (const std::size_t i : some)  // slow, so of some only
    nearest.push_back(task.targets[*std::ranges::min_element(task.split.train, {}, [&](std::size_t k) {
      return spool::count_edits(task.sources[k], task.sources[i]).total();
    })][0]);
  examples::print_table(
      examples::judged_heads(),
      {examples::judged("beam search", task.targets, test, best, between(name)),
       examples::judged("greedy", task.targets, test, greedy, between(name)),
       examples::judged("translation of the nearest source", task.targets, some, nearest, between(name))},
      2);
  const auto shown = std::min<std::ptrdiff_t>(4, std::ssize(test));
  draw(program, model, task.sources, {test.begin(), test.begin() + shown},
       {best.begin(), best.begin() + shown}, name);
  return 0;
}

int translate(Program& program, const WriterOptions& options, const std::string& name) {
  Task task;  // not added by add(): the same text may stand twice
  std::vector<std::size_t> positions;
  for (const std::string& text : program.words()) {
    positions.push_back(task.sources.size());
    task.sources.push_back(source_tokens(name, text));
    examples::require(!task.sources.back().empty(), "there is nothing to translate in an empty text");
    task.lengths.push_back(std::ssize(task.sources.back()));
  }
  const Model model(program, options, task);
  program.restore(model.parameters());
  const auto best = model.writer.write(positions, task.lengths, model.reader(task.sources));
  for (const Tokens& text : best) fmt::print("{}\n", fmt::join(text, between(name)));
  draw(program, model, task.sources, positions, best, name);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const examples::Recipe recipe{.cell = "lstm", .hidden = 64, .embed = 32, .batch = 32, .dropout = 0.1};
  Program program({.name = "translate",
                   .purpose = purpose,
                   .verbs = {"train", "eval", "translate"},
                   .epochs = 8,
                   .recipe = recipe,
                   .with_words = {{"translate", "a text, in quotes"}}});
  std::string name;
  program.learnt()("task", examples::po::value(&name)->default_value("dates"),
                   "dates, phonemes, eng-fra or cmn-eng");
  const WriterOptions options(program);
  return program.run(argc, argv, [&] {
    examples::require_one_of("task", name, {"dates", "phonemes", "eng-fra", "cmn-eng"});
    const bool made_up = name == "dates";
    examples::require(!made_up || program.data().empty(), "--data needs --task phonemes, eng-fra or cmn-eng");
    if (made_up || name == "eng-fra") program.hint_quotes();
    if (program.verb() == "translate") return translate(program, options, name);
    examples::require(made_up || !program.data().empty(), "--task " + name + " needs --data DIR");
    const Task task = read_task(program.data(), name);
    const Model model(program, options, task);
    const Writer::Read read = model.reader(task.sources);
    if (program.trains())
      return model.writer.fit(program, model.parameters(), task.targets, task.split, task.lengths, read);
    program.restore(model.parameters());
    return evaluate(program, model, task, name);
  });
}
