// Random programs of matrices and of tensors of rank 3, with all that can share, overlap and be read twice:
// each runs planned and plain, in checkpoints, on several threads, and again after more was recorded.
#include <spool/graph/plan/plan.hpp>
#include <spool/graph/run/executor.hpp>
#include <spool/graph/run/team.hpp>
#include <spool/spool.hpp>

#include <functional>
#include <random>
#include <vector>

#include "catch.hpp"
#include "plan_difference.hpp"

using namespace spool;

namespace {

struct Kind {
  std::int64_t scale = 1;    // of all sizes
  bool checkpoints = false;  // some steps lie in checkpoints, and those in others
};

// A program drawn by seed: its loss, gradients, and some of its values. What comes later also reads what lies
// inside of checkpoints.
class Program {
 public:
  Program(Tape& t, std::uint32_t seed, const Kind& kind = {})
      : t_(t), random_(seed * 77 + 5), segments_(seed), kind_(kind) {
    for (int i = 0; i < 4; ++i) values_.push_back(fresh({size(), size()}));
    record(8 + static_cast<int>(below(16)));
  }

  void record(int steps) {
    while (steps > 0) {
      const int inside = kind_.checkpoints && segments_() % 3 == 0 ? static_cast<int>(segments_() % 6) : 0;
      const auto some = [&](Var a) {
        values_.push_back(step(a));
        record(std::min(inside, steps) - 1);
        return values_.back();
      };
      const Var a = pick();
      inside > 0 ? checkpoint(some, a) : some(a);
      steps -= std::max(1, std::min(inside, steps));
    }
  }

  Vars wanted() {
    Var loss = sum(tanh(values_.back()));
    for (int i = 0; i < 3; ++i) loss = loss + mean(tanh(pick()));
    if (!others_.empty()) loss = loss + mean(tanh(pick(others_)));
    Vars all = grad(loss, leaves_);
    all.push_back(loss);
    for (const Var& v : some()) all.push_back(v);
    return all;
  }

  Vars some() {
    Vars all;
    for (int i = 0; i < 4; ++i) all.push_back(pick());
    for (int i = 0; i < 2 && !others_.empty(); ++i) all.push_back(pick(others_));
    return all;
  }

  // Other numbers for all inputs.
  void set(double seed) {
    for (const Var& v : leaves_) t_.set(v, numbers(v.shape(), seed += 0.1));
  }

  // What is recorded from now on may read these.
  void add(const Vars& values) {
    for (const Var& v : values) (v.shape().rank() == 2 ? values_ : others_).push_back(v);
  }

 private:
  std::int64_t below(std::int64_t n) { return static_cast<std::int64_t>(random_()) % n; }
  std::int64_t size() { return kind_.scale * (1 + below(6)); }
  Var pick(const Vars& from) {
    return from[static_cast<std::size_t>(below(static_cast<std::int64_t>(from.size())))];
  }
  Var pick() { return pick(values_); }
  Var fresh(const Shape& s) {
    leaves_.push_back(t_.input(numbers(s, static_cast<double>(leaves_.size()))));
    return leaves_.back();
  }
  // A value that fits, or one made for it.
  Var like(const std::function<bool(const Shape&)>& fits, const Shape& otherwise) {
    for (int i = 0; i < 12; ++i) {
      Var v = pick();
      if (below(3) == 0) v = transpose(v);
      if (fits(v.shape())) return v;
    }
    return fresh(otherwise);
  }
  Var like(const Shape& shape) {
    return like([&](const Shape& s) { return s == shape; }, shape);
  }
  Var kept(Var v) {  // others may read it
    add({v});
    return v;
  }
  Var product(std::int64_t m, std::int64_t n) {
    const std::int64_t k = 3 * kind_.scale;
    return matmul(fresh({m, k}), fresh({k, n}));
  }
  std::int64_t divisor(std::int64_t n) {
    std::int64_t d = 1 + below(n);
    while (n % d != 0) --d;
    return d;
  }

