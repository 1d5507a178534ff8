// vanish: what becomes of a gradient on its way back through time, and what can't be learnt because of it.
#include "../shared/study.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace {

using namespace examples;
using namespace spool;

constexpr const char* purpose =
    R"(Vanishing gradients: how they come about, and what can't be learnt then.

  vanish gradients [options]   how far back gradients reach, by cell and first
                               weights
  vanish clipping [options]    a tanh RNN whose gradients explode, with and
                               without clipping
  vanish train [options]       rnn, lstm and gru learn the adding or the copy
                               problem at three lengths
  vanish eval [options]        what they have learnt, on new sequences
  vanish answer [options]      what they answer to one

All of it on sequences that the program makes itself; an epoch is 100 updates.

)";

// log ||d loss / d x|| of the input k steps before the last, k = 0..T-1, over 16 normal sequences. The loss
// is a random direction of the last output. In double, whose range holds what a float loses.
std::vector<double> log_norms_back(const AnyRecurrent& layers, std::int64_t T, std::uint64_t seed) {
  Tape tape({.dtype = DType::f64, .seed = seed});
  const Var x = normal(tape, {T, 16, layers.output_size()}), last = layers(x, {}).last;
  const Var gradient = grad(sum(last * normal(tape, last.shape())), {x})[0];
  std::vector<double> logs = tape.read(log(sum(square(gradient), {1, 2})) / 2).doubles();
  std::ranges::reverse(logs);
  return logs;
}

int gradients(const Program& program, std::int64_t T) {
  const std::int64_t H = program.recipe().hidden;
  std::vector<std::string> charts;
  std::vector<Row> rows;
  for (const std::int64_t layers : {1, 3}) {
    std::vector<Series> all;
    for (const std::string& cell : AnyRecurrent::cells())
      for (const char* start : {"torch", "keras", cell == "rnn" ? "wide" : "chrono"}) {
        const AnyRecurrent made(
            program.init(),
            {.cell = cell, .input = H, .hidden = H, .layers = layers, .start = start, .remember = T});
        const auto logs = log_norms_back(made, T, program.seed());
        Series& s = all.emplace_back(Series{.name = fmt::format("{} {}", cell, start)});
        double horizon = 0;
        for (std::size_t k = 0; k < logs.size(); ++k) {
          const double norm = std::exp(logs[k] - logs[0]), back = static_cast<double>(k);
          if (norm >= 0.01) horizon = back;
          if (norm >= 1e-15) s.x.push_back(back), s.y.push_back(norm);  // lower is all one
        }
        const double factor =
            std::exp((logs.back() - logs[logs.size() / 2]) / static_cast<double>(T - T / 2 - 1));
        rows.push_back({fmt::format("{}, layers: {}", s.name, layers),
                        {factor, (logs.back() - logs[0]) / std::log(10), horizon}});
      }
    charts.push_back(line_chart(all, {.title = fmt::format("Norm of d loss / d input, layers: {}", layers),
                                      .x_label = "steps back in time",
                                      .log_y = true}));
  }
  print_table({"cell and first weights", "factor per step", "log10 at first step", "horizon"}, rows, 3);
  program.write_picture("gradients.svg", panels(charts, 1));
  return 0;
}

// An RNN of 64 units learns to add with plain gradient descent, 1000 updates, or until the loss is above
// 1000.
int clipping(const Program& program) {
  std::vector<Series> all;
  std::vector<Row> rows;
  for (const std::string how : {"not clipped", "clipped"}) {
    Tape tape;
    const Learner rnn(tape, program.init(), {.cell = "rnn", .hidden = 64, .start = "keras"},
                      adding_problem(20, 50));
    Sgd sgd(rnn.parameters(), {.lr = 0.1});
    if (how == "clipped") sgd.set_clip({.max_norm = 1});
    Series loss{.name = "loss, " + how}, norm{.name = "norm of the gradient, " + how};
    for (std::uint32_t n = 0; n < 1000 && (n == 0 || loss.y.back() < 1000); ++n) {
      rnn.show(Philox(program.seed(), n));
      sgd.step(rnn.loss);
      loss.x.push_back(n), loss.y.push_back(tape.value(rnn.loss));
      norm.x.push_back(n), norm.y.push_back(sgd.last().grad_norm);
    }
    const double largest = *std::ranges::max_element(norm.y);
    rows.push_back({how, {static_cast<double>(loss.x.size()), std::log10(largest), loss.y.back()}});
    all.insert(all.end(), {loss, norm});
  }
  print_table({"gradients", "updates", "log10 of largest norm", "last loss"}, rows, 3);
  program.write_picture(
      "clipping.svg",
      line_chart(all, {.title = "A tanh RNN learns to add", .x_label = "updates", .log_y = true}));
  return 0;
}

