// CTC against the sum over all alignments written out, and at its edges: lengths, repeats, targets that do
// not fit, empty ones, data out of range.
#include <spool/spool.hpp>

#include "catch.hpp"

#include <cmath>
#include <limits>
#include <random>

using namespace spool;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

using Labels = std::vector<int>;

Labels collapsed(const Labels& path, int blank) {
  Labels out;
  for (std::size_t t = 0; t < path.size(); ++t)
    if (path[t] != blank && (t == 0 || path[t] != path[t - 1])) out.push_back(path[t]);
  return out;
}

// -log p(target) and its gradient for one sequence of T frames, from every one of the C^T paths.
struct Enumerated {
  double loss;
  std::vector<double> grad;  // [T,C]
};

Enumerated enumerate(const std::vector<double>& log_p, std::size_t frames, int classes, const Labels& target,
                     int blank) {
  const auto at = [&](std::size_t t, int c) {
    return t * static_cast<std::size_t>(classes) + static_cast<std::size_t>(c);
  };
  double total = 0;
  std::vector<double> through(log_p.size(), 0);
  Labels path(frames, 0);
  for (;;) {
    if (collapsed(path, blank) == target) {
      double p = 1;
      for (std::size_t t = 0; t < frames; ++t) p *= std::exp(log_p[at(t, path[t])]);
      total += p;
      for (std::size_t t = 0; t < frames; ++t) through[at(t, path[t])] += p;
    }
    std::size_t t = 0;
    while (t < frames && ++path[t] == classes) path[t++] = 0;
    if (t == frames) break;
  }
  for (double& g : through) g = total > 0 ? -g / total : 0;
  return {-std::log(total), through};
}

struct Batch {
  std::int64_t frames = 0, classes = 0;
  std::vector<Labels> targets;
  std::vector<int> lengths;
  int blank = 0;
};

// log_softmax of random numbers, row by row: [T,B,C].
std::vector<double> random_log_probs(std::size_t rows, std::size_t classes, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<double> p(rows * classes);
  for (std::size_t r = 0; r < rows; ++r) {
    double total = 0;
    for (std::size_t c = 0; c < classes; ++c) {
      p[r * classes + c] = static_cast<double>(random() % 1000) / 250.0;
      total += std::exp(p[r * classes + c]);
    }
    for (std::size_t c = 0; c < classes; ++c) p[r * classes + c] -= std::log(total);
  }
  return p;
}

std::vector<int> padded(const std::vector<Labels>& targets, std::size_t width, int padding) {
  std::vector<int> all;
  for (Labels row : targets) {
    row.resize(width, padding);
    all.insert(all.end(), row.begin(), row.end());
  }
  return all;
}

void check_against_enumeration(const Batch& in, std::vector<double> log_p) {
  const auto batch = static_cast<std::int64_t>(in.targets.size());
  const auto size = static_cast<std::size_t>(batch), classes = static_cast<std::size_t>(in.classes);
  std::size_t width = 0;
  std::vector<int> counts;
  for (const Labels& t : in.targets) {
    counts.push_back(static_cast<int>(t.size()));
    width = std::max(width, t.size());
  }
  Tape tape(DType::f64);
  const Var p = tape.input(Tensor({in.frames, batch, in.classes}, log_p));
  const Var targets = tape.tokens({batch, static_cast<std::int64_t>(width)}, padded(in.targets, width, -7));
  const Var loss = ctc_loss(p, targets, tape.tokens({batch}, in.lengths), tape.tokens({batch}, counts),
                            {.blank = in.blank, .reduction = Reduction::none});
  const Var g = grad(sum(loss), p);
  tape.run({loss, g});
  for (std::size_t b = 0; b < size; ++b) {
    const auto frames = static_cast<std::size_t>(in.lengths[b]);
    std::vector<double> own;
    for (std::size_t t = 0; t < frames; ++t)
      for (std::size_t c = 0; c < classes; ++c) own.push_back(log_p[(t * size + b) * classes + c]);
    const Enumerated want = enumerate(own, frames, static_cast<int>(in.classes), in.targets[b], in.blank);
    INFO("sequence " << b);
    const double got = tape.read(loss).at(b);
    if (std::isinf(want.loss))
      CHECK(got == inf);
    else
      CHECK(got == Approx(want.loss).epsilon(1e-12).margin(1e-13));
    for (std::size_t t = 0; t < static_cast<std::size_t>(in.frames); ++t)
      for (std::size_t c = 0; c < classes; ++c)
        CHECK(tape.read(g).at((t * size + b) * classes + c) ==
              Approx(t < frames ? want.grad[t * classes + c] : 0.0).epsilon(1e-11).margin(1e-13));
  }
}

}  // namespace

