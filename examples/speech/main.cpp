// speech: hears spoken digits, one at a time or several in a row, and who says a vowel.
#include "../shared/made_up.hpp"
#include "../shared/sequence_model.hpp"
#include "../shared/series.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace {

using namespace examples;
using spool::Tape, spool::Tensor, spool::Var;
using Chosen = std::span<const std::size_t>;

constexpr const char* purpose =
    R"(Hears spoken digits in recordings of 8000 samples a second, or who says a vowel.

  speech train --task digits     learn single digits; keep the model in --model
  speech train --task strings    learn several digits in a row, by CTC
  speech train --task vowels     learn who speaks, from series of numbers
  speech eval                    the model on the test part, beside a baseline;
                                 pictures, and an example.wav or .csv of it
  speech recognize FILE...       what digits a WAV file holds, or who speaks in
                                 a CSV file of a series, a frame a line

With --data DIR the digits are those of DIR/speech_fsdd, the vowels (which need
it) those of DIR/mts_japanese_vowels; without, digits are tones made here.

)";

constexpr std::int64_t sample_rate = 8000, mels = 40;
constexpr int blank = 10;  // CTC's class beside the digits

struct Speech : Series {
  std::vector<Tensor> sounds = {};          // samples [N]
  std::vector<std::vector<int>> said = {};  // digits; the first is the class
  std::vector<std::string> speakers = {};
};

// Log-mel frames [T,40] of 32 ms every 16 ms, of mean 0 and variance 1 over the whole recording, so that
// loudness does not matter.
Tensor features_of(const Tensor& samples) {
  Tape tape;
  const Var x = tape.input(spool::log_mel(samples, {.sample_rate = sample_rate,
                                                    .n_fft = 256,
                                                    .win_length = 256,
                                                    .hop_length = 128,
                                                    .n_mels = mels,
                                                    .pad = spool::FramePad::zeros,
                                                    .floor = 1e-7}));
  const Var centred = x - mean(x);
  return tape.read(centred / sqrt(mean(square(centred)) + 1e-6));
}

Tensor read_speech(const std::string& path) {
  const spool::Audio audio = spool::read_audio(path);
  if (audio.sample_rate != sample_rate)
    throw spool::FileError(fmt::format("{}: has {} samples a second; convert it to {}, as sox does by -r",
                                       path, audio.sample_rate, sample_rate));
  return audio.mono();
}

void add(Speech& all, const Tensor& sound, const std::vector<int>& said, const std::string& speaker,
         std::vector<std::size_t>& part) {
  all.add(features_of(sound), said.at(0), part);
  all.sounds.push_back(sound), all.said.push_back(said), all.speakers.push_back(speaker);
}

// DIR/speech_fsdd/recordings, {digit}_{speaker}_{index}.wav: index 0 to 4 to test, as its authors say, 5 to
// validate, the others to train. Without a directory, tones.
Speech read_digits(const std::string& directory) {
  Speech all;
  spool::Split& to = all.classes.split;
  const auto part = [&](int i) -> auto& { return i < 5 ? to.test : i == 5 ? to.validation : to.train; };
  for (int digit = 0; digit < 10; ++digit) all.classes.names.push_back(std::to_string(digit));
  if (directory.empty()) {
    spool::Philox random(1);
    for (int i = 0; i < 300; ++i) add(all, made_up_tones(i % 10, random), {i % 10}, "tones", part(i / 10));
    return all;
  }
  const std::string folder = directory + "/speech_fsdd/recordings";
  for (const auto& file : files_in(folder, ".wav")) {
    char speaker[32];
    int digit = 0, index = 0;
    if (std::sscanf(file.stem().c_str(), "%1d_%31[a-z]_%d", &digit, speaker, &index) != 3)
      throw spool::FileError(file.string() + ": is not called {digit}_{speaker}_{index}.wav");
    add(all, read_speech(file.string()), {digit}, speaker, part(index));
  }
  all.check(folder);
  return all;
}