  Var step(Var a) {
    switch (below(28)) {
      case 22:
      case 23:
        return views(a);
      case 24:
        return sums(a);
      case 25:
      case 26:
      case 27:
        return matrix(kept(cube(a)));
      default:
        return below(2) == 0 ? of_rows(a) : simple(a);
    }
  }

  Var simple(Var a) {
    const std::int64_t m = a.shape()[0], n = a.shape()[1];
    const std::int64_t i = below(m), j = below(n);
    switch (below(12)) {
      case 0:
        return tanh(a);
      case 1:
        return sigmoid(a) * a;
      case 2:
      case 3:
        return 0.5 * matmul(a, like([&](const Shape& s) { return s[0] == n; }, {n, size()}));
      case 4:
        return a + like(a.shape());
      case 5:
        return slice(a, 0, i, i + 1 + below(m - i));
      case 6:
        return slice(a, 1, j, j + 1 + below(n - j));
      case 7: {
        const auto few = [&](const Shape& s) { return s[1] == n && s[0] < 5 * kind_.scale; };
        return m > 8 * kind_.scale ? a : concat({a, like(few, {2, n})}, 0);
      }
      case 8:
        return n > 8 * kind_.scale ? a : concat({slice(a, 1, j, n), a}, 1);
      case 9:
        return transpose(a);
      case 10: {
        std::vector<int> rows(static_cast<std::size_t>(kind_.scale * (2 + below(12))));
        for (int& r : rows) r = static_cast<int>(below(m));
        return take_rows(a, t_.tokens({static_cast<std::int64_t>(rows.size())}, rows));
      }
      default:
        return a + slice(a, 0, 0, 1);
    }
  }

  // Gates, and what is computed for each row.
  Var of_rows(Var a) {
    const std::int64_t m = a.shape()[0], n = a.shape()[1], j = below(n);
    switch (below(9)) {
      case 0: {  // products added to parts of one value
        const Var u = tanh(concat({a, a * 0.5}, static_cast<int>(below(2))));
        const std::int64_t rows = u.shape()[0], half = (rows + 1) / 2;
        const Var w = fresh({3, u.shape()[1]});
        kept(matmul(fresh({half, 3}), w) + slice(u, 0, 0, half));
        return half < rows ? matmul(fresh({rows - half, 3}), w) + slice(u, 0, half, rows) : u;
      }
      case 1:
        return a - mean(a, {1}, true);
      case 2:
        return layer_norm(a, 1, fresh({n}), fresh({n}));
      case 3: {  // one number of each row, which others may read
        const Var each = kept(tanh(sum(a * a, {1}, true)) + 0.5);
        return a * each * sigmoid(each);
      }
      case 4:
        return exp(a - max(a, {1}, true)) / sum(exp(a - max(a, {1}, true)), {1}, true);
      case 5:  // rows of other lengths
        return tanh(sum(a, {1}, true)) * like([&](const Shape& s) { return s[0] == m; }, {m, size()});
      case 6:
        return sum(a, {1}, true) * sum(tanh(a), {0}, true);
      case 7: {
        const Var u = a * tanh(a), part = sigmoid(slice(u, 1, 0, j + 1)) * 0.5;
        const Var joined = concat({part, tanh(slice(u, 1, j, n)), part}, 1);
        if (below(2) == 0) kept(part);
        return n > 12 * kind_.scale ? part : joined;
      }
      default:
        return n > 12 * kind_.scale ? a : concat({tanh(a), a * mean(a, {1}, true), sum(a, {1}, true) * 2}, 1);
    }
  }