TEST_CASE("CTC is the sum over all alignments") {
  const std::vector<Labels> targets = {{1}, {1, 2}, {1, 1}, {2, 2, 1}, {1, 2, 1}, {}, {2, 2, 2}, {1, 2, 2}};
  for (int frames = 0; frames <= 6; ++frames) {
    INFO(frames << " frames");
    const Batch in{6, 3, targets, std::vector<int>(targets.size(), frames)};
    check_against_enumeration(in, random_log_probs(6 * targets.size(), 3, 17));
  }
}

TEST_CASE("CTC takes another blank, ragged batches and classes of probability 0") {
  const Batch in{5, 4, {{0, 1}, {2, 2}, {}, {1, 0, 1, 2}}, {5, 4, 3, 5}, 3};
  auto p = random_log_probs(5 * 4, 4, 3);
  check_against_enumeration(in, p);
  for (std::size_t i = 0; i < p.size(); i += 5) p[i] = -inf;
  check_against_enumeration(in, p);
}

TEST_CASE("CTC of a batch of nothing, and of targets of width 0") {
  Tape tape(DType::f64);
  const Var none = tape.tokens({0}, {});
  const Var loss = ctc_loss(tape.input(Tensor({4, 0, 3}, DType::f64)), tape.tokens({0, 2}, {}), none, none);
  CHECK(tape.value(loss) == 0);
  const auto p = random_log_probs(4, 3, 5);
  check_against_enumeration({4, 3, {{}}, {4}}, p);
}

namespace {

// Two sequences of two frames; the second's target needs three.
struct Infeasible {
  Tape tape{DType::f64};
  Var p = tape.input(Tensor({2, 2, 3}, random_log_probs(4, 3, 11)));
  Var targets = tape.tokens({2, 2}, std::vector<int>{1, 2, 1, 1});
  Var two = tape.tokens({2}, std::vector<int>{2, 2});
};

}  // namespace

TEST_CASE("a target that does not fit costs infinity, or nothing, and has gradients of 0") {
  Infeasible f;
  for (const bool zero : {false, true}) {
    const Var each =
        ctc_loss(f.p, f.targets, f.two, f.two, {.reduction = Reduction::none, .zero_infinity = zero});
    const Var g = grad(sum(each), f.p);
    const Var gg = grad(sum(g * g), f.p);
    f.tape.run({each, g, gg});
    CHECK(std::isfinite(f.tape.read(each).at(0)));
    CHECK(f.tape.read(each).at(1) == (zero ? 0 : inf));
    for (std::size_t i = 0; i < 12; ++i) {
      CHECK(std::isfinite(f.tape.read(g).at(i)));
      CHECK(std::isfinite(f.tape.read(gg).at(i)));
      if (i / 3 % 2 == 1) CHECK(f.tape.read(g).at(i) == 0);
    }
  }
}

TEST_CASE("CTC reductions") {
  Tape tape(DType::f64);
  const Var p = tape.input(Tensor({4, 3, 3}, random_log_probs(12, 3, 2)));
  const Var targets = tape.tokens({3, 2}, std::vector<int>{1, 2, 2, 0, 0, 0});
  const Var lengths = tape.tokens({3}, std::vector<int>{4, 4, 4});
  const Var counts = tape.tokens({3}, std::vector<int>{2, 1, 0});
  const auto loss = [&](Reduction r) { return ctc_loss(p, targets, lengths, counts, {.reduction = r}); };
  const auto each = tape.read(loss(Reduction::none)).doubles();
  CHECK(tape.value(loss(Reduction::sum)) == Approx(each[0] + each[1] + each[2]));
  CHECK(tape.value(loss(Reduction::batch_mean)) == Approx((each[0] + each[1] + each[2]) / 3));
  CHECK(tape.value(loss(Reduction::mean)) == Approx((each[0] / 2 + each[1] + each[2]) / 3));
}

TEST_CASE("targets and lengths of CTC may change between runs of one tape") {
  Tape tape(DType::f64);
  const auto log_p = random_log_probs(5, 3, 4);
  const Var p = tape.input(Tensor({5, 1, 3}, log_p));
  const Var targets = tape.input({1, 2}), lengths = tape.input({1}), counts = tape.input({1});
  const Var loss = ctc_loss(p, targets, lengths, counts, {.reduction = Reduction::sum});
  for (const Labels& target : {Labels{1, 2}, Labels{2, 2}, Labels{1}})
    for (const int frames : {3, 4, 5}) {
      tape.set(targets, padded({target}, 2, 0));
      tape.set(lengths, std::vector<int>{frames});
      tape.set(counts, std::vector<int>{static_cast<int>(target.size())});
      const std::vector<double> own(log_p.begin(), log_p.begin() + frames * 3);
      CHECK(tape.value(loss) ==
            Approx(enumerate(own, static_cast<std::size_t>(frames), 3, target, 0).loss).epsilon(1e-12));
    }
}

