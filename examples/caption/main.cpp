// caption: says in words what a picture shows. A convolutional encoder reads it, an LSTM writes, from the
// picture as its first state, or with attention over the grid of features.
#include "../shared/writer.hpp"

#include <fmt/format.h>

#include <boost/algorithm/string.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace {

using namespace examples;
using spool::Tensor;
using Positions = std::span<const std::size_t>;

constexpr const char* purpose = R"(Captions: reads a picture, and says in words what it shows.

  caption train [options]          learn from pictures with captions
  caption eval [options]           BLEU-1 and chrF on the test part, beside
                                   answers that need no model
  caption caption FILE.png...      say what pictures show

With --data DIR the pictures are those of DIR/caption_emoji or
DIR/caption_stamps (--set). looked.svg in the model's directory shows where it
looked for each word; --attention none has the picture as the first state alone.

)";

const spool::ConvEncoderOptions encoder_options{.channels = {24, 48, 96}};

struct Task {
  Tensor pictures;  // [N,S,S,3] in 0..1
  Texts captions;   // one of each
  spool::Split split;
};

// In lower case and without punctuation.
Tokens words_of(std::string caption) {
  std::ranges::replace_if(caption, boost::is_punct(), ' ');
  return spool::words_of(boost::to_lower_copy(caption));
}

// One thing above another, each of a colour and a shape.
Task made_up() {
  static const Tokens colours{"blue", "red", "green"}, shapes{"square", "bar", "post"};
  constexpr int count = 800, S = 24, heights[]{4, 2, 5}, widths[]{4, 7, 2};
  Task task{Tensor({count, S, S, 3}, std::vector<float>(count * S * S * 3, 1)), Texts(count), {}};
  spool::Philox random(1);
  for (std::size_t i = 0; i < count; ++i) {
    Tokens& words = task.captions[i].emplace_back();
    for (const int middle : {6, 17}) {
      const std::uint64_t colour = random.below(3), shape = random.below(3);
      const int centre = 7 + static_cast<int>(random.below(10));
      for (std::size_t place = 0; place < S * S; ++place) {
        const int y = static_cast<int>(place / S), x = static_cast<int>(place % S);
        if (std::abs(y - middle) >= heights[shape] || std::abs(x - centre) >= widths[shape]) continue;
        for (const std::size_t other : {colour, colour + 1})
          task.pictures.set((i * S * S + place) * 3 + other % 3, 0.1);
      }
      if (!words.empty()) words.emplace_back("above");
      words.insert(words.end(), {colours[colour], shapes[shape]});
    }
  }
  return task;
}

// The captions of a set that have so many words at most.
Task read_set(const std::string& folder, const std::string& column, std::int64_t longest) {
  Tensor pictures = spool::read_idx(files_in(folder, ".gz").front());
  const spool::Csv table(folder + "/captions.tsv", {.separator = '\t', .quotes = false});
  const spool::Shape& shape = pictures.shape();
  if (shape.rank() != 4 || shape != spool::Shape{table.rows(), shape[1], shape[1], 3})
    spool::fail_file(folder, fmt::format("pictures {} are not [{}, S, S, 3]", shape.text(), table.rows()));
  if (encoder_options.grid_size(shape[1]).h < 1)
    spool::fail_file(folder, fmt::format("pictures {} are too small", shape.text()));
  for (float& value : pictures.as<float>()) value /= 255;
  Task task;
  std::vector<std::size_t> kept;
  const std::vector<std::string> captions = table.texts(column);
  for (std::size_t i = 0; i < captions.size(); ++i)
    if (const Tokens words = words_of(captions[i]); std::ssize(words) <= longest)
      kept.push_back(i), task.captions.push_back({words});
  task.pictures = pick(pictures, kept);
  return task;
}

