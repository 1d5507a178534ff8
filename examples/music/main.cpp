// music: learns which keys of a piano sound next, and goes on with pieces of others.
#include "../shared/program.hpp"
#include "../shared/sequence_model.hpp"

#include <fmt/format.h>

#include <boost/algorithm/string.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>

namespace {

using namespace examples;
using spool::Tape, spool::Tensor, spool::Var;

constexpr const char* purpose =
    R"(Polyphonic music, frame by frame: which of 88 keys sound, given those before.

  music train --cell gru --hidden 46    learn, and keep the model in --model
  music eval [options]                  its loss on the test pieces, beside
                                        baselines
  music sample --out song.mid           go on with a test piece, as a MIDI file

With --data DIR the pieces are those of DIR/music_polyphonic/SET.txt.gz.

)";

constexpr std::int64_t keys = 88;
using Pieces = std::vector<Tensor>;           // piano rolls [T,88] of 0 and 1; key 0 is A0
using Parts = std::map<std::string, Pieces>;  // "train", "valid", "test"

// "39,51,58,67 51,58,67 -": the keys of a frame after the other, "-" for silence.
Tensor roll_of(const std::string& text, const std::string& where) {
  std::vector<std::string> frames, numbers;
  boost::split(frames, text, boost::is_any_of(" "));
  Tensor roll(spool::Shape{std::ssize(frames), keys});
  for (std::size_t t = 0; t < frames.size(); ++t) {
    if (frames[t] == "-") continue;
    for (const std::string& number : boost::split(numbers, frames[t], boost::is_any_of(","))) {
      std::size_t key = keys;
      const char* end = number.data() + number.size();
      if (std::from_chars(number.data(), end, key).ptr != end || key >= keys)
        spool::fail_file(where, fmt::format("'{}' is no key: they are numbers from 0 to 87", number));
      roll.set(t * keys + key, 1);
    }
  }
  return roll;
}

// Chords that follow each other as in many songs, in any of twelve keys: a bass and three voices above it,
// each chord for two frames.
Tensor made_up(spool::Philox& random) {
  constexpr std::array<std::array<std::size_t, 3>, 6> follows{
      {{3, 4, 5}, {4, 4, 0}, {5, 3, 3}, {4, 0, 1}, {0, 0, 5}, {3, 1, 4}}};  // I ii iii IV V vi
  constexpr std::array<std::size_t, 7> scale{0, 2, 4, 5, 7, 9, 11};
  const std::size_t home = 27 + random.below(12);
  Tensor roll(spool::Shape{24, keys});
  std::size_t degree = 0;
  for (std::size_t t = 0; t < 24; ++t) {
    if (t % 2 == 0) degree = t == 0 ? 0 : follows.at(degree)[random.below(3)];
    roll.set(t * keys + home - 12 + scale.at(degree), 1);
    for (std::size_t third = 0; third <= 4; third += 2)
      roll.set(t * keys + home + 12 + scale.at((degree + third) % 7), 1);
  }
  return roll;
}

// The pieces of DIR/music_polyphonic/SET.txt.gz; without a directory 150 made-up ones, always the same.
Parts read_pieces(const std::string& directory, const std::string& set) {
  Parts parts{{"train", {}}, {"valid", {}}, {"test", {}}};
  if (directory.empty()) {
    spool::Philox random(1);
    for (auto& [name, pieces] : parts)
      for (int n = name == "train" ? 100 : 25; n > 0; --n) pieces.push_back(made_up(random));
    return parts;
  }
  const std::string path = fmt::format("{}/music_polyphonic/{}.txt.gz", directory, set);
  const std::vector<std::string> lines = lines_of(boost::trim_right_copy(spool::read_text(path)));
  for (std::size_t n = 0; n < lines.size(); ++n) {
    const std::string where = fmt::format("{}: line {}", path, n + 1);
    const std::size_t tab = lines[n].find('\t');
    const auto part = parts.find(lines[n].substr(0, tab));
    if (tab == std::string::npos || part == parts.end())
      spool::fail_file(where, "must be train, valid or test, a tab, and the frames of a piece");
    part->second.push_back(roll_of(lines[n].substr(tab + 1), where));
  }
  for (const auto& [name, pieces] : parts)
    if (pieces.empty()) spool::fail_file(path, "has no piece of part " + name);
  return parts;
}