TEST_CASE("CTC keeps its precision over a thousand frames") {
  // Uniform frames over 2 classes and one label: the paths of 0s, 1s, 0s with at least one 1 are T (T+1) / 2.
  constexpr int T = 1000;
  Tape tape(DType::f64);
  const Var p = tape.constant(std::log(0.5), {T, 1, 2});
  const Var loss = ctc_loss(p, tape.tokens({1, 1}, std::vector<int>{1}),
                            tape.tokens({1}, std::vector<int>{T}), tape.tokens({1}, std::vector<int>{1}));
  CHECK(tape.value(loss) == Approx(T * std::log(2.0) - std::log(T * (T + 1) / 2.0)).epsilon(1e-13));
}

TEST_CASE("CTC names the data it refuses") {
  const auto text = [](std::vector<int> targets, std::vector<int> lengths, std::vector<int> counts) {
    Tape tape(DType::f64);
    const Var p = tape.input(Tensor({4, 2, 3}, DType::f64));
    const Var loss =
        ctc_loss(p, tape.tokens({2, 2}, targets), tape.tokens({2}, lengths), tape.tokens({2}, counts));
    try {
      tape.run({loss});
    } catch (const TapeError& e) {
      return std::string(e.what()).substr(0, std::string(e.what()).find('\n'));
    }
    return std::string("no error");
  };
  CHECK(text({1, 2, 2, 3}, {4, 4}, {2, 2}) == "ctc_labels: target 3 at position 3 is outside 0..2");
  CHECK(text({1, 2, 0, 1}, {4, 4}, {2, 1}) == "ctc_labels: target 0 at position 2 is the blank");
  CHECK(text({1, 2, 1, 2}, {4, 5}, {2, 2}) == "ctc_labels: input length 5 at position 1 is outside 0..4");
  CHECK(text({1, 2, 1, 2}, {4, 4}, {3, 2}) == "ctc_labels: target length 3 at position 0 is outside 0..2");
  CHECK(text({1, 2, 99, 99}, {4, 4}, {2, 0}) == "no error");
}

TEST_CASE("CTC names the shapes it refuses") {
  Tape tape(DType::f64);
  const auto zeros = [&](const Shape& s) { return tape.input(Tensor(s, DType::f64)); };
  const Var p = zeros({4, 2, 3}), targets = zeros({2, 2}), lengths = zeros({2});
  const auto text = [&](auto f) {
    try {
      f();
    } catch (const ShapeError& e) {
      return std::string(e.what()).substr(0, std::string(e.what()).find('\n'));
    }
    return std::string("no error");
  };
  CHECK(text([&] { ctc_loss(targets, targets, lengths, lengths); }) ==
        "ctc_loss: log_probs must be [T, B, C]");
  CHECK(text([&] { ctc_loss(p, p, lengths, lengths); }) == "ctc_loss: targets must be [B, S]");
  CHECK(text([&] { ctc_loss(p, targets, lengths, targets); }) == "ctc_loss: lengths must be [B]");
  CHECK(text([&] { ctc_loss(p, targets, lengths, lengths, {.blank = 3}); }) ==
        "ctc_loss: blank 3 is no class of 3");
}

TEST_CASE("greedy decoding merges repeats and drops blanks") {
  const auto frames = [](const std::vector<Labels>& best) {  // [T][B] -> [T,B,3]
    const auto steps = best.size(), batch = best[0].size();
    Tensor p({static_cast<std::int64_t>(steps), static_cast<std::int64_t>(batch), 3});
    for (std::size_t t = 0; t < steps; ++t)
      for (std::size_t b = 0; b < batch; ++b)
        p.set((t * batch + b) * 3 + static_cast<std::size_t>(best[t][b]), 1);
    return p;
  };
  const Tensor p = frames({{1, 0}, {1, 2}, {0, 2}, {1, 0}, {2, 0}});
  CHECK(ctc_greedy_decode(p) == std::vector<Labels>{{1, 1, 2}, {2}});
  CHECK(ctc_greedy_decode(p, std::vector<int>{2, 1}) == std::vector<Labels>{{1}, {}});
  CHECK(ctc_greedy_decode(p, {}, 2) == std::vector<Labels>{{1, 0, 1}, {0, 0}});
  CHECK(ctc_greedy_decode(Tensor({0, 2, 3})) == std::vector<Labels>{{}, {}});
  CHECK_THROWS_WITH(ctc_greedy_decode(p, std::vector<int>{2, 6}),
                    "ctc_greedy_decode: length 6 is outside 0..5");
  CHECK_THROWS_WITH(ctc_greedy_decode(p, std::vector<int>{2}),
                    "ctc_greedy_decode: 1 lengths for 2 sequences");
  CHECK_THROWS_WITH(ctc_greedy_decode(Tensor({2, 3})),
                    "ctc_greedy_decode: needs [T, B, C], C > 0, not [2, 3]");
}
