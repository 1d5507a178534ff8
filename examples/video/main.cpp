// video: what is seen frame by frame: the gesture of a finger, a garment behind a small window that moves, a
// picture that comes row by row.
#include "../shared/made_up.hpp"
#include "../shared/sequence_model.hpp"
#include "../shared/series.hpp"

#include <fmt/format.h>

namespace {

using namespace examples;
using spool::Tape, spool::Tensor, spool::Var;

constexpr const char* purpose =
    R"(Tells what is seen frame by frame, and how likely each class is after each.

  video train --task gestures   learn gestures from 16 places of a finger, and
                                keep the model in --model
  video train --task moving     learn what a window shows that moves over a
                                picture, by a convolutional network
  video train --task rows       learn what a picture shows, row by row
  video eval                    the model on the test part, beside baselines; an
                                example.csv or .png of it
  video classify FILE...        gestures (CSV) or pictures of 28 x 28 pixels
                                (PNG); frames.svg shows the frames, and the
                                probabilities after each

With --data DIR it learns gestures of DIR/gesture_point_history, or garments of
DIR/fashion_mnist.

)";

constexpr std::int64_t side = 28, window = 14, frames = 8, places = 16;
const spool::ConvEncoderOptions eye_options{.in = 1, .channels = {16, 32}};  // of the moving window

// The numbers of a frame, or of what the eye makes of it.
std::int64_t width_of(const std::string& task) {
  if (task != "moving") return task == "gestures" ? 2 : side;
  const spool::Size2 grid = eye_options.grid_size(window);
  return eye_options.channels.back() * grid.h * grid.w;
}

// The last 32 numbers of each line as [16,2]: places beside the first, x and y in tenths of the picture.
std::vector<Tensor> read_tracks(const std::string& path, std::int64_t most) {
  const Tensor numbers = spool::Csv(path, {.header = false}).numbers();
  const auto columns = static_cast<std::size_t>(numbers.shape()[1]);
  if (columns < 2 * places) spool::fail_file(path, fmt::format("has {} columns, not 32", columns));
  if (numbers.shape()[0] > most)
    spool::fail_file(path,
                     fmt::format("has {} lines; give each track a file of its own", numbers.shape()[0]));
  std::vector<Tensor> tracks;
  for (std::size_t end = columns; end <= numbers.size(); end += columns) {
    Tensor& t = tracks.emplace_back(spool::Shape{places, 2});
    for (std::size_t i = 0; i < t.size(); ++i) t.set(i, 10 * numbers.at(end - t.size() + i));
  }
  return tracks;
}

// A line of DIR/gesture_point_history is the one before, a frame or two later. So lines come in blocks of
// 100: of five of these one is to test, one to validate, and the last 15 lines of each are left out, which
// share frames with the next.
Series read_gestures(const std::string& directory) {
  Series all;
  auto& split = all.classes.split;
  const std::vector parts{&split.test, &split.validation, &split.train, &split.train, &split.train};
  if (directory.empty()) {
    all.classes.names = {"rest", "right", "left", "away"};
    spool::Philox random(1);
    for (int i = 0; i < 800; ++i) all.add(made_up_track(i % 4, random), i % 4, *parts[random.below(5)]);
    return all;
  }
  const std::string path = directory + "/gesture_point_history/point_history";
  all.classes.names = spool::Csv(path + "_classifier_label.csv", {.header = false}).texts("1");
  const auto tracks = read_tracks(path + ".csv.gz", 1'000'000);
  const auto labels = spool::Csv(path + ".csv.gz", {.header = false}).numbers("1");
  for (std::size_t n = 0; n < tracks.size(); ++n)
    if (n % 100 < 85)
      all.add(tracks[n], class_of(labels.at(n), all.classes.names.size(), path + ".csv.gz"),
              *parts[n / 100 % 5]);
  all.check(path + ".csv.gz");
  return all;
}

// Every tenth of the training pictures of DIR/fashion_mnist validates.
Series read_pictures(const std::string& directory) {
  Series all;
  spool::Split& to = all.classes.split;
  if (directory.empty()) {
    all.classes.names = {"disc", "ring", "square", "frame"};
    spool::Philox random(1);
    for (int i = 0; i < 800; ++i)
      all.add(made_up_picture(i % 4, random), i % 4, i < 600 ? to.train : i < 700 ? to.validation : to.test);
    return all;
  }
  all.classes.names = {"T-shirt", "trousers", "pullover", "dress", "coat",
                       "sandal",  "shirt",    "sneaker",  "bag",   "boot"};
  for (const std::string name : {"train6k", "t2k"}) {
    const std::string path = directory + "/fashion_mnist/" + name;
    const Tensor pixels = spool::read_idx(path + "-images-idx3-ubyte.gz");
    const Tensor labels = spool::read_idx(path + "-labels-idx1-ubyte.gz");
    if (pixels.shape() != spool::Shape{std::ssize(labels.doubles()), side, side})
      throw spool::FileError(path + ": pictures and labels do not fit");
    for (std::size_t n = 0; n < labels.size(); ++n) {
      Tensor picture({side, side});
      for (std::size_t i = 0; i < picture.size(); ++i)
        picture.set(i, pixels.at(n * picture.size() + i) / 255);
      auto& part = name == "t2k" ? to.test : n % 10 == 9 ? to.validation : to.train;
      all.add(picture, class_of(labels.at(n), all.classes.names.size(), directory + "/fashion_mnist"), part);
    }
  }
  all.check(directory + "/fashion_mnist");
  return all;
}