// All cells at three lengths.
void add_all(Study& study, const Program& program, bool adding, std::int64_t longest,
             const std::string& start) {
  const Recipe& r = program.recipe();
  for (const std::int64_t T : {longest / 4, longest / 2, longest})
    for (const std::string& cell : AnyRecurrent::cells())
      study.add({.cell = cell, .hidden = r.hidden, .layers = r.layers, .start = start},
                adding ? adding_problem(T, r.batch) : copy_problem(T, r.batch));
}

int eval(const Program& program, Study& study) {
  program.restore(study.parameters());
  const auto measured = study.measure(20);
  std::vector<Row> rows;
  for (std::size_t k = 0; k < measured.size(); ++k) {
    const Learner& l = *study.learners()[k];
    rows.push_back({l.name, {measured[k].loss, l.task.naive, measured[k].right}});
  }
  print_table({"cell and task", "loss", "without memory", "share right"}, rows);
  return 0;
}

int answer(const Program& program, Study& study) {
  program.restore(study.parameters());
  for (const auto& l : study.learners()) {
    const Tensor right = l->show(Philox(program.seed(), 0xFFFFFFFF), true),
                 said = study.tape().read(l->answer);
    const auto B = static_cast<std::size_t>(program.recipe().batch);
    fmt::print("{}: (right, answer)", l->name);
    for (std::size_t i = static_cast<std::size_t>(l->task.first) * B; i < right.size();
         i += l->task.symbols() ? B : right.size())
      fmt::print(" ({:.3g}, {:.3g})", right.at(i), said.at(i));
    fmt::print("\n");
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string task, start;
  std::int64_t longest = 0;
  const Recipe recipe{.cell = "", .hidden = 32, .embed = 0, .lr = 0.01, .dropout = -1};
  Program program({.name = "vanish",
                   .purpose = purpose,
                   .verbs = {"train", "eval", "answer", "gradients", "clipping"},
                   .epochs = 20,
                   .recipe = recipe,
                   .without_model = {"gradients", "clipping"},
                   .only = {{{"train", "eval", "answer"}, {"task", "layers", "batch", "lr", "start"}},
                            {{"train", "eval", "answer", "gradients"}, {"hidden", "length"}},
                            {{}, {"data"}}},
                   .no_data = "sequences are made here; leave out --data"});
  auto learnt = program.learnt();
  learnt("task", po::value(&task)->default_value("adding"), "adding or copy");
  learnt("length", po::value(&longest)->default_value(400), "T; a half and a quarter of it are learnt too");
  learnt("start", po::value(&start)->default_value("chrono"), "first weights: torch, keras, wide or chrono");
  return program.run(argc, argv, [&] {
    require_one_of("task", task, {"adding", "copy"});
    require_one_of("start", start, {"torch", "keras", "wide", "chrono"});
    require(longest >= 16, fmt::format("--length must be at least 16, not {}", longest));
    if (program.verb() == "gradients" || program.verb() == "clipping")
      std::filesystem::create_directories(program.file(""));
    if (program.verb() == "gradients") return gradients(program, longest);
    if (program.verb() == "clipping") return clipping(program);
    Study study(program);
    add_all(study, program, task == "adding", longest, start);
    return program.trains()           ? study.train()
           : program.verb() == "eval" ? eval(program, study)
                                      : answer(program, study);
  });
}
