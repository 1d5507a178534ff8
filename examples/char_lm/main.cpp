// char_lm: learns a text character by character with an RNN, LSTM or GRU, and writes more of it.
#include "../shared/language_model.hpp"
#include "embedded_text.hpp"

#include <fmt/format.h>

#include <boost/algorithm/string.hpp>

#include <map>
#include <optional>

namespace {

using namespace examples;

constexpr const char* purpose =
    R"(A language model by character: learns from any UTF-8 text, and writes more.

  char_lm train  [options]    learn, and keep the model in --model
  char_lm sample [options]    write text
  char_lm eval   [options]    the loss on held out parts, beside n-grams

It learns Spool's own source and docs, with --text FILE another text, and with
--data DIR --voice NAME one of DIR: shakespeare (tinyshakespeare), warpeace,
latex (latex_stacks). What it wrote while it learnt, after --samples-at steps,
stands in samples.md in the model's directory.

A first run: char_lm train --minutes 1; then: char_lm sample --prime "int main"

)";

struct Options {
  std::string text, voice, optim, split, samples_at, prime;
  int seq = 0, length = 0;
  std::int64_t embed = 0, steps = 0;
  double decay = 0, clip = 0;
  spool::SampleOptions sampling;
};

void check(const Options& o, const Program& program) {
  require_one_of("voice", o.voice, {"cpp", "shakespeare", "warpeace", "latex"});
  const auto optimizers = spool::optimizer_names();
  require_one_of("optim", o.optim, {optimizers.begin(), optimizers.end()});
  require(o.voice != "cpp" || program.data().empty(), "--data needs --voice shakespeare, warpeace or latex");
  steps_of("samples-at", o.samples_at, "1,100,1000");
  require(o.voice == "cpp" || o.text.empty(), "--voice and --text name two texts; leave one out");
  require(o.voice == "cpp" || !program.data().empty() || program.verb() == "sample",
          fmt::format("--voice {} needs --data DIR, where its text is", o.voice));
  require(o.seq >= 1, fmt::format("--seq must be at least 1, not {}", o.seq));
  require(o.steps >= -1, fmt::format("--steps must be at least 0, or -1 for no bound, not {}", o.steps));
  for (const auto& [name, value] : {std::pair{"embed", o.embed}, {"length", o.length}})
    require(value >= 0, fmt::format("--{} can't be negative: {}", name, value));
  require(o.clip >= 0 && std::isfinite(o.clip),
          fmt::format("--clip must be a number that is not negative, not {}", o.clip));
  require(o.decay > 0 && o.decay <= 1, fmt::format("--decay must lie in (0, 1], not {}", o.decay));
}

struct Corpus {
  spool::Vocabulary vocabulary;
  std::vector<int> ids;
  spool::TextSplit parts;  // of ids
  spool::TextBatches train, validation;
  std::optional<spool::TextBatches> test;  // nothing where --split leaves none
};

// A part of the text as windows of --seq characters from `streams` places at once.
spool::TextBatches windows(const char* part, std::span<const int> ids, std::int64_t streams, int seq) {
  require(
      std::ssize(ids) > streams * seq,
      fmt::format("the {} part has {} characters, too few to read {} characters at {} places at once; give "
                  "more text, a larger part (--split), or a smaller --seq or --batch",
                  part, ids.size(), seq, streams));
  return {ids, {.streams = streams, .steps = seq}};
}

// The text of --text or --voice; that it is the one that a model learnt is told by its size and checksum.
Corpus read_corpus(Program& program, const Options& o) {
  static const std::map<std::string, std::string> files{{"shakespeare", "/tinyshakespeare/input.txt"},
                                                        {"warpeace", "/warpeace/warpeace_input.txt.gz"},
                                                        {"latex", "/latex_stacks/stacks.tex.gz"}};
  const std::string file = o.voice == "cpp" ? o.text : program.data() + files.at(o.voice);
  const std::string text = file.empty() ? std::string(char_lm::embedded_text()) : spool::read_text(file);
  const std::string fingerprint = fingerprint_of(text);
  if ((!program.trains() || program.training().resume) && program.fact("fingerprint") != fingerprint)
    throw spool::FileError(fmt::format("{}: the text has changed since the model learnt it",
                                       file.empty() ? "the embedded text" : file));
  const spool::Vocabulary vocabulary(text);
  program.fact("fingerprint", fingerprint);
  program.fact("vocabulary", vocabulary.symbols());

  const auto f = numbers_of("split", o.split, "0.9,0.05,0.05");
  require(f.size() == 3, fmt::format("--split {}: needs three parts, like 0.9,0.05,0.05", o.split));
  std::vector<int> ids = vocabulary.encode(text);
  const spool::TextSplit parts = spool::split_text(ids, f[0], f[1], f[2]);
  constexpr int held_out = 10;  // streams to evaluate on, whatever --batch is, so that results compare
  Corpus corpus{vocabulary,
                std::move(ids),
                parts,
                windows("training", parts.train, program.recipe().batch, o.seq),
                windows("validation", parts.validation, held_out, o.seq),
                {}};
  if (!parts.test.empty()) corpus.test = windows("test", parts.test, held_out, o.seq);
  return corpus;
}

