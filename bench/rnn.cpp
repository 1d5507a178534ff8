// rnn: times a character model: embedding, recurrent layers, linear decoder, mean cross-entropy over all
// steps. `train` is what a user's loop does with each batch (record, gradients, run, update), `forward` the
// logits alone, `stream` one character at a time with the state carried on.
#include "custom_lstm.hpp"
#include "measure.hpp"
#include "run_figures.hpp"

#include <spool/spool.hpp>

#include <fmt/format.h>
#include <boost/program_options.hpp>

#include <iostream>
#include <optional>
#include <random>
#include <span>
#include <string>

using namespace spool;
namespace po = boost::program_options;

namespace {

struct Options {
  std::string cell, mode, optim;
  std::int64_t vocab, hidden, layers, batch, seq, budget, segment;
  int threads, repeats;
  bool onehot, record_once, json;
};

std::optional<Options> parse(int argc, char** argv) {
  Options o;
  po::options_description d("Times a character model");
  auto add = d.add_options();
  add("help,h", "this text");
  add("cell", po::value(&o.cell)->default_value("lstm"),
      "rnn, lstm, gru, custom (an LSTM in the benchmark's own file), lnlstm (layer norm), zoneout, peephole "
      "or projection (to half of hidden)");
  add("vocab", po::value(&o.vocab)->default_value(65), "characters");
  add("hidden", po::value(&o.hidden)->default_value(128), "units of a layer, and size of the embedding");
  add("layers", po::value(&o.layers)->default_value(2), "recurrent layers");
  add("batch", po::value(&o.batch)->default_value(50), "sequences side by side; stream: 1 unless given");
  add("seq", po::value(&o.seq)->default_value(50), "steps of a sequence; not for stream");
  add("threads", po::value(&o.threads)->default_value(1), "of the run, and of the ceiling");
  add("mode", po::value(&o.mode)->default_value("train"), "train, forward or stream");
  add("optim", po::value(&o.optim)->default_value("adam"), "an optimiser's name, for train");
  add("repeat", po::value(&o.repeats)->default_value(11), "timed steps, after three that are not");
  add("budget", po::value(&o.budget)->default_value(0),
      "train: bytes for values, by computing steps again; 0: no limit");
  add("segment", po::value(&o.segment)->default_value(0),
      "train: steps that are recorded at a time (gradients_over_segments); 0: all");
  add("onehot", po::bool_switch(&o.onehot), "one-hot characters instead of an embedding");
  add("record-once", po::bool_switch(&o.record_once), "train: record once, then only set inputs");
  add("json", po::bool_switch(&o.json), "one JSON line");
  po::variables_map given;
  po::store(po::parse_command_line(argc, argv, d), given);
  if (given.count("help")) {
    std::cout << d;
    return std::nullopt;
  }
  po::notify(given);
  if (o.mode != "train" && o.mode != "forward" && o.mode != "stream")
    throw po::error("--mode " + o.mode + " is none of train, forward and stream");
  for (const std::int64_t size :
       {o.vocab, o.hidden, o.layers, o.batch, o.seq, std::int64_t{o.threads}, std::int64_t{o.repeats}})
    if (size < 1) throw po::error("sizes, --threads and --repeat must be at least 1");
  if (o.mode == "stream") {
    o.seq = 1;
    if (given["batch"].defaulted()) o.batch = 1;
  }
  return o;
}

// Products only, as is usual: 2 for each multiplication and addition of the forward pass.
double forward_flops(const Options& o) {
  const double gates = o.cell == "rnn" ? 1 : o.cell == "gru" ? 3 : 4;
  const double rows = 2.0 * static_cast<double>(o.batch * o.seq), H = static_cast<double>(o.hidden),
               V = static_cast<double>(o.vocab);
  const double out = o.cell == "projection" ? static_cast<double>(o.hidden / 2) : H;
  double flops = rows * out * V;
  for (std::int64_t l = 0; l < o.layers; ++l) {
    const double in = l > 0 ? out : o.onehot ? V : H;
    flops += rows * ((in + out) * gates * H + (o.cell == "projection" ? H * out : 0));
  }
  return flops;
}

template <class Layers>
class Model {
 public:
  Model(const Options& o, typename Layers::Options layers, const Init& init = {.seed = 1})
      : vocab_(o.vocab),
        table_(init.named("embedding"), o.vocab, o.onehot ? 1 : o.hidden),
        onehot_(o.onehot),
        layers_(init.named("recurrent"), layers),
        head_(init.named("head"), layers_.output_size(), o.vocab) {}