struct Model {
  Model(Program& program, const WriterOptions& options, const Task& task)
      : dropout(program.recipe().dropout),
        encoder(program.init().named("encoder"), encoder_options),
        writer(program, options, task.captions, task.split.train,
               {program.recipe().hidden, encoder.output_size(), encoder.output_size()}) {}
  spool::Params parameters() const { return spool::parameters(encoder, writer); }

  Writer::Read reader(const Tensor& pictures) const {
    return [this, &pictures](spool::Tape& tape, Positions chosen, bool training) {
      const spool::Var grid = encoder(spool::permute(tape.input(pick(pictures, chosen)), {0, 3, 1, 2}));
      return writer.decoder().source(spool::dropout(spool::grid_as_memory(grid), dropout, training),
                                     spool::dropout(spool::grid_mean(grid), dropout, training));
    };
  }

  double dropout;
  spool::ConvEncoder encoder;
  Writer writer;
};

// "looked.svg": the pictures, and beside each, for each word, the picture as bright as it was looked at.
void draw(const Program& program, const Model& model, const Tensor& pictures, Positions positions,
          const std::vector<Tokens>& written) {
  const auto S = static_cast<std::size_t>(pictures.shape()[1]),
             G = static_cast<std::size_t>(model.encoder.grid_size(pictures.shape()[1]).h);
  std::vector<std::string> rows;
  for (std::size_t k = 0; k < positions.size(); ++k) {
    const Tensor picture = pick(pictures, positions.subspan(k, 1)).reshaped(pictures.shape().without(0));
    std::vector<std::string> row{spool::image_panel(picture, boost::join(written[k], " "), 96)};
    const auto weights = model.writer.looked(positions[k], written[k], model.reader(pictures));
    for (std::size_t t = 0; weights && t < written[k].size(); ++t) {
      const auto here = weights->as<float>().subspan(t * G * G, G * G);
      Tensor lit = picture;
      for (std::size_t i = 0; i < lit.size(); ++i) {
        const std::size_t y = i / 3 / S * G / S, x = i / 3 % S * G / S;
        lit.set(i, picture.at(i) * (0.2 + 0.8 * here[y * G + x] / std::ranges::max(here)));
      }
      row.push_back(spool::image_panel(lit, written[k][t], 96));
    }
    rows.push_back(spool::panels(row, static_cast<int>(row.size())));
  }
  spool::write_file(program.file("looked.svg"), spool::panels(rows, 1));
  fmt::print("\nwhere it looked: {}\n", program.file("looked.svg"));
}

// BLEU-1 (the precision of words times the brevity penalty) and chrF.
Row judged(const std::string& who, const Task& task, Positions part, const std::vector<Tokens>& written) {
  std::vector<std::string> hypotheses, references;
  for (std::size_t k = 0; k < part.size(); ++k) {
    hypotheses.push_back(boost::join(written[k], " "));
    references.push_back(boost::join(task.captions[part[k]][0], " "));
  }
  const spool::Bleu b = spool::bleu(hypotheses, references, {.tokens = spool::BleuTokens::none});
  return {who, {b.precisions[0] * b.brevity_penalty, spool::chrf(hypotheses, references)}};
}

// A baseline: always the most frequent words of the training part, as many as give the best BLEU-1 on it.
Tokens most_frequent(const Task& task) {
  const std::vector<std::size_t>& part = task.split.train;
  std::vector<Tokens> captions;
  for (const std::size_t i : part) captions.push_back(task.captions[i][0]);
  const spool::WordVocabulary frequent_first(captions);
  Tokens words, best;
  double highest = 0;
  for (int k = 3; k < std::min(frequent_first.size(), 20); ++k) {
    words.push_back(frequent_first.word(k));
    const double score = judged("", task, part, std::vector<Tokens>(part.size(), words)).values[0];
    if (score > highest) highest = score, best = words;
  }
  return best;
}