// What a window shows [8,14,14] that moves over a picture [28,28], from a corner to the opposite one.
Tensor through_window(const Tensor& picture, std::uint64_t corner) {
  Tensor out({frames, window, window});
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t t = i / (window * window), there = 2 * t, back = side - window - there;
    const std::size_t row = i / window % window + (corner < 2 ? there : back);
    const std::size_t column = i % window + (corner % 2 == 0 ? there : back);
    out.set(i, picture.at(row * side + column));
  }
  return out;
}

// Frames [T,B,D] or [T,B,H,W] to scores after each: [T,B,C].
struct Watcher {
  Watcher(const Program& program, const std::string& task, std::int64_t classes)
      : memory(program.init(), {.recipe = program.recipe(),
                                .width = width_of(task),
                                .classes = classes,
                                .bidirectional = false,
                                .pooling = Pooling::none}) {
    if (task == "moving") eye.emplace(program.init().named("eye"), eye_options);
  }
  Var operator()(Tape& tape, const spool::PaddedRows& x, bool training) const {
    if (!eye) return memory(tape, x, training);
    const std::int64_t T = x.values.shape()[0], B = x.values.shape()[1];
    const Var seen = (*eye)(spool::reshape(tape.input(x.values), {T * B, 1, window, window}));
    return memory(spool::reshape(seen, {T, B, -1}), tape.tokens({B}, x.lengths), training);
  }
  spool::Params parameters() const { return eye ? spool::parameters(*eye, memory) : memory.parameters(); }

  std::optional<spool::ConvEncoder> eye;
  SequenceModel memory;
};

// The frames, above the probability of each class after each of them [C,T].
std::string picture(const Tensor& seen, const Tensor& probabilities, const std::vector<std::string>& names,
                    const std::string& path) {
  const std::string above = seen.shape()[0] == frames ? pictures_in_row(seen)
                            : seen.shape()[0] == side
                                ? spool::image_panel(seen, {}, 280)
                                : track_chart(seen, "where the finger was, from the dot on");
  return above_probabilities(
      above, probabilities, names,
      {.title = "probability after each frame of " + std::filesystem::path(path).filename().string(),
       .x_label = "frame",
       .width = 760});
}

Tensor read_frames(const std::string& task, const std::string& path) {
  const bool track = task == "gestures";
  if (path.ends_with(track ? ".png" : ".csv"))
    spool::fail_file(path, track ? "is a picture, and this model wants a CSV file: x and y of 16 places"
                                 : "is a table, and this model wants a PNG file of 28 x 28 pixels");
  if (track) return read_tracks(path, /*most=*/1)[0];
  const Tensor pixels = spool::read_png(path, spool::Pixel::grey);
  if (const spool::Shape& s = pixels.shape(); s[0] != side || s[1] != side)
    spool::fail_file(path, fmt::format("has {} x {} pixels, not 28 x 28", s[1], s[0]));
  const Tensor picture = pixels.reshaped({side, side});
  return task == "rows" ? picture : through_window(picture, 0);
}

int classify(const Program& program, const std::string& task) {
  const std::vector<std::string> names = lines_of(program.fact("classes"));
  const Watcher model(program, task, std::ssize(names));
  program.restore(model.parameters());
  std::vector<std::string> pictures;
  const int code = print_likeliest(program, [&](Tape& tape, const std::string& path) {
    const std::vector seen{read_frames(task, path)};
    const Var scores = spool::select(model(tape, spool::pad(seen), /*training=*/false), 1, 0);
    const Tensor probabilities = tape.read(spool::transpose(spool::softmax(scores)));
    pictures.push_back(picture(seen[0], probabilities, names, path));
    return spool::slice(scores, 0, scores.shape()[0] - 1, scores.shape()[0]);
  });
  program.write_picture("frames.svg", spool::panels(pictures, 1));
  return code;
}

void write_example(const Program& program, const std::string& task, const Tensor& example) {
  if (task != "gestures")
    return program.write_example("example.png", [&](const auto& path) { spool::write_png(path, example); });
  Tensor line = example.reshaped({1, 2 * places});
  for (std::size_t i = 0; i < line.size(); ++i) line.set(i, line.at(i) / 10);
  program.write_example("example.csv", [&](const std::string& path) { write_rows(path, line); });
}

}  // namespace

int main(int argc, char** argv) {
  std::string task;
  const Recipe recipe{.hidden = 96, .embed = 0};
  Program program({.name = "video",
                   .purpose = purpose,
                   .verbs = {"train", "eval", "classify"},
                   .epochs = 15,
                   .recipe = recipe,
                   .with_words = {{"classify", "a file"}}});
  program.learnt()("task", po::value(&task)->default_value("gestures"), "gestures, moving or rows");
  return program.run(argc, argv, [&] {
    require_one_of("task", task, {"gestures", "moving", "rows"});
    if (program.verb() == "classify") return classify(program, task);
    Series all = task == "gestures" ? read_gestures(program.data()) : read_pictures(program.data());
    program.fact("classes", joined(all.classes.names));
    const Tensor example = all.rows[all.classes.split.test[0]];
    spool::Philox random(1);
    if (task == "moving")
      for (std::size_t n = 0; n < all.rows.size(); ++n) {
        all.rows[n] = through_window(all.rows[n], random.below(4));
        all.classes.lengths[n] = frames;
      }
    const Watcher model(program, task, std::ssize(all.classes.names));
    const SeriesScores last = [&](Tape& tape, const auto& x, bool training) {
      return spool::select(model(tape, x, training), 0, -1);
    };
    const int code = classify_series(program, all, model.parameters(), last);
    if (!program.trains()) write_example(program, task, example);
    return code;
  });
}