  // tokens [T,B] -> scores [T,B,V]
  Unrolled<typename Layers::State> operator()(Var tokens, typename Layers::State state, bool training) const {
    const Var x = onehot_ ? one_hot(tokens, vocab_) : table_(tokens);
    auto [ys, last] = layers_.unroll(x, std::move(state), {.training = training});
    return {head_(ys), std::move(last)};
  }
  auto initial_state(Tape& tape, std::int64_t batch) const { return layers_.initial_state(tape, batch); }
  auto zero_state(std::int64_t batch) const { return layers_.zero_state(batch); }
  Params parameters() const {
    return onehot_ ? spool::parameters(layers_, head_) : spool::parameters(table_, layers_, head_);
  }

 private:
  std::int64_t vocab_;
  Embedding table_;
  bool onehot_;
  Layers layers_;
  Linear head_;
};

// Calls f with the model that the options describe.
template <class F>
auto with_model(const Options& o, F&& f) {
  const auto sized = [&]<class L>(std::type_identity<L>, const typename L::Options& more = {}) {
    typename L::Options all = more;
    all.input = o.onehot ? o.vocab : o.hidden;
    all.hidden = o.hidden;
    all.layers = o.layers;
    return f(Model<L>(o, all));
  };
  const std::type_identity<Lstm> lstm;
  if (o.cell == "lstm") return sized(lstm);
  if (o.cell == "lnlstm") return sized(lstm, {.cell = {.layer_norm = true}});
  if (o.cell == "zoneout") return sized(lstm, {.zoneout = {0.05, 0.05}});
  if (o.cell == "peephole") return sized(lstm, {.cell = {.peepholes = true}});
  if (o.cell == "projection") return sized(lstm, {.cell = {.proj = o.hidden / 2}});
  if (o.cell == "custom") return sized(std::type_identity<Recurrent<CustomLstm>>());
  if (o.cell == "rnn") return sized(std::type_identity<Rnn>());
  if (o.cell == "gru") return sized(std::type_identity<Gru>());
  throw po::error("--cell " + o.cell + " is not known; see --help");
}

class RandomTokens {
 public:
  RandomTokens(std::int64_t vocab, std::size_t count)
      : draw_(0, static_cast<int>(vocab) - 1), tokens_(count) {}
  std::span<const int> next() {
    for (int& t : tokens_) t = draw_(engine_);
    return tokens_;
  }

 private:
  std::mt19937 engine_{1};
  std::uniform_int_distribution<int> draw_;
  std::vector<int> tokens_;
};

// What a mode measured: seconds a step, and whatever else it has to say.
struct Outcome {
  std::vector<double> times;
  boost::json::object more;
};

// --- training -----------------------------------------------------------------------------------------

template <class M>
class Training {
 public:
  Training(const Options& o, const M& model)
      : o_(o),
        model_(model),
        optimizer_(make_optimizer(o.optim, model.parameters())),
        tokens_(o.vocab, static_cast<std::size_t>(o.batch * o.seq)) {}

  Outcome run() {
    choose_recomputation();
    if (o_.record_once) record();
    Outcome all;
    for (int i = -3; i < o_.repeats; ++i) {
      draw();
      const double time = bench::seconds([&] { step(); });
      if (i >= 0) {
        all.times.push_back(time);
        runs_.note(tape_);
      }
      if (i == -3) all.more["first_loss"] = bench::rounded(loss());
    }
    all.more["last_loss"] = bench::rounded(loss());
    all.more["nodes"] = tape_.size();
    all.more["peak_mb"] = bench::rounded(bench::peak_megabytes());
    all.more["steps_again"] = recomputed_steps(o_.seq, recomputation_);
    runs_.append_to(all.more);
    if (o_.segment == 0)
      phases(all.more);
    else
      all.more["update_ms"] = bench::rounded(bench::median(updates_) * 1e3);
    // What grows with the length of a sequence: all of a step but the update.
    const double update = all.more["update_ms"].as_double() * 1e-3;
    all.more["per_step_us"] =
        bench::rounded((bench::median(all.times) - update) / static_cast<double>(o_.seq) * 1e6);
    return all;
  }

