#include "classify.hpp"

#include <fmt/format.h>

#include <boost/algorithm/string.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>
#include <utility>

namespace examples {

namespace {

using spool::Tape;
using spool::Tensor;
using spool::Var;

// The loss of a batch of the training part; batches count within the part.
Step step_of(const Classes& all, const Scores& scores, const ClassifyOptions& options) {
  if (options.learnt)
    return [&all, learnt = options.learnt](Tape& tape, std::span<const std::size_t> chosen) {
      return learnt(tape, pick(all.split.train, chosen));
    };
  std::vector<double> weights(all.names.size(), 1);
  if (options.balanced) {
    for (const std::size_t i : all.split.train) ++weights[static_cast<std::size_t>(all.of[i])];
    for (double& w : weights) w = 1 / std::sqrt(w);
  }
  const Tensor weight({std::ssize(weights)}, std::span<const double>(weights));
  return [&all, scores, weight](Tape& tape, std::span<const std::size_t> chosen) {
    const std::vector<std::size_t> here = pick(all.split.train, chosen);
    return spool::cross_entropy(scores(tape, here, /*training=*/true),
                                tape.tokens({std::ssize(here)}, pick(all.of, here)),
                                {.weight = tape.input(weight)});
  };
}

}  // namespace

Judged judge(const Classes& all, std::span<const std::size_t> part, const Scores& scores) {
  Judged out{.confusion = spool::Confusion(std::ssize(all.names))};
  const spool::LengthBatches batches(pick(all.lengths, part), {.size = 128, .shuffle = false});
  Tape tape;
  for (std::uint64_t n = 0; n < batches.size(); ++n) {
    const std::vector<std::size_t> chosen = pick(part, batches.at(n));
    tape.clear();
    const Var s = scores(tape, chosen, /*training=*/false);
    const Var loss = spool::cross_entropy(s, tape.tokens({std::ssize(chosen)}, pick(all.of, chosen)),
                                          {.reduction = spool::Reduction::sum});
    const Var best = spool::argmax(s);
    tape.run({loss, best});
    out.loss += tape.value(loss) / static_cast<double>(part.size());
    const Tensor predicted = tape.read(best);
    for (std::size_t b = 0; b < chosen.size(); ++b)
      out.confusion.add(all.of[chosen[b]], static_cast<int>(predicted.at(b)));
  }
  return out;
}

int fit_classes(const Program& program, const spool::Params& params, const Classes& all, const Scores& scores,
                const ClassifyOptions& options) {
  const auto validate = [&]() -> spool::Metrics {
    const Judged j = judge(all, all.split.validation, scores);
    const std::pair<std::string, double> plain{"accuracy", j.confusion.accuracy()},
        balanced{"balanced accuracy", j.confusion.balanced_accuracy()}, loss{"validation loss", j.loss};
    if (options.by_loss) return {loss, plain};
    if (options.balanced) return {balanced, plain, loss};
    return {plain, loss};
  };
  return program.fit(params, pick(all.lengths, all.split.train), step_of(all, scores, options), validate,
                     {.maximize = !options.by_loss});
}

void write_confusion(const Program& program, const spool::Confusion& confusion,
                     const std::vector<std::string>& names) {
  const bool few = names.size() <= 20;
  spool::HeatMapOptions options{.title = "which class is taken for which",
                                .x_label = "predicted",
                                .y_label = "actual",
                                .row_labels = names,
                                .column_labels = names,
                                .low = 0,
                                .high = 1,
                                .numbers = names.size() <= 10,
                                .width = few ? 640 : 960,
                                .height = few ? 560 : 880};
  spool::write_file(program.file("confusion.svg"), spool::heat_map(confusion.shares(), options));
  fmt::print("\nwhich class is taken for which: {}\n", program.file("confusion.svg"));
}

void report_classes(const Program& program, const Classes& all, const std::vector<Candidate>& candidates) {
  std::vector<Row> rows;
  std::vector<spool::Confusion> taken;
  for (const Candidate& c : candidates) {
    const auto& confusion = taken.emplace_back(judge(all, all.split.test, c.scores).confusion);
    rows.push_back({c.name, {confusion.accuracy(), confusion.balanced_accuracy()}});
  }
  rows.push_back({"always the most frequent class",
                  {taken[0].most_frequent(), 1.0 / static_cast<double>(all.names.size())}});
  print_table({fmt::format("{} test examples of {} classes", all.split.test.size(), all.names.size()),
               "accuracy", "balanced accuracy"},
              rows);
  write_confusion(program, taken[0], all.names);
}

int print_likeliest(const Program& program, const std::function<Var(Tape&, const std::string&)>& scores) {
  const std::vector<std::string> names = lines_of(program.fact("classes"));
  for (const std::string& word : program.words()) {
    Tape tape;
    const Tensor p = tape.read(spool::softmax(scores(tape, word)));
    check_finite(p);
    std::vector<std::size_t> order(names.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, std::greater{}, [&](std::size_t c) { return p.at(c); });
    fmt::print("{}:", word);
    for (std::size_t k = 0; k < std::min<std::size_t>(3, order.size()); ++k)
      fmt::print("  {} {:.2f}", names[order[k]], p.at(order[k]));
    fmt::print("\n");
  }
  return 0;
}

namespace {

// The features of each example as numbers from 1, and how many there are.
std::pair<std::vector<std::vector<int>>, std::int64_t> numbered(
    const std::vector<std::vector<std::string>>& features, const spool::Split& split) {
  std::unordered_map<std::string, int> numbers;
  std::vector<std::vector<int>> all(features.size());
  for (const std::size_t i : split.train)
    for (const std::string& f : features[i]) numbers.emplace(f, static_cast<int>(numbers.size()) + 1);
  for (std::size_t i = 0; i < features.size(); ++i)
    for (const std::string& f : features[i])
      if (const auto found = numbers.find(f); found != numbers.end()) all[i].push_back(found->second);
  return {std::move(all), std::ssize(numbers)};
}

// The mean row of each series, with mean 0 and deviation 1 of each of its numbers over the training part.
Tensor mean_rows(const std::vector<Tensor>& rows, const spool::Split& split) {
  const std::int64_t N = std::ssize(rows), D = rows.at(0).shape()[1];
  Tape tape;
  Tensor means({N, D});
  for (std::size_t i = 0; i < rows.size(); ++i) {
    tape.clear();
    const Tensor m = tape.read(spool::mean(tape.input(rows[i]), 0));
    std::ranges::copy(m.as<float>(), means.as<float>().begin() + static_cast<std::ptrdiff_t>(i) * D);
  }
  tape.clear();
  std::vector<int> ids(split.train.begin(), split.train.end());
  const Var all = tape.input(means);
  const Var train = spool::take_rows(all, tape.tokens({std::ssize(ids)}, ids));
  const Var middle = spool::mean(train, 0);
  return tape.read((all - middle) / sqrt(spool::mean(square(train - middle), 0) + 1e-6));
}

// A baseline, silently: 15 epochs, and 2,000 steps at least.
void fit_baseline(const spool::Params& params, const Classes& all, const Scores& scores,
                  const ClassifyOptions& options) {
  const std::int64_t batches = (std::ssize(all.split.train) + 31) / 32;
  fit_quietly(params, pick(all.lengths, all.split.train), step_of(all, scores, options),
              std::max<std::int64_t>(15, (2000 + batches - 1) / batches));
}

}  // namespace

Bags::Bags(const std::vector<std::vector<std::string>>& features, const Classes& all,
           const ClassifyOptions& options)
    : Bags(numbered(features, all.split), all, options) {}

Bags::Bags(std::pair<std::vector<std::vector<int>>, std::int64_t> numbered, const Classes& all,
           const ClassifyOptions& options)
    : numbers_(std::move(numbered.first)),
      weights_(spool::Init{}.named("weights"), numbered.second + 1, std::ssize(all.names),
               {.padding_idx = 0}),
      bias_(spool::Init{}.param("bias", {std::ssize(all.names)}, spool::fill::zeros())) {
  for (spool::Param p : weights_.parameters()) p.assign(Tensor(p.shape()));
  fit_baseline(spool::parameters(weights_, bias_), all, scores(), options);
}

Scores Bags::scores() const {
  return [this](Tape& tape, std::span<const std::size_t> chosen, bool) {
    const spool::PaddedIds x = spool::pad(numbers_, chosen);
    return spool::sum(weights_(tape.tokens(x.shape, x.ids)), 0) + tape.param(bias_);
  };
}

Means::Means(const std::vector<Tensor>& rows, const Classes& all, const ClassifyOptions& options)
    : means_(mean_rows(rows, all.split)), head_({.seed = 1}, means_.shape()[1], std::ssize(all.names)) {
  fit_baseline(head_.parameters(), all, scores(), options);
}

Scores Means::scores() const {
  return [this](Tape& tape, std::span<const std::size_t> chosen, bool) {
    const std::int64_t D = means_.shape()[1];
    Tensor x({std::ssize(chosen), D});
    for (std::size_t k = 0; k < x.size(); ++k) {
      const std::size_t width = static_cast<std::size_t>(D);
      x.set(k, means_.at(chosen[k / width] * width + k % width));
    }
    return head_(tape.input(x));
  };
}

}  // namespace examples
