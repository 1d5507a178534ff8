// micro: what the tape itself costs: nanoseconds for an op recorded, planned and run, on operands so small
// that arithmetic hardly counts; and how often each part of a training loop allocates memory.
#include "count_allocations.hpp"
#include "measure.hpp"

#include <spool/spool.hpp>

#include <fmt/format.h>
#include <boost/program_options.hpp>

#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <vector>

using namespace spool;
namespace po = boost::program_options;

namespace {

struct Options {
  int nodes, steps, repeats;
  bool json;
};

std::optional<Options> parse(int argc, char** argv) {
  Options o;
  po::options_description d("Times recording, planning and running, for each node; counts allocations");
  auto add = d.add_options();
  add("help,h", "this text");
  add("nodes", po::value(&o.nodes)->default_value(10000), "length of the chain of ops");
  add("steps", po::value(&o.steps)->default_value(1000), "of the training loop whose allocations count");
  add("repeat", po::value(&o.repeats)->default_value(11), "timed repeats");
  add("json", po::bool_switch(&o.json), "one JSON line");
  po::variables_map given;
  po::store(po::parse_command_line(argc, argv, d), given);
  if (given.count("help")) {
    std::cout << d;
    return std::nullopt;
  }
  po::notify(given);
  if (o.nodes < 1 || o.steps < 10 || o.repeats < 1)
    throw po::error("--nodes and --repeat must be at least 1, --steps at least 10");
  return o;
}

// Collects times for each node under names, and gives their medians.
class Figures {
 public:
  template <class F>
  void time(const std::string& name, std::uint32_t nodes, F&& f) {
    add(name, bench::seconds(f), nodes);
  }
  void add(const std::string& name, double seconds, std::uint32_t nodes) {
    times_[name].push_back(seconds / nodes * 1e9);
  }
  void append_to(boost::json::object& all) const {
    for (const auto& [name, times] : times_) all[name] = bench::rounded(bench::median(times));
  }

 private:
  std::map<std::string, std::vector<double>> times_;
};

// x + y + y + ..., of single numbers.
Var chain(Tape& tape, int nodes) {
  const Var x = tape.input(Tensor(Shape{1}), "x"), y = tape.input(Tensor(Shape{1}), "y");
  Var sum = x * y;
  for (int i = 0; i < nodes; ++i) sum = sum + y;
  return sum;
}

// The same work as a framework that computes while it records: `step_ns` is a chain recorded and run.
void measure_chain(const Options& o, boost::json::object& all) {
  Figures figures;
  const auto n = static_cast<std::uint32_t>(o.nodes);
  Tape tape;
  for (int i = -2; i < o.repeats; ++i) {
    Figures warm_up, &into = i < 0 ? warm_up : figures;
    Var sum;
    const double recorded = bench::seconds([&] {
      tape.clear();
      sum = chain(tape, o.nodes);
    });
    const double run = bench::seconds([&] { tape.run({sum}); });
    into.add("chain_record_ns", recorded, n);
    into.add("chain_run_ns", run, n);
    into.add("chain_step_ns", recorded + run, n);
  }
  figures.append_to(all);
}

void measure_chain_with_gradient(const Options& o, boost::json::object& all) {
  Figures figures;
  Tape tape;
  const Param weight("w", Tensor(Shape{1}));
  for (int i = -2; i < o.repeats; ++i) {
    Figures warm_up, &into = i < 0 ? warm_up : figures;
    const double time = bench::seconds([&] {
      tape.clear();
      Var y = tape.param(weight);
      const Var w = y;
      for (int k = 0; k < o.nodes; ++k) y = tanh(y) * w;
      const Vars wanted = grad(sum(y), std::span(&w, 1));
      tape.run(wanted);
    });
    into.add("chain_grad_step_ns", time, 2 * static_cast<std::uint32_t>(o.nodes));
  }
  figures.append_to(all);
}

class SmallModel {
 public:
  SmallModel() : lstm_({.seed = 1}, {.input = 2, .hidden = 2}), head_({.seed = 2}, 2, 2) {}

  Var loss(Tape& tape, std::int64_t steps) {
    x_.resize(static_cast<std::size_t>(steps));
    for (int& x : x_) x = 1 - x;  // another batch of the same shape
    const Var x = one_hot(tape.tokens({steps, 1}, x_), 2);
    return cross_entropy(head_(lstm_.unroll(x).ys), tape.tokens({steps, 1}, x_));
  }
  Params parameters() const { return spool::parameters(lstm_, head_); }

 private:
  std::vector<int> x_;
  Lstm lstm_;
  Linear head_;
};

// An LSTM over many steps: the cost of each part for each node of the tape.
void measure_lstm(const Options& o, boost::json::object& all) {
  SmallModel model;
  const Params params = model.parameters();
  Figures figures;
  Tape tape;
  for (int i = -2; i < o.repeats; ++i) {
    Figures warm_up, &into = i < 0 ? warm_up : figures;
    Var loss;
    const double recorded = bench::seconds([&] {
      tape.clear();
      loss = model.loss(tape, std::max(1, o.nodes / 100) + 3 + i);  // a length that no run has seen
    });
    const std::uint32_t forward = tape.size();
    Vars wanted;
    const double differentiated = bench::seconds([&] { wanted = grad(loss, params); });
    const std::uint32_t nodes = tape.size();
    const double first = bench::seconds([&] { tape.run(wanted); });
    const double planned = static_cast<double>(tape.run_stats().plan_ns) * 1e-9;
    const double again = bench::seconds([&] { tape.run(wanted); });
    into.add("lstm_record_ns", recorded, forward);
    into.add("lstm_grad_ns", differentiated, nodes - forward);
    into.add("lstm_first_run_ns", first, nodes);
    into.add("lstm_plan_ns", planned, nodes);
    into.add("lstm_run_ns", again, nodes);
  }
  figures.append_to(all);
}

// Allocations of a training loop once it has settled, and of its parts.
void count_allocations(const Options& o, boost::json::object& all) {
  SmallModel model;
  Adam adam(model.parameters(), {});
  Tape tape;
  std::int64_t recording = 0, stepping = 0, running = 0;
  for (int i = 0; i < o.steps; ++i) {
    const std::size_t before = allocations();
    tape.clear();
    const Var loss = model.loss(tape, 5);
    const std::size_t recorded = allocations();
    adam.step(loss);
    const std::size_t stepped = allocations();
    if (i < 3) continue;
    recording += recorded - before;
    stepping += stepped - recorded;
  }
  const Var loss = model.loss(tape, 5);
  for (int i = 0; i < o.steps; ++i) {
    const std::size_t before = allocations();
    tape.run({loss});
    if (i >= 3) running += allocations() - before;
  }
  all["record_allocations"] = bench::rounded(static_cast<double>(recording) / (o.steps - 3));
  all["step_allocations"] = bench::rounded(static_cast<double>(stepping) / (o.steps - 3));
  all["run_allocations"] = bench::rounded(static_cast<double>(running) / (o.steps - 3));
}

}  // namespace

int main(int argc, char** argv) try {
  const std::optional<Options> o = parse(argc, argv);
  if (!o) return 0;
  boost::json::object all{{"bench", "micro"}, {"nodes", o->nodes}, {"repeats", o->repeats}};
  measure_chain(*o, all);
  measure_chain_with_gradient(*o, all);
  measure_lstm(*o, all);
  count_allocations(*o, all);
  bench::print(all, o->json);
} catch (const std::exception& e) {
  fmt::print(stderr, "micro: {}\n", e.what());
  return 2;
}