  // The same elements in other shapes, one made of another, and any of them read by others.
  Var views(Var a) {
    if (below(2) == 0)
      a = matmul(a, like([&](const Shape& s) { return s[0] == a.shape()[1]; }, {a.shape()[1], size()})) * 0.5;
    const std::int64_t n = a.shape().size(), d = divisor(n);
    Var v = reshape(a, {n});
    if (below(2) == 0) kept(v);
    if (below(3) == 0) v = kept(reshape(v, {d, 1, n / d}));
    if (below(4) == 0) v = tanh(v);
    v = reshape(v, {n / d, d});
    if (below(2) == 0) kept(a);
    if (below(3) == 0) return v;
    const Var sum = v + product(n / d, d);
    return below(2) == 0 ? sum : sum + product(n / d, d) + like(v.shape());
  }

  // Products that are added up, and are read by others before and after.
  Var sums(Var a) {
    const std::int64_t m = a.shape()[0], n = a.shape()[1];
    Var sum = below(2) == 0 ? a : product(m, n);
    for (std::int64_t i = 2 + below(3); i > 0; --i) {
      Var more = below(3) == 0 ? transpose(product(n, m)) : product(m, n);
      if (below(3) == 0) more = kept(more);
      if (below(4) == 0) more = kept(slice(concat({more, more}, 0), 0, m / 2, m / 2 + m));
      sum = below(2) == 0 ? sum + more : more + sum;
      if (below(2) == 0) kept(sum);
    }
    return below(2) == 0 ? sum : sum - sum * tanh(sum);
  }

  // Of rank 3: one that there is, or the elements of a, or rows of it.
  Var cube(Var a) {
    const std::int64_t m = a.shape()[0], n = a.shape()[1];
    Var c;
    for (int i = 0; i < 4 && !others_.empty() && !c.valid(); ++i)
      if (const Var v = pick(others_); v.shape().rank() == 3) c = v;
    if (!c.valid() || below(3) == 0) {
      const std::int64_t d = divisor(n);
      const auto any = [&] { return static_cast<int>(below(m)); };
      switch (below(3)) {
        case 0:
          c = reshape(a, {m, n / d, d});
          break;
        case 1:
          c = stack({a, like(a.shape())}, static_cast<int>(below(3)));
          break;
        default:
          c = take_rows(a, t_.tokens({2, 3}, {any(), any(), any(), any(), any(), any()}));
      }
    }
    return in_cube(below(2) == 0 ? in_cube(c) : c);
  }

  Var in_cube(Var c) {
    const int axis = static_cast<int>(below(3));
    const std::int64_t n = c.shape()[axis], last = c.shape()[2], i = below(n);
    const bool large = c.shape().size() > 100 * kind_.scale * kind_.scale;
    switch (below(10)) {
      case 0:
        return tanh(c) * c;
      case 1:
        return permute(c, {axis, (axis + 1) % 3, (axis + 2) % 3});
      case 2:
        return transpose(c);
      case 3:
        return 0.5 * matmul(c, like([&](const Shape& s) { return s[0] == last; }, {last, size()}));
      case 4:
        return large ? sum(c, {axis}, true) : tanh(matmul(c, transpose(c)));
      case 5:
        return c - mean(c, {axis}, true);
      case 6:
        return slice(c, axis, i, i + 1 + below(n - i));
      case 7:
        return large ? slice(c, axis, 0, 1) : concat({tanh(c), c}, axis);
      case 8:
        return layer_norm(c, 1, fresh({last}));
      default:
        return c + reshape(product(c.shape()[0] * c.shape()[1], last), c.shape());
    }
  }

  Var matrix(Var c) {
    const int axis = static_cast<int>(below(3));
    switch (below(4)) {
      case 0:
        return select(c, axis, below(c.shape()[axis]));
      case 1:
        return sum(c, {axis});
      case 2:
        return reshape(c, {c.shape()[0], c.shape()[1] * c.shape()[2]});
      default:
        return reshape(permute(c, {1, 0, 2}), {c.shape()[0] * c.shape()[1], c.shape()[2]});
    }
  }

