// dynamic: times models whose structure changes with each batch, recorded one sentence or one tree after the
// other, without padding or batching by the user: one tape and one loss for a batch, and a new batch for each
// step. `tagger` is a bidirectional LSTM over sentences, `tree` a binary Tree-LSTM (Tai, Socher and Manning
// 2015).
#include "measure.hpp"
#include "run_figures.hpp"

#include <spool/spool.hpp>

#include <fmt/format.h>
#include <boost/program_options.hpp>

#include <algorithm>
#include <functional>
#include <iostream>
#include <optional>
#include <random>
#include <span>
#include <string>

using namespace spool;
namespace po = boost::program_options;

namespace {

struct Options {
  std::string task, mode, optim;
  std::int64_t vocab, embed, hidden, batch;
  int shortest, longest, threads, tapes, repeats;
  bool same, one_lookup, json;
};

std::optional<Options> parse(int argc, char** argv) {
  Options o;
  po::options_description d("Times models whose structure changes with each batch");
  auto add = d.add_options();
  add("help,h", "this text");
  add("task", po::value(&o.task)->default_value("tagger"), "tagger or tree");
  add("mode", po::value(&o.mode)->default_value("train"), "train or forward (the loss alone)");
  add("vocab", po::value(&o.vocab)->default_value(10000), "words");
  add("embed", po::value(&o.embed)->default_value(128), "size of a word's embedding");
  add("hidden", po::value(&o.hidden)->default_value(256), "units of the LSTM");
  add("batch", po::value(&o.batch)->default_value(64), "sentences or trees of a step");
  add("shortest", po::value(&o.shortest)->default_value(5), "words or leaves, at least");
  add("longest", po::value(&o.longest)->default_value(40), "words or leaves, at most");
  add("threads", po::value(&o.threads)->default_value(1), "of the run");
  add("tapes", po::value(&o.tapes)->default_value(1),
      "for train: each with a share of the examples, which are recorded, planned and run at once");
  add("optim", po::value(&o.optim)->default_value("adam"), "an optimiser's name, for train");
  add("repeat", po::value(&o.repeats)->default_value(11), "timed steps, after three that are not");
  add("same", po::bool_switch(&o.same), "the same structure in all steps, so that its plan is known");
  add("one-lookup", po::bool_switch(&o.one_lookup), "look up all words of the batch at once");
  add("json", po::bool_switch(&o.json), "one JSON line");
  po::variables_map given;
  po::store(po::parse_command_line(argc, argv, d), given);
  if (given.count("help")) {
    std::cout << d;
    return std::nullopt;
  }
  po::notify(given);
  if (o.task != "tagger" && o.task != "tree")
    throw po::error("--task " + o.task + " is none of tagger and tree");
  if (o.mode != "train" && o.mode != "forward")
    throw po::error("--mode " + o.mode + " is none of train and forward");
  if (o.tapes < 1 || (o.tapes > 1 && o.mode != "train"))
    throw po::error("--tapes must be at least 1, and 1 for --mode forward");
  if (o.shortest < 1 || o.longest < o.shortest || o.batch < 1 || o.threads < 1 || o.repeats < 1)
    throw po::error("sizes, --threads and --repeat must be at least 1, and --longest at least --shortest");
  return o;
}

// A sentence, or a tree over its words.
struct Example {
  std::vector<int> words, labels;
  // Of a tree: -1 takes the next word as a leaf, -2 joins the last two parts; sons come before their father.
  std::vector<int> order;
};

constexpr int leaf = -1, join = -2;

class Examples {
 public:
  explicit Examples(const Options& o) : o_(o) {}

  std::vector<Example> next() {
    if (o_.same) engine_.seed(1);
    std::vector<Example> all(static_cast<std::size_t>(o_.batch));
    for (Example& e : all) {
      const int n = draw(o_.shortest, o_.longest);
      const bool tree = o_.task == "tree";
      for (int i = 0; i < n; ++i) e.words.push_back(draw(0, static_cast<int>(o_.vocab) - 1));
      for (int i = 0; i < (tree ? 1 : n); ++i) e.labels.push_back(draw(0, classes(o_) - 1));
      if (tree) e.order = random_tree(n);
    }
    return all;
  }