// Scores of all keys in each frame, from the frames before it, [T,B,88] both.
using Guess = std::function<Var(Var before, Var lengths, bool training)>;

Var guess_of(const Guess& guess, Var frames, Var lengths, bool training) {
  const spool::Shape& shape = frames.shape();
  const Var silence = frames.tape().constant(0, shape.with(0, 1));
  return guess(spool::concat({silence, spool::slice(frames, 0, 0, shape[0] - 1)}, 0), lengths, training);
}

// The negative log-likelihood of the frames of chosen pieces, in nats: of all of them; when training, their
// mean.
Step loss_of(const Guess& guess, const Pieces& pieces, bool training) {
  return [&guess, &pieces, training](Tape& tape, std::span<const std::size_t> chosen) {
    const spool::PaddedRows padded = spool::pad(pieces, chosen, {.multiple_of = 8});
    const Var frames = tape.input(padded.values);
    const Var lengths = tape.tokens({std::ssize(chosen)}, padded.lengths);
    const Var each = spool::bce_with_logits(guess_of(guess, frames, lengths, training), frames,
                                            {.reduction = spool::Reduction::none});
    const Var total = spool::sum(spool::mask_past_end(each, lengths));
    return training ? total / spool::sum(lengths) : total;
  };
}

std::vector<std::int64_t> lengths_of(const Pieces& pieces) {
  std::vector<std::int64_t> lengths;
  for (const Tensor& piece : pieces) lengths.push_back(piece.shape()[0]);
  return lengths;
}

double loss_per_frame(const Guess& guess, const Pieces& pieces) {
  const std::vector<std::int64_t> lengths = lengths_of(pieces);
  return total_loss(lengths, loss_of(guess, pieces, /*training=*/false)) /
         std::accumulate(lengths.begin(), lengths.end(), 0.0);
}

// The test loss of a guess that is trained here.
double baseline(const Guess& guess, const spool::Params& params, Parts& parts) {
  fit_quietly(params, lengths_of(parts["train"]), loss_of(guess, parts["train"], /*training=*/true),
              /*epochs=*/60,
              /*lr=*/0.1);
  return loss_per_frame(guess, parts["test"]);
}

std::string picture(const Tensor& roll, const std::string& title) {
  Tape tape;
  return spool::heat_map(
      tape.read(spool::transpose(tape.input(roll))),
      {.title = title, .x_label = "frame", .y_label = "key", .low = 0, .high = 1, .upwards = true});
}

int eval(const Program& program, const Guess& model, Parts& parts) {
  const spool::Init init{.seed = 1};
  const spool::Linear linear(init, keys, keys);
  const spool::Param bias = init.param("bias", {keys}, spool::fill::zeros());
  const Guess by_last = [&](Var before, Var, bool) { return linear(before); };
  const Guess by_none = [&](Var before, Var, bool) { return 0 * before + before.tape().param(bias); };
  print_table({fmt::format("{} test pieces", parts["test"].size()), "nats per frame"},
              {{program.recipe().cell, {loss_per_frame(model, parts["test"])}},
               {"logistic regression, frame before", {baseline(by_last, linear.parameters(), parts)}},
               {"how often each key sounds", {baseline(by_none, {bias}, parts)}}});

  const Tensor& piece = parts["test"][0];
  Tape tape;
  const Var frames = tape.input(piece.reshaped(piece.shape().inserted(1, 1)));
  const Var likely =
      spool::sigmoid(guess_of(model, frames, tape.tokens({1}, {static_cast<int>(piece.shape()[0])}), false));
  spool::write_file(program.file("expected.svg"),
                    spool::panels(std::vector{picture(piece, "the first test piece"),
                                              picture(tape.read(likely).reshaped(piece.shape()),
                                                      "how likely each key is, given the frames before")}));
  fmt::print("what it expects in the first test piece: {}\n", program.file("expected.svg"));
  return 0;
}