  Tape& t_;
  std::mt19937 random_, segments_;
  Kind kind_;
  Vars values_, others_, leaves_;  // values_ are matrices, others_ are of other ranks
};

// What a plan gives twice, one run after the other in the same memory.
std::vector<std::vector<double>> twice(Tape& tape, const Vars& wanted, run::Team* team) {
  const plan::Plan plan = plan::make_plan(tape, wanted, {.hand_out = true});
  run::Executor<double> executor;
  run::PlanMemory<double> memory;
  std::vector<std::vector<double>> all;
  for (int run = 0; run < 2; ++run) {
    const std::size_t before = all.size();
    for (const Var& v : wanted) all.emplace_back(static_cast<std::size_t>(v.shape().size()));
    executor.run(plan, memory, tape, team, [&](std::size_t i) { return all[before + i].data(); });
  }
  return all;
}

constexpr double tolerance = 1e-9;

}  // namespace

TEST_CASE("random programs run the same planned and plain") {
  for (std::uint32_t seed = 0; seed < 400; ++seed)
    for (const char* passes : {"", "-select", "-place", "-sums,-fuse"}) {
      if (seed % 4 != 0 && *passes != '\0') continue;
      INFO("seed " << seed << ", passes " << passes);
      CHECK(difference([&](Tape& t) { return Program(t, seed).wanted(); }, passes) < tolerance);
    }
}

TEST_CASE("random programs in random checkpoints run the same planned as without them plain") {
  for (std::uint32_t seed = 0; seed < 400; ++seed)
    for (const char* passes : {"", "plain", "-select", "-place", "-group", "-sums,-fuse", "-sink"}) {
      if (seed % 4 != 0 && *passes != '\0') continue;
      INFO("seed " << seed << ", passes " << passes);
      CHECK(difference([&](Tape& t) { return Program(t, seed).wanted(); }, passes,
                       [&](Tape& t) { return Program(t, seed, {.checkpoints = true}).wanted(); }) <
            tolerance);
    }
}

TEST_CASE("random programs that run on other data, are read beside a run, and go on, from gradients too") {
  for (std::uint32_t seed = 1000; seed < 1100; ++seed)
    for (const char* passes : {"", "-sums", "-place,-group", "-fuse", "-reuse"}) {
      if (seed % 5 != 0 && *passes != '\0') continue;
      Tape plain({.dtype = DType::f64, .plan = "plain"}), planned({.dtype = DType::f64, .plan = passes});
      Program slow(plain, seed), fast(planned, seed);
      for (int round = 0; round < 3; ++round) {
        const Vars expected = slow.wanted(), got = fast.wanted();
        for (const double data : {0.5, 1.5}) {
          INFO("seed " << seed << ", passes " << passes << ", round " << round << ", data " << data);
          slow.set(data), fast.set(data);
          CHECK(difference(planned, got, plain, expected, 1) < tolerance);
          const Vars beside = slow.some(), same = fast.some();
          CHECK(difference_read(planned, same, plain, beside, 1) < tolerance);
        }
        slow.add(expected), fast.add(got);
        slow.record(4), fast.record(4);
      }
      CHECK(planned.run_stats().fallbacks == 0);
    }
}

TEST_CASE(
    "random programs of larger sizes give the same bits with one thread and with two, and in each run") {
  run::Team two(2);
  for (std::uint32_t seed = 2000; seed < 2012; ++seed) {
    INFO("seed " << seed);
    Tape tape(DType::f64);
    const Vars wanted = Program(tape, seed, {.scale = 12}).wanted();
    tape.run(wanted);
    std::vector<std::vector<double>> expected;
    for (int run = 0; run < 2; ++run)
      for (const Var& v : wanted) expected.push_back(tape.read(v).doubles());
    CHECK(twice(tape, wanted, nullptr) == expected);
    CHECK(twice(tape, wanted, &two) == expected);
  }
}