  static int classes(const Options& o) { return o.task == "tree" ? 5 : 17; }

 private:
  int draw(int low, int high) { return std::uniform_int_distribution<int>(low, high)(engine_); }

  // Any first split of n leaves is as likely as any other, and so on below.
  std::vector<int> random_tree(int n) {
    std::vector<int> order, open{n};  // what is still to be written, the next one last
    while (!open.empty()) {
      const int part = open.back();
      open.pop_back();
      if (part == join || part == 1) {
        order.push_back(part == join ? join : leaf);
        continue;
      }
      const int left = draw(1, part - 1);
      open.insert(open.end(), {join, part - left, left});
    }
    return order;
  }

  const Options& o_;
  std::mt19937 engine_{1};
};

class Tagger {
 public:
  explicit Tagger(const Options& o, const Init& init = {.seed = 1})
      : lstm_(init.named("lstm"), {.input = o.embed, .hidden = o.hidden, .bidirectional = true}),
        head_(init.named("head"), 2 * o.hidden, Examples::classes(o)) {}

  // words [n,E] of one sentence -> its loss
  Var loss(Var words, const Example& e) const {
    const std::int64_t n = words.shape()[0];
    const Var ys = lstm_.unroll(reshape(words, {n, 1, -1})).ys;
    return cross_entropy(head_(ys), ys.tape().tokens({n, 1}, e.labels), {.reduction = Reduction::sum});
  }
  Params parameters() const { return spool::parameters(lstm_, head_); }

  // Of the forward pass, products only.
  static double flops(const Options& o, double words) {
    const auto E = static_cast<double>(o.embed), H = static_cast<double>(o.hidden);
    return 2 * words * (2 * (E + H) * 4 * H + 2 * H * Examples::classes(o));
  }

 private:
  Lstm lstm_;
  Linear head_;
};

class Tree {
 public:
  explicit Tree(const Options& o, const Init& init = {.seed = 1})
      : leaf_(init.named("leaf"), o.embed, 3 * o.hidden),
        node_(init.named("node"), 2 * o.hidden, 5 * o.hidden),
        head_(init.named("head"), o.hidden, Examples::classes(o)) {}

  // words [n,E] of one tree -> its loss
  Var loss(Var words, const Example& e) const {
    std::vector<LstmState> parts;
    std::int64_t next = 0;
    for (const int what : e.order) {
      if (what == leaf) {
        parts.push_back(at_leaf(slice(words, 0, next, next + 1)));
        ++next;
        continue;
      }
      const LstmState right = parts.back();
      parts.pop_back();
      parts.back() = joined(parts.back(), right);
    }
    const Var label = words.tape().tokens({1}, e.labels);
    return cross_entropy(head_(parts.back().h), label, {.reduction = Reduction::sum});
  }
  Params parameters() const { return spool::parameters(leaf_, node_, head_); }

  static double flops(const Options& o, double words) {
    const auto E = static_cast<double>(o.embed), H = static_cast<double>(o.hidden),
               N = static_cast<double>(o.batch);
    return 2 * (words * E * 3 * H + (words - N) * 2 * H * 5 * H + N * H * Examples::classes(o));
  }

 private:
  LstmState at_leaf(Var x) const {
    const auto [i, o, u] = split<3>(leaf_(x));
    const Var c = sigmoid(i) * tanh(u);
    return {sigmoid(o) * tanh(c), c};
  }

  LstmState joined(const LstmState& l, const LstmState& r) const {
    const auto [i, o, u, fl, fr] = split<5>(node_(concat({l.h, r.h}, 1)));
    const Var made = sigmoid(i) * tanh(u);
    const Var kept = made + sigmoid(fl) * l.c;
    const Var c = kept + sigmoid(fr) * r.c;
    return {sigmoid(o) * tanh(c), c};
  }