struct SampleOptions {
  std::int64_t piece = 0, given = 0, frames = 0;
  double temperature = 0, tempo = 0;
  std::string out;
};

// Keys are drawn one frame after the other, each by how likely it is given the frames so far.
int sample(const Program& program, const SequenceModel& model, const Pieces& pieces, const SampleOptions& o) {
  require_between("piece", o.piece, 0, std::ssize(pieces) - 1);
  const Tensor& piece = pieces[static_cast<std::size_t>(o.piece)];
  require_between("given", o.given, 0, piece.shape()[0]);
  require_between("frames", o.frames, o.given + 1, 5000);
  require(!o.out.empty(), "--out must name a MIDI file");
  require(o.temperature > 0, fmt::format("--temperature must be above 0, not {}", o.temperature));

  const auto given = static_cast<std::size_t>(o.given * keys);
  Tensor roll({o.frames, keys}), frame({1, 1, keys});
  spool::Philox random(program.seed());
  auto stepper = model.stepper();
  for (std::size_t i = 0; i < roll.size(); i += keys) {
    const Tensor& scores = stepper.step(frame);  // of the next one
    check_finite(scores);
    for (std::size_t key = 0; key < keys; ++key) {
      const double likely = 1 / (1 + std::exp(-scores.at(key) / o.temperature));
      frame.set(key, i < given ? piece.at(i + key) : random.uniform() < likely ? 1 : 0);
      roll.set(i + key, frame.at(key));
    }
  }
  spool::write_midi(o.out, roll, {.tempo = o.tempo});
  spool::write_file(program.file("sample.svg"),
                    picture(roll, fmt::format("{} frames given, {} written", o.given, o.frames - o.given)));
  fmt::print("{} frames of a piece, {} of its own: {}; picture in {}\n", o.given, o.frames - o.given, o.out,
             program.file("sample.svg"));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string set;
  SampleOptions o;
  const Recipe recipe{.hidden = 46, .embed = 0, .batch = 4, .lr = 0.02, .dropout = 0};
  Program program(
      {.name = "music",
       .purpose = purpose,
       .verbs = {"train", "eval", "sample"},
       .epochs = 60,
       .recipe = recipe,
       .of_data = {"set"},
       .only = {{{"sample"}, {"piece", "given", "frames", "temperature", "tempo", "out"}}, {{}, {"data"}}}});
  program.learnt()("set", po::value(&set)->default_value("JSB_Chorales"),
                   "with --data: or Nottingham, Piano_midi");
  auto used = program.used();
  used("piece", po::value(&o.piece)->default_value(0), "which test piece goes on");
  used("given", po::value(&o.given)->default_value(16), "its frames that are given");
  used("frames", po::value(&o.frames)->default_value(64), "frames in all");
  used("temperature", po::value(&o.temperature)->default_value(1.0, "1"), "below 1: surer; above: bolder");
  used("tempo", po::value(&o.tempo)->default_value(120.0, "120"), "frames in a minute");
  used("out", po::value(&o.out)->default_value("music.mid"), "the MIDI file");

  return program.run(argc, argv, [&] {
    Parts parts = read_pieces(program.data(), set);
    const SequenceModel network(program.init(), {.recipe = program.recipe(),
                                                 .width = keys,
                                                 .classes = keys,
                                                 .bidirectional = false,
                                                 .pooling = Pooling::none});
    const Guess model = [&](Var before, Var lengths, bool training) {
      return network(before, lengths, training);
    };
    if (program.trains())
      return program.fit(
          network.parameters(), lengths_of(parts["train"]), loss_of(model, parts["train"], /*training=*/true),
          [&] { return loss_per_frame(model, parts["valid"]); }, {.loss_unit = "nats per frame"});
    program.restore(network.parameters());
    return program.verb() == "eval" ? eval(program, model, parts)
                                    : sample(program, network, parts["test"], o);
  });
}