// What the model wrote after each number of steps, and its validation loss then: one below the other as a
// plain text, and side by side as a table.
void save_samples(const Program& program, const spool::Snapshot& samples) {
  std::string plain, heads, columns;
  for (const auto& [steps, text] : samples.texts) {
    plain += fmt::format("Step {}, validation loss {:.4f}:\n\n{}\n\n", std::stoll(steps),
                         samples.number(steps), text);
    heads += fmt::format("<th>step {}, loss {:.4f}</th>\n", std::stoll(steps), samples.number(steps));
    columns += fmt::format("<td><pre>\n{}\n</pre></td>\n", as_html(text));
  }
  spool::write_file(program.file("samples.txt"), plain);
  spool::write_file(
      program.file("samples.md"),
      fmt::format("<table>\n<tr>\n{}</tr>\n<tr valign=\"top\">\n{}</tr>\n</table>\n", heads, columns));
}

// What a training step reads: its number, from 1, and a window.
struct Steps {
  const spool::TextBatches& windows;
  using Window = std::pair<std::uint64_t, spool::TextBatch>;
  std::uint64_t size() const { return windows.size(); }
  Window at(std::uint64_t n) const { return {n + 1, windows.at(n)}; }
};

template <class R>
int train(const Program& program, const Options& o, const Corpus& corpus, const LanguageModel<R>& model) {
  const Recipe& recipe = program.recipe();
  std::int64_t weights = 0;
  for (const spool::Param& p : model.parameters()) weights += p.shape().size();
  fmt::print("{} characters to learn from, {} distinct; {} with {} weights\n", corpus.parts.train.size(),
             corpus.vocabulary.size(), recipe.cell, weights);

  const auto samples_at = steps_of("samples-at", o.samples_at, "1,100,1000");
  const auto optimizer = spool::make_optimizer(o.optim, model.parameters(), {.lr = recipe.lr});
  spool::TrainerOptions options = program.training();
  options.steps = o.steps;
  options.clip = o.clip;
  options.schedule = spool::step_decay(static_cast<std::int64_t>(corpus.train.size()), o.decay);
  options.unit = "characters";
  options.units_per_step = static_cast<double>(recipe.batch * o.seq);
  options.loss_unit = "nats per character";
  auto carried = model.zero_state(recipe.batch);
  spool::Snapshot samples;
  spool::Trainer trainer(*optimizer, options);
  trainer.keep("carried", carried);
  trainer.keep(
      "samples", [&] { return samples; }, [&](const spool::Snapshot& from) { samples = from; });

  const auto step = [&](spool::Tape& tape, const Steps::Window& window) {
    const auto& [number, batch] = window;
    if (batch.first) carried = model.zero_state(recipe.batch);
    const spool::Var x = tape.tokens(batch.shape, batch.x, "characters");
    const spool::Var y = tape.tokens(batch.shape, batch.y, "next characters");
    const auto [scores, next] = model(x, carried.on(tape), /*training=*/true);
    const spool::Var loss = spool::cross_entropy(scores, y);
    carried = optimizer->step(loss, next);
    if (optimizer->last().skipped) carried = model.zero_state(recipe.batch);  // not finite either
    if (std::ranges::find(samples_at, number) != samples_at.end()) {
      const std::string key = fmt::format("{:012}", number);  // sorted as numbers are
      samples.texts[key] =
          write(model.stepper(), corpus.vocabulary, {.sampling = o.sampling}, program.seed());
      samples.numbers[key] = evaluate(model, corpus.validation);
      save_samples(program, samples);
    }
    return tape.value(loss);
  };
  return program.finish(
      trainer.fit(Steps{corpus.train}, step, [&] { return evaluate(model, corpus.validation); }));
}