  Linear leaf_, node_, head_;
};

// The sum of the losses of all examples, each recorded for itself.
template <class M>
Var record(const Options& o, Tape& tape, const Embedding& table, const M& model,
           std::span<const Example> examples) {
  Var looked_up;
  if (o.one_lookup) {
    std::vector<int> all;
    for (const Example& e : examples) all.insert(all.end(), e.words.begin(), e.words.end());
    looked_up = table(tape.tokens({static_cast<std::int64_t>(all.size())}, all));
  }
  Var total;
  std::int64_t begin = 0;
  for (const Example& e : examples) {
    const auto n = static_cast<std::int64_t>(e.words.size());
    const Var words = o.one_lookup ? slice(looked_up, 0, begin, begin + n) : table(tape.tokens({n}, e.words));
    begin += n;
    const Var loss = model.loss(words, e);
    total = total.valid() ? total + loss : loss;
  }
  return total;
}

// The examples in as many parts, of about as many words each: dealt out from the longest to the shortest.
std::vector<std::vector<Example>> dealt(std::vector<Example> examples, int parts) {
  std::ranges::stable_sort(examples, std::greater<>(), [](const Example& e) { return e.words.size(); });
  std::vector<std::vector<Example>> all(static_cast<std::size_t>(parts));
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const std::size_t at = i % (2 * all.size());
    all[std::min(at, 2 * all.size() - 1 - at)].push_back(std::move(examples[i]));
  }
  return all;
}

template <class M>
boost::json::object measure(const Options& o) {
  const Init init{.seed = 2};
  const Embedding table(init.named("words"), o.vocab, o.embed);
  const M model(o);
  const std::unique_ptr<Optimizer> optimizer = make_optimizer(o.optim, parameters(table, model));
  Examples examples(o);
  DataParallel parts(*optimizer, o.tapes);
  Tape own;
  Tape& tape = o.tapes > 1 ? parts.tape(0) : own;
  bench::RunFigures runs;
  std::vector<double> times, record_times, rates, gflops;
  for (int i = -3; i < o.repeats; ++i) {
    const std::vector<Example> batch = examples.next();
    std::size_t words = 0;
    for (const Example& e : batch) words += e.words.size();
    double recorded = 0;
    const double time = bench::seconds([&] {
      if (o.tapes > 1) {
        const std::vector<std::vector<Example>> shares = dealt(batch, o.tapes);
        const auto record_share = [&](Tape& t, int p) {
          return record(o, t, table, model, shares[static_cast<std::size_t>(p)]);
        };
        parts.step(record_share, Accumulated::sum);
        return;
      }
      Var loss;
      recorded = bench::seconds([&] {
        tape.clear();
        loss = record(o, tape, table, model, batch);
      });
      o.mode == "train" ? optimizer->step(loss) : tape.run({loss});
    });
    if (i < 0) continue;
    runs.note(tape);
    times.push_back(time);
    record_times.push_back(recorded);
    rates.push_back(static_cast<double>(words) / time);
    gflops.push_back((o.mode == "train" ? 3 : 1) * M::flops(o, static_cast<double>(words)) / time * 1e-9);
  }
  const bench::Quartiles q = bench::quartiles(times);
  boost::json::object all{{"median_ms", bench::rounded(q.median * 1e3)},
                          {"q1_ms", bench::rounded(q.first * 1e3)},
                          {"q3_ms", bench::rounded(q.third * 1e3)},
                          {"words_per_second", bench::rounded(bench::median(rates))},
                          {"gflops", bench::rounded(bench::median(gflops))},
                          {"nodes", tape.size()},
                          {"record_ms", bench::rounded(bench::median(record_times) * 1e3)},
                          {"peak_mb", bench::rounded(bench::peak_megabytes())}};
  runs.append_to(all);
  return all;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::optional<Options> o = parse(argc, argv);
  if (!o) return 0;
  set_threads(o->threads);
  boost::json::object all{{"bench", "dynamic"}, {"task", o->task},       {"mode", o->mode},
                          {"batch", o->batch},  {"threads", o->threads}, {"repeats", o->repeats}};
  for (const auto& [name, value] : o->task == "tree" ? measure<Tree>(*o) : measure<Tagger>(*o))
    all[name] = value;
  bench::print(all, o->json);
} catch (const std::exception& e) {
  fmt::print(stderr, "dynamic: {}\n", e.what());
  return 2;
}
