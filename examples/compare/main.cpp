// compare: tanh RNN, LSTM and GRU side by side: parameters, time, memory, and what they learn.
#include "../shared/study.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <memory>

namespace {

using namespace examples;
using namespace spool;

constexpr const char* purpose =
    R"(Tanh RNN, LSTM and GRU compared: at as many units, and at as many parameters.

  compare measure [options]    parameters, time of an update, memory; no model
  compare train [options]      each cell learns the adding problem, the copy
                               problem and a text
  compare eval [options]       what each has learnt: after as many updates, and
                               after as much time

An epoch is 100 updates. The text is DIR/tinyshakespeare with --data DIR, and
without it a small made-up one.

)";

struct Options {
  std::int64_t parameters = 0, T = 0;
};

// g matrices from the input and g from the state, with two bias vectors each (as PyTorch has them): one for
// the new state, and one for each gate. A GRU's three don't share a matrix, just as an LSTM's four do not.
std::int64_t matrices(const std::string& cell) { return cell == "rnn" ? 1 : cell == "gru" ? 3 : 4; }
std::int64_t formula(const std::string& cell, std::int64_t input, std::int64_t hidden) {
  return matrices(cell) * (input * hidden + hidden * hidden + 2 * hidden);
}
// With the linear layer that gives the answer.
std::int64_t whole_model(const std::string& cell, const Task& task, std::int64_t hidden) {
  return formula(cell, task.input, hidden) + (hidden + 1) * task.outputs;
}
std::int64_t hidden_for(const std::string& cell, const Task& task, std::int64_t parameters) {
  std::int64_t hidden = 1;
  while (whole_model(cell, task, hidden + 1) <= parameters) ++hidden;
  return hidden;
}

// Sentences whose verbs agree with the nouns before them.
std::string made_up_text() {
  static const std::vector<std::string> one{"the cat", "a dog", "my friend"},
      many{"the cats", "dogs", "my friends"}, verbs{"run", "see", "like", "eat"},
      ends{" there.\n", " the bird.\n", " it.\n"};
  Philox random(1);
  std::string text;
  for (int i = 0; i < 2000; ++i) {
    const bool plural = random.below(2) == 1;
    text += (plural ? many : one)[random.below(3)] + " " + verbs[random.below(4)] + (plural ? "" : "s") +
            ends[random.below(3)];
  }
  return text;
}

// The next character at each of T places; the last tenth of the text is held out.
Task text_task(const std::string& text, std::int64_t T, std::int64_t B) {
  const Vocabulary vocabulary(text);
  const std::vector<int> ids = vocabulary.encode(text);
  const auto train = ids.size() / 10 * 9, steps = static_cast<std::size_t>(T);
  require(ids.size() - train > steps + 1 && vocabulary.size() > 1,
          "the text is too short, or all one symbol");
  const auto draw = [=](Tensor& x, Tensor& y, Philox& random, bool held_out) {
    const std::size_t first = held_out ? train : 0, room = (held_out ? ids.size() : train) - first - steps;
    const auto width = static_cast<std::size_t>(B);
    for (std::size_t b = 0; b < width; ++b) {
      const std::size_t begin = first + random.below(room);
      for (std::size_t t = 0; t < steps; ++t)
        x.set(t * width + b, ids[begin + t]), y.set(t * width + b, ids[begin + t + 1]);
    }
  };
  std::vector<double> frequency(static_cast<std::size_t>(vocabulary.size()));
  for (const int id : ids) frequency[static_cast<std::size_t>(id)] += 1.0 / static_cast<double>(ids.size());
  double entropy = 0;
  for (const double p : frequency) entropy -= p * std::log(p);
  return {.name = "text",
          .x = {T, B},
          .y = {T, B},
          .input = vocabulary.size(),
          .outputs = vocabulary.size(),
          .draw = draw,
          .naive = entropy};
}

std::vector<Task> tasks_of(Program& program, std::int64_t T) {
  const std::int64_t B = program.recipe().batch;
  const std::string text =
      program.data().empty() ? made_up_text() : read_text(program.data() + "/tinyshakespeare/input.txt");
  program.fact("text", fingerprint_of(text));
  return {adding_problem(T, B), copy_problem(T, B), text_task(text, 64, B)};
}

// A text needs no long memory, and a tanh RNN has no gate that keeps one.
AnyRecurrentOptions layer_of(const Task& task, const std::string& cell, std::int64_t hidden) {
  return {.cell = cell, .hidden = hidden, .start = cell == "rnn" || task.name == "text" ? "torch" : "chrono"};
}

// What an update costs: milliseconds (the least of twenty, the cells in turn), and megabytes of results that
// are kept for the gradient and of packed weights.
struct Cost {
  double counted = 0, ms = 0, mb = 0;  // counted: the layer's parameters
};