template <class R>
int eval(const Program& program, const Corpus& corpus, const LanguageModel<R>& model) {
  program.restore(model.parameters());
  std::vector<std::string> heads{"nats per character"};
  Row learnt{program.recipe().cell, {}}, counted{"n-grams", {}};
  const auto lines = [](std::span<const int> ids) { return spool::NGrams::Lines{{ids.begin(), ids.end()}}; };
  const spool::NGrams ngrams(lines(corpus.parts.train), corpus.vocabulary.size());
  const int order = ngrams.best_order(lines(corpus.parts.validation));
  const auto add = [&](const char* head, std::span<const int> ids, const spool::TextBatches& batches) {
    heads.emplace_back(head);
    learnt.values.push_back(evaluate(model, batches));
    counted.values.push_back(ngrams.loss(lines(ids), order));
  };
  add("validation loss", corpus.parts.validation, corpus.validation);
  if (corpus.test) add("test loss", corpus.parts.test, *corpus.test);
  print_table(heads, {learnt, counted});
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  const Recipe recipe{
      .cell = "lstm", .hidden = 128, .layers = 2, .embed = 0, .batch = 50, .lr = 2e-3, .dropout = 0};
  const About about{.name = "char_lm",
                    .purpose = purpose,
                    .verbs = {"train", "eval", "sample"},
                    .recipe = recipe,
                    .only = {{{"train"}, {"steps", "samples-at"}},
                             {{"sample"}, {"prime", "length"}},
                             {{"train", "sample"}, {"temperature", "top-k", "top-p"}}},
                    .places = {"text"}};
  Program program(about);
  auto learnt = program.learnt();
  learnt("voice", po::value(&o.voice)->default_value("cpp"), "cpp, shakespeare, warpeace or latex");
  learnt("text", po::value(&o.text)->default_value(""), "another UTF-8 text, also .gz");
  learnt("embed", po::value(&o.embed)->default_value(0), "size of a symbol's vector; 0: one-hot");
  learnt("seq", po::value(&o.seq)->default_value(50), "steps that a gradient runs back");
  learnt("optim", po::value(&o.optim)->default_value("adam"),
         "sgd, rmsprop, adagrad, adadelta, adam, adamw, adamax, nadam, radam or rprop");
  learnt("decay", po::value(&o.decay)->default_value(1.0, "1"), "the rate's factor after each epoch");
  learnt("clip", po::value(&o.clip)->default_value(5.0, "5"), "bound on the gradients' norm; 0: none");
  learnt("split", po::value(&o.split)->default_value("0.9,0.05,0.05"), "parts to train, validate, test on");
  auto used = program.used();
  used("steps", po::value(&o.steps)->default_value(-1), "stop after so many in all; -1: no bound");
  used("samples-at", po::value(&o.samples_at)->default_value("1,100,1000,10000"),
       "steps after which to write");
  used("prime", po::value(&o.prime)->default_value(""), "text to go on from");
  used("length", po::value(&o.length)->default_value(500), "characters to write");
  o.sampling.temperature = 0.8;
  add_options(program, o.sampling);

  return program.run(argc, argv, [&] {
    check(o, program);
    LanguageModelOptions options{.recipe = program.recipe()};
    options.recipe.embed = o.embed;
    if (program.verb() == "sample") {
      const spool::Vocabulary vocabulary(program.fact("vocabulary"));
      options.vocabulary = vocabulary.size();
      return with_model(program.init(), options, [&](const auto& model) {
        program.restore(model.parameters());
        const WriteOptions how{vocabulary.encode(o.prime, "--prime"), o.length, {}, o.sampling};
        fmt::print("{}{}\n", o.prime, write(model.stepper(), vocabulary, how, program.seed()));
        return 0;
      });
    }
    const Corpus corpus = read_corpus(program, o);
    options.vocabulary = corpus.vocabulary.size();
    return with_model(program.init(), options, [&](const auto& model) {
      return program.trains() ? train(program, o, corpus, model) : eval(program, corpus, model);
    });
  });
}