 private:
  double loss() { return o_.segment == 0 ? tape_.value(loss_) : segments_loss_; }

  void draw() {
    x_.assign(tokens_.next().begin(), tokens_.next().end());
    const auto targets = tokens_.next();
    y_.assign(targets.begin(), targets.end());
  }

  void record() {
    const Shape shape{o_.seq, o_.batch};
    x_in_ = tape_.input(shape, "x");
    y_in_ = tape_.input(shape, "y");
    if (recomputation_.group == 0) {
      loss_ = cross_entropy(model_(x_in_, model_.initial_state(tape_, o_.batch), true).ys, y_in_);
      return;
    }
    const auto part = [&](const Vars& in, auto state) {
      auto [scores, next] = model_(in[0], std::move(state), true);
      return std::pair(cross_entropy(scores, in[1], {.reduction = Reduction::sum}), std::move(next));
    };
    const auto state = model_.initial_state(tape_, o_.batch);
    loss_ = sum_over_time({x_in_, y_in_}, state, recomputation_, part).first /
            static_cast<double>(o_.seq * o_.batch);
  }

  // The largest groups of steps whose values, with all gradients, the budget can hold.
  void choose_recomputation() {
    if (o_.budget == 0) return;
    for (std::int64_t parts = 1; parts <= o_.seq; parts += 1 + parts / 8) {
      recomputation_ = uniform_recomputation(o_.seq, (o_.seq + parts - 1) / parts);
      tape_.clear();
      record();
      Vars wanted = grad(loss_, optimizer_->params());
      wanted.push_back(loss_);
      if (predicted_bytes(tape_, wanted) <= static_cast<std::size_t>(o_.budget)) return;
    }
    throw po::error("--budget: the values of a step take more, however many steps are computed again");
  }

  void bind() {
    tape_.set(x_in_, x_);
    tape_.set(y_in_, y_);
  }

  void step_in_segments() {
    const auto part = [&](std::int64_t i, auto state) {
      const Shape shape{std::min(o_.segment, o_.seq - i * o_.segment), o_.batch};
      const auto at = static_cast<std::size_t>(i * o_.segment * o_.batch);
      const auto size = static_cast<std::size_t>(shape.size());
      const Var x = tape_.tokens(shape, std::span(x_).subspan(at, size));
      const Var y = tape_.tokens(shape, std::span(y_).subspan(at, size));
      auto [scores, next] = model_(x, std::move(state), true);
      return std::pair(
          cross_entropy(scores, y, {.reduction = Reduction::sum}) / static_cast<double>(o_.seq * o_.batch),
          std::move(next));
    };
    const auto all =
        gradients_over_segments(tape_, optimizer_->params(), (o_.seq + o_.segment - 1) / o_.segment,
                                model_.zero_state(o_.batch), part);
    segments_loss_ = all.loss;
    updates_.push_back(bench::seconds([&] { optimizer_->apply(all.gradients); }));
  }

  void step() {
    if (o_.segment > 0) return step_in_segments();
    if (!o_.record_once) {
      tape_.clear();
      record();
    }
    bind();
    optimizer_->step(loss_);
  }

  // The parts of a step, one after the other; only the whole is what a user's loop costs.
  void phases(boost::json::object& figures) {
    std::vector<double> record_times, grad_times, run_times, update_times;
    for (int i = 0; i < std::min(o_.repeats, 5); ++i) {
      draw();
      record_times.push_back(bench::seconds([&] {
        tape_.clear();
        record();
        bind();
      }));
      Vars wanted;
      grad_times.push_back(bench::seconds([&] { wanted = grad(loss_, optimizer_->params()); }));
      std::vector<Tensor> gradients;
      run_times.push_back(bench::seconds([&] { tape_.run(wanted); }));
      for (Var g : wanted) gradients.push_back(tape_.read(g));
      update_times.push_back(bench::seconds([&] { optimizer_->apply(gradients); }));
    }
    for (const auto& [name, times] : {std::pair{"record_ms", &record_times},
                                      {"grad_ms", &grad_times},
                                      {"run_ms", &run_times},
                                      {"update_ms", &update_times}})
      figures[name] = bench::rounded(bench::median(*times) * 1e3);
  }