// Three to seven digits of one speaker after each other, made of the recordings of each part; twice as many
// strings to train on as there are recordings.
Speech join(const Speech& digits) {
  Speech all;
  all.classes.names = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "none"};
  spool::Philox random(1);
  const auto make = [&](std::size_t count, Chosen from, std::vector<std::size_t>& to) {
    for (; count > 0; --count) {
      const std::string& speaker = digits.speakers[from[random.below(from.size())]];
      std::vector<float> samples;
      std::vector<int> said;
      for (const auto length = 3 + random.below(5); said.size() < length;) {
        const std::size_t i = from[random.below(from.size())];
        if (digits.speakers[i] != speaker) continue;
        const auto more = digits.sounds[i].as<float>();
        samples.insert(samples.end(), more.begin(), more.end());
        said.push_back(digits.classes.of[i]);
      }
      add(all, {{std::ssize(samples)}, samples}, said, speaker, to);
    }
  };
  make(2 * digits.classes.split.train.size(), digits.classes.split.train, all.classes.split.train);
  make(200, digits.classes.split.validation, all.classes.split.validation);
  make(200, digits.classes.split.test, all.classes.split.test);
  return all;
}

// Scores of a class for each recording; or of each frame, where the last class is CTC's blank.
SequenceModel model_of(const Program& program, std::int64_t width, std::int64_t classes, Pooling pooling) {
  return {program.init(),
          {.recipe = program.recipe(), .width = width, .classes = classes, .pooling = pooling}};
}

int classify(const Program& program, const Series& all) {
  const auto model = model_of(program, all.rows[0].shape()[1], std::ssize(all.classes.names), Pooling::mean);
  return classify_series(program, all, model.parameters(), model);
}

int tell_speakers(Program& program, const Series& all) {
  program.fact("classes", joined(all.classes.names));
  program.fact("columns", std::to_string(all.rows[0].shape()[1]));
  const int code = classify(program, all);
  const Tensor& example = all.rows[all.classes.split.test[0]];
  if (!program.trains())
    program.write_example("example.csv", [&](const std::string& path) { write_rows(path, example); });
  return code;
}

Var loss_of(Tape& tape, const SeriesScores& model, const Speech& all, Chosen chosen) {
  const spool::PaddedRows x = padded(all, chosen);
  const spool::PaddedIds y = spool::pad(all.said, chosen, {.multiple_of = 7});
  const spool::Shape B{std::ssize(chosen)};
  return spool::ctc_loss(spool::log_softmax(model(tape, x, /*training=*/true)),
                         spool::transpose(tape.tokens(y.shape, y.ids)), tape.tokens(B, x.lengths),
                         tape.tokens(B, y.lengths), {.blank = blank});
}

std::vector<int> hear(Tape& tape, const SeriesScores& model, const Tensor& frames) {
  const auto x = spool::pad(std::vector{frames}, {.multiple_of = 16});
  tape.clear();
  return spool::ctc_greedy_decode(tape.read(model(tape, x, /*training=*/false)), x.lengths, blank)[0];
}

spool::ErrorRate judge_strings(const SeriesScores& model, const Speech& all, Chosen part) {
  spool::ErrorRate errors;
  Tape tape;
  for (const std::size_t i : part) errors.add(hear(tape, model, all.rows[i]), all.said[i]);
  return errors;
}

// The frames of a recording, above the probability of each digit in each: it peaks where one is said.
std::string picture(const SeriesScores& model, const Speech& all, std::size_t which) {
  Tape tape;
  const auto x = spool::pad(all.rows, std::vector{which});
  const Var p = spool::softmax(spool::select(model(tape, x, /*training=*/false), 1, 0));
  spool::HeatMapOptions options{
      .x_label = "frame (16 ms)", .y_label = "mel band", .upwards = true, .left_margin = 70};
  options.title = fmt::format("log-mel frames of {}", fmt::join(all.said[which], " "));
  const auto above = spool::heat_map(tape.read(spool::transpose(tape.input(all.rows[which]))), options);
  options.title = "probability of each digit", options.y_label = "digit";
  return above_probabilities(above, tape.read(spool::transpose(p)), all.classes.names, options);
}