// Another: the caption of the training picture whose pixels differ least.
Tokens nearest(const Task& task, std::size_t i) {
  const std::size_t size = task.pictures.size() / task.captions.size();
  const auto pixels = [&](std::size_t k) { return task.pictures.as<float>().subspan(k * size, size); };
  return task.captions[*std::ranges::min_element(task.split.train, {}, [&](std::size_t k) {
    return std::transform_reduce(pixels(k).begin(), pixels(k).end(), pixels(i).begin(), 0.0, std::plus{},
                                 [](float a, float b) { return (a - b) * (a - b); });
  })][0];
}

int train(const Program& program, const Model& model, const Task& task) {
  const Writer::Read read = model.reader(task.pictures);
  const auto score = [&, &part = task.split.validation] {
    const auto written = model.writer.write(part, {}, read, /*beam=*/1);
    return std::pair("BLEU-1", judged("", task, part, written).values[0]);
  };
  return model.writer.fit(program, model.parameters(), task.captions, task.split, {}, read, score);
}

int evaluate(const Program& program, const Model& model, const Task& task) {
  const std::vector<std::size_t>& test = task.split.test;
  const auto written = model.writer.write(test, {}, model.reader(task.pictures));
  std::vector<Tokens> near;
  for (const std::size_t i : test) near.push_back(nearest(task, i));
  print_table(
      {fmt::format("{} test pictures", test.size()), "BLEU-1", "chrF2"},
      {judged("lstm", task, test, written), judged("caption of the nearest picture", task, test, near),
       judged("always the most frequent words", task, test,
              std::vector<Tokens>(test.size(), most_frequent(task)))},
      2);
  draw(program, model, task.pictures, Positions(test).first(std::min<std::size_t>(test.size(), 6)), written);
  return 0;
}

int caption(Program& program, const WriterOptions& options) {
  const std::int64_t S = program.number_fact("size", 1024);
  Task task{Tensor({std::ssize(program.words()), S, S, 3}), {}, {}};
  std::vector<std::size_t> positions;
  for (const std::string& path : program.words()) {
    const Tensor picture = spool::fit_square(spool::read_png(path), S);
    std::ranges::copy(picture.as<float>(),
                      task.pictures.as<float>().subspan(positions.size() * picture.size()).begin());
    positions.push_back(positions.size());
  }
  const Model model(program, options, task);
  program.restore(model.parameters());
  const auto written = model.writer.write(positions, {}, model.reader(task.pictures));
  for (std::size_t k = 0; k < written.size(); ++k)
    fmt::print("{}: {}\n", program.words()[k], boost::join(written[k], " "));
  draw(program, model, task.pictures, positions, written);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Recipe recipe{.cell = "", .hidden = 128, .layers = 0, .embed = 64, .batch = 16, .lr = 2e-3};
  Program program({.name = "caption",
                   .purpose = purpose,
                   .verbs = {"train", "eval", "caption"},
                   .epochs = 40,
                   .recipe = recipe,
                   .with_words = {{"caption", "PNG files"}},
                   .of_data = {"set", "longest"}});
  std::string set;
  std::int64_t longest = 0;
  program.learnt()("set", po::value(&set)->default_value("stamps"), "stamps or emoji, of --data")(
      "longest", po::value(&longest)->default_value(5), "captions of more words are left out");
  const WriterOptions options(program);
  return program.run(argc, argv, [&] {
    require_one_of("set", set, {"emoji", "stamps"});
    require(longest >= 1, fmt::format("--longest must be at least 1, not {}", longest));
    if (program.verb() == "caption") return caption(program, options);
    Task task = program.data().empty() ? made_up()
                                       : read_set(program.data() + "/caption_" + set,
                                                  set == "emoji" ? "en_name" : "en", longest);
    task.split = spool::random_split(task.captions.size(), {}, /*seed=*/1);
    program.fact("size", std::to_string(task.pictures.shape()[1]));
    const Model model(program, options, task);
    if (program.trains()) return train(program, model, task);
    program.restore(model.parameters());
    return evaluate(program, model, task);
  });
}