  const Options& o_;
  const M& model_;
  std::unique_ptr<Optimizer> optimizer_;
  RandomTokens tokens_;
  Recomputation recomputation_;
  Tape tape_;
  bench::RunFigures runs_;
  double segments_loss_ = 0;
  std::vector<double> updates_;
  std::vector<int> x_, y_;
  Var x_in_, y_in_, loss_;
};

// --- forward and stream -------------------------------------------------------------------------------

template <class M>
Outcome forward(const Options& o, const M& model) {
  RandomTokens tokens(o.vocab, static_cast<std::size_t>(o.batch * o.seq));
  Tape tape;
  const Var x = tape.input(Shape{o.seq, o.batch}, "x");
  const Var scores = model(x, model.initial_state(tape, o.batch), false).ys;
  Outcome all;
  bench::RunFigures runs;
  all.times = bench::repeat(o.repeats, [&] {
    tape.set(x, tokens.next());
    tape.run({scores});
    runs.note(tape);
  });
  runs.append_to(all.more);
  all.more["nodes"] = tape.size();
  all.more["peak_mb"] = bench::rounded(bench::peak_megabytes());
  return all;
}

template <class M>
Outcome stream(const Options& o, const M& model) {
  constexpr int steps = 200;  // in a repeat, since one step is too short to time
  RandomTokens tokens(o.vocab, static_cast<std::size_t>(o.batch));
  Stepper stepper(Shape{1, o.batch}, model.zero_state(o.batch),
                  [&](Var token, const auto& state) { return model(token, state, /*training=*/false); });
  Outcome all;
  all.times = bench::repeat(o.repeats, [&] {
    for (int i = 0; i < steps; ++i) stepper.step(tokens.next());
  });
  for (double& t : all.times) t /= steps;
  all.more["step_us"] = bench::rounded(bench::median(all.times) * 1e6);
  all.more["peak_mb"] = bench::rounded(bench::peak_megabytes());
  return all;
}

template <class M>
Outcome measure(const Options& o, const M& model) {
  if (o.mode == "train") return Training<M>(o, model).run();
  return o.mode == "forward" ? forward(o, model) : stream(o, model);
}

boost::json::object figures(const Options& o, const Outcome& outcome) {
  const bench::Quartiles q = bench::quartiles(outcome.times);
  const double gflops = (o.mode == "train" ? 3 : 1) * forward_flops(o) / q.median * 1e-9;
  const double ceiling = bench::sgemm_ceiling(o.threads);  // last, since it takes memory of its own
  boost::json::object all{
      {"bench", "rnn"},
      {"cell", o.cell},
      {"mode", o.mode},
      {"vocab", o.vocab},
      {"hidden", o.hidden},
      {"layers", o.layers},
      {"batch", o.batch},
      {"seq", o.seq},
      {"threads", o.threads},
      {"repeats", o.repeats},
      {"median_ms", bench::rounded(q.median * 1e3)},
      {"q1_ms", bench::rounded(q.first * 1e3)},
      {"q3_ms", bench::rounded(q.third * 1e3)},
      {"min_ms", bench::rounded(q.min * 1e3)},
      {"chars_per_second", bench::rounded(static_cast<double>(o.batch * o.seq) / q.median)},
      {"gflops", bench::rounded(gflops)},
      {"ceiling_gflops", bench::rounded(ceiling)},
      {"share_of_ceiling", bench::rounded(gflops / ceiling)},
  };
  for (const auto& [name, value] : outcome.more) all[name] = value;
  return all;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::optional<Options> o = parse(argc, argv);
  if (!o) return 0;
  set_threads(o->threads);
  const Outcome outcome = with_model(*o, [&](const auto& model) { return measure(*o, model); });
  bench::print(figures(*o, outcome), o->json);
} catch (const std::exception& e) {
  fmt::print(stderr, "rnn: {}\n", e.what());
  return 2;
}