int spell(const Program& program, const Speech& all) {
  const auto model = model_of(program, mels, blank + 1, Pooling::none);
  const spool::Split& split = all.classes.split;  // the strings to train on come first
  auto lengths = all.classes.lengths;
  lengths.resize(split.train.size());
  const auto step = [&](const SeriesScores& model) -> Step {
    return [&all, model](Tape& tape, Chosen chosen) { return loss_of(tape, model, all, chosen); };
  };
  const auto validate = [&]() -> spool::Metrics {
    return {{"label error rate", judge_strings(model, all, split.validation).rate()}};
  };
  if (program.trains()) return program.fit(model.parameters(), lengths, step(model), validate);
  program.restore(model.parameters());
  const spool::Linear linear({.seed = 1}, mels, blank + 1);
  const SeriesScores alone = [&](Tape& tape, const auto& x, bool) { return linear(tape.input(x.values)); };
  fit_quietly(linear.parameters(), lengths, step(alone), /*epochs=*/20, /*lr=*/0.03);
  const auto errors = judge_strings(model, all, split.test), baseline = judge_strings(alone, all, split.test);
  print_table({fmt::format("{} test strings of {} digits", errors.sequences(), errors.symbols()),
               "label error rate", "strings with errors"},
              {{program.recipe().cell + ", CTC", {errors.rate(), errors.sequence_rate()}},
               {"linear, CTC: each frame alone", {baseline.rate(), baseline.sequence_rate()}}});
  program.write_picture("string.svg", picture(model, all, split.test[0]));
  return 0;
}

int recognize(const Program& program, const std::string& task) {
  const bool strings = task == "strings", vowels = task == "vowels";
  const std::int64_t width = vowels ? program.number_fact("columns", 10'000) : mels;
  const std::int64_t classes = strings ? blank + 1 : std::ssize(lines_of(program.fact("classes")));
  const auto model = model_of(program, width, classes, strings ? Pooling::none : Pooling::mean);
  program.restore(model.parameters());
  if (!strings)
    return print_likeliest(program, [&](Tape& tape, const std::string& path) {
      const std::vector rows{vowels ? read_rows(path, width) : features_of(read_speech(path))};
      return model(tape, spool::pad(rows), /*training=*/false);
    });
  Tape tape;
  for (const std::string& path : program.words()) {
    const auto heard = hear(tape, model, features_of(read_speech(path)));
    fmt::print("{}: {}{}\n", path, fmt::join(heard, " "), heard.empty() ? "(nothing)" : "");
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string task;
  const Recipe recipe{.hidden = 64, .layers = 2, .embed = 0, .batch = 16, .dropout = 0.3};
  Program program({.name = "speech",
                   .purpose = purpose,
                   .verbs = {"train", "eval", "recognize"},
                   .epochs = 30,
                   .recipe = recipe,
                   .with_words = {{"recognize", "a file"}}});
  program.learnt()("task", po::value(&task)->default_value("digits"), "digits, strings or vowels");
  return program.run(argc, argv, [&] {
    require_one_of("task", task, {"digits", "strings", "vowels"});
    const bool vowels = task == "vowels", recognizes = program.verb() == "recognize";
    const std::string from = program.data();
    require(!vowels || recognizes || !from.empty(),
            "the vowels are series of DIR/mts_japanese_vowels: train and eval them with --data DIR");
    if (recognizes) return recognize(program, task);
    if (vowels) return tell_speakers(program, read_archive(from + "/mts_japanese_vowels/JapaneseVowels"));
    const Speech digits = read_digits(from), all = task == "strings" ? join(digits) : digits;
    program.fact("classes", joined(digits.classes.names));
    const int code = task == "strings" ? spell(program, all) : classify(program, all);
    if (!program.trains())
      program.write_example("example.wav", [&](const std::string& path) {
        spool::write_wav(path, all.sounds[all.classes.split.test[0]], sample_rate);
      });
    return code;
  });
}