std::vector<Cost> costs(const Program& program, const Task& task, const std::vector<std::int64_t>& hidden) {
  struct Timed {
    Timed(const Init& init, const AnyRecurrentOptions& layer, const Task& task)
        : learner(tape, init, layer, task), adam(learner.parameters()) {}
    Tape tape;
    Learner learner;
    Adam adam;
    std::vector<double> ms;
  };
  std::vector<std::unique_ptr<Timed>> all;
  for (std::size_t k = 0; k < hidden.size(); ++k)
    all.push_back(
        std::make_unique<Timed>(program.init(), layer_of(task, AnyRecurrent::cells()[k], hidden[k]), task));
  for (std::uint32_t n = 0; n < 23; ++n)
    for (const auto& timed : all) {
      timed->learner.show(Philox(program.seed(), n));
      const auto begin = std::chrono::steady_clock::now();
      timed->adam.step(timed->learner.loss);
      const std::chrono::duration<double, std::milli> ms = std::chrono::steady_clock::now() - begin;
      if (n >= 3) timed->ms.push_back(ms.count());  // the first ones plan
    }
  std::vector<Cost> out;
  for (const auto& timed : all) {
    Cost& cost = out.emplace_back();
    for (const Param& p : timed->learner.layers().parameters())
      cost.counted += static_cast<double>(p.shape().size());
    cost.ms = std::ranges::min(timed->ms);
    const RunStats stats = timed->tape.run_stats();
    cost.mb = static_cast<double>(stats.arena_bytes + stats.packed_bytes) / 1e6;
  }
  return out;
}

std::vector<std::int64_t> equal_parameters(const Task& task, std::int64_t parameters) {
  std::vector<std::int64_t> hidden;
  for (const std::string& cell : AnyRecurrent::cells()) hidden.push_back(hidden_for(cell, task, parameters));
  return hidden;
}

int measure(Program& program, const Options& o) {
  for (const Task& task : tasks_of(program, o.T)) {
    const std::int64_t H = program.recipe().hidden;
    for (const bool same_units : {true, false}) {
      const auto hidden = same_units ? std::vector<std::int64_t>(3, H) : equal_parameters(task, o.parameters);
      const std::vector<Cost> cost = costs(program, task, hidden);
      std::vector<Row> rows;
      for (std::size_t k = 0; k < hidden.size(); ++k) {
        const std::string& cell = AnyRecurrent::cells()[k];
        rows.push_back(
            {cell,
             {static_cast<double>(hidden[k]), static_cast<double>(formula(cell, task.input, hidden[k])),
              cost[k].counted, static_cast<double>(whole_model(cell, task, hidden[k])), cost[k].ms,
              cost[k].ms / cost[0].ms, cost[k].mb}});
      }
      print_table({fmt::format("{}, {}", task.name, same_units ? "equal units" : "equal parameters"), "units",
                   "formula", "counted", "whole model", "ms an update", "times the RNN's", "MB"},
                  rows, 2);
    }
  }
  return 0;
}

void add_all(Study& study, Program& program, const Options& o) {
  for (const Task& task : tasks_of(program, o.T))
    for (const std::string& cell : AnyRecurrent::cells())
      study.add(layer_of(task, cell, hidden_for(cell, task, o.parameters)), task);
}

// The losses on held out examples after all updates, and when the fastest cell is done with them. No epoch is
// chosen: the weights of the best one are read only to be sure that the curves are those of this text.
int eval(Study& study, const Program& program, const Options& o) {
  program.restore(study.parameters());
  const std::vector<Series> curves = study.curves();
  std::vector<Row> rows;
  std::vector<std::string> charts;
  for (std::size_t k = 0; k < curves.size(); k += 3) {
    const Task& task = study.learners()[k]->task;
    const std::vector<Cost> cost = costs(program, task, equal_parameters(task, o.parameters));
    const double fastest = std::ranges::min(cost, {}, &Cost::ms).ms;
    std::vector<Series> by_time(curves.begin() + std::ptrdiff_t(k), curves.begin() + std::ptrdiff_t(k + 3));
    for (std::size_t c = 0; c < 3; ++c) {
      const Series& curve = curves[k + c];
      rows.push_back(
          {curve.name,
           {curve.y.back(), value_at(curve, curve.x.back() * (fastest / cost[c].ms)), task.naive}});
      for (double& x : by_time[c].x) x *= cost[c].ms / 1000;
    }
    charts.push_back(line_chart(by_time, {.title = task.name, .x_label = "seconds", .y_label = "loss"}));
  }
  print_table({"loss of", "equal updates", "equal time", "without memory"}, rows);
  program.write_picture("time.svg", panels(charts, 1));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  const Recipe recipe{.cell = "", .layers = 0, .embed = 0, .lr = 0.01, .dropout = -1};
  Program program(
      {.name = "compare",
       .purpose = purpose,
       .verbs = {"train", "eval", "measure"},
       .epochs = 20,
       .recipe = recipe,
       .without_model = {"measure"},
       .only = {{{"measure"}, {"hidden"}}, {{"train", "eval"}, {"lr", "model"}}, {{}, {"data"}}}});
  auto learnt = program.learnt();
  learnt("parameters", po::value(&o.parameters)->default_value(10'000), "of each model, or a little less");
  learnt("length", po::value(&o.T)->default_value(100), "T of the adding and the copy problem");
  return program.run(argc, argv, [&] {
    require(o.T >= 2, fmt::format("--length must be at least 2, not {}", o.T));
    require(o.parameters >= 1000, fmt::format("--parameters must be at least 1000, not {}", o.parameters));
    if (program.verb() == "measure") return measure(program, o);
    Study study(program);
    add_all(study, program, o);
    return program.trains() ? study.train() : eval(study, program, o);
  });
}
