// DataParallel: a batch in parts gives the update of the whole batch, the same bits for any number of
// threads, and errors that change nothing.
#include <spool/spool.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

#include "catch.hpp"
#include "sanitizers.hpp"

using namespace spool;

namespace {

struct Model {
  explicit Model(DType dtype = DType::f32)
      : lstm(Init{.seed = 3, .dtype = dtype}, {.input = 3, .hidden = 5}),
        head(Init{.seed = 4, .dtype = dtype}, 5, 2) {}

  // They depend on the length of the sequence.
  static Tensor numbers(const Shape& shape, DType dtype) {
    Tensor xs(shape, dtype);
    const auto steps = static_cast<std::size_t>(shape[0]);
    for (std::size_t i = 0; i < xs.size(); ++i) xs.set(i, static_cast<double>((i * 7 + steps) % 11) / 5 - 1);
    return xs;
  }
  Var loss(Tape& tape, std::int64_t steps) const {
    const Var xs = tape.input(numbers({steps, 1, 3}, tape.dtype()));
    return mean(square(head(lstm.unroll(xs).ys)));
  }
  Var losses(Tape& tape, std::initializer_list<std::int64_t> all) const {
    Var sum;
    for (const std::int64_t steps : all) sum = sum.valid() ? sum + loss(tape, steps) : loss(tape, steps);
    return sum;
  }
  Params params() const { return parameters(lstm, head); }

  Lstm lstm;
  Linear head;
};

std::vector<Tensor> values(const Model& m) {
  std::vector<Tensor> all;
  for (const Param& p : m.params()) all.push_back(p.value());
  return all;
}

// The parameters after some steps on three parts, and the losses.
std::pair<std::vector<Tensor>, std::vector<double>> trained(int threads) {
  set_threads(threads);
  const Model m;
  Adam adam(m.params());
  DataParallel parts(adam, 3);
  std::vector<double> losses;
  for (int step = 0; step < 4; ++step)
    losses.push_back(parts.step([&](Tape& tape, int part) { return m.loss(tape, 3 + part + step); }));
  set_threads(0);
  return {values(m), losses};
}

}  // namespace

TEST_CASE("parts of a batch give the update of all of it") {
  const Model whole(DType::f64), split(DType::f64);
  Sgd a(whole.params(), {.lr = 0.5}), b(split.params(), {.lr = 0.5});
  DataParallel parts(b, 2, {.dtype = DType::f64});
  CHECK(parts.parts() == 2);
  for (int step = 0; step < 3; ++step) {
    Tape tape(DType::f64);
    const Var loss = whole.losses(tape, {4, 7, 5, 9});
    a.step(loss);
    const double sum = parts.step(
        [&](Tape& t, int part) {
          return part == 0 ? split.losses(t, {4, 7}) : split.losses(t, {5, 9});
        },
        Accumulated::sum);
    CHECK(sum == Approx(tape.value(loss)).epsilon(1e-12));
    CHECK(b.last().grad_norm == Approx(a.last().grad_norm).epsilon(1e-12));
  }
  const auto expected = values(whole), got = values(split);
  for (std::size_t i = 0; i < got.size(); ++i)
    for (std::size_t k = 0; k < got[i].size(); ++k)
      CHECK(got[i].at(k) == Approx(expected[i].at(k)).epsilon(1e-10).margin(1e-12));
}

TEST_CASE("the mean of parts is a part of the sum") {
  const Model m(DType::f64);
  Sgd sgd(m.params(), {.lr = 0});
  DataParallel parts(sgd, 4, {.dtype = DType::f64});
  const auto loss = [&](Tape& tape, int part) { return m.loss(tape, 2 + part); };
  const double sum = parts.step(loss, Accumulated::sum), norm = sgd.last().grad_norm;
  CHECK(parts.step(loss) == Approx(sum / 4));
  CHECK(sgd.last().grad_norm == Approx(norm / 4));
  CHECK(parts.tape(3).run_stats().runs == 2);
}

TEST_CASE("the number of threads changes no bit of parts") {
  const auto one = trained(1);
  CHECK(trained(2) == one);
  CHECK(trained(5) == one);
}

TEST_CASE("parts draw numbers of their own") {
  const Param w("w", Tensor({64}));
  Sgd sgd({w}, {.lr = 0});
  DataParallel parts(sgd, 2, {.seed = 5});
  std::vector<Var> losses(2);
  parts.step([&](Tape& tape, int part) {
    return losses[static_cast<std::size_t>(part)] = sum(tape.param(w) + uniform(tape, {64}));
  });
  CHECK(parts.tape(0).value(losses[0]) != parts.tape(1).value(losses[1]));
}

TEST_CASE("a parameter that one part alone depends on") {
  const Param w("w", Tensor({1}, {2.0})), v("v", Tensor({1}, {3.0})), unused("unused", Tensor({1}, {5.0}));
  Sgd sgd({w, v, unused}, {.lr = 1});
  DataParallel parts(sgd, 2);
  parts.step([&](Tape& tape, int part) { return sum(tape.param(part == 0 ? w : v)); }, Accumulated::sum);
  CHECK(w.value().at(0) == 1);
  CHECK(v.value().at(0) == 2);
  CHECK(unused.value().at(0) == 5);
}

TEST_CASE("a parameter that no part depends on is left alone") {
  const Param w("w", Tensor({1}, {2.0})), unused("unused", Tensor({1}, {5.0}));
  AdamW adam({w, unused}, {.lr = 0.1, .weight_decay = 0.5});
  DataParallel parts(adam, 2);
  parts.step([&](Tape& tape, int) { return sum(tape.param(w)); });
  CHECK(unused.value().at(0) == 5);
  CHECK(adam.last().unreached == std::vector<std::string>{"unused"});
}

TEST_CASE("parameters of another precision than the tapes of the parts") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Param w("w", Tensor({2}, {2.0, 3.0}, dtype));
    Sgd sgd({w}, {.lr = 0.25});
    DataParallel parts(sgd, 2, {.dtype = dtype == DType::f32 ? DType::f64 : DType::f32});
    parts.step([&](Tape& tape, int) { return sum(square(tape.param(w))); });
    CHECK(w.value() == Tensor({2}, {1.0, 1.5}, dtype));
  }
}

TEST_CASE("a parameter that became another shape") {
  Param w("w", Tensor({9}));
  Sgd sgd({w});
  DataParallel parts(sgd, 2);
  w.edit() = Tensor({2});
  CHECK_THROWS_WITH(parts.step([&](Tape& tape, int) { return sum(tape.param(w)); }),
                    "Sgd: parameter \"w\" was f32 [9] and is now f32 [2]; make a new optimizer for it");
}

TEST_CASE("parts that fail change nothing, and the first one says why") {
  const Param w("w", Tensor({1}, {2.0}));
  Sgd sgd({w}, {.lr = 1});
  CHECK_THROWS_WITH(DataParallel(sgd, 0), "DataParallel: 0 parts; there must be at least one");
  DataParallel parts(sgd, 3);
  CHECK_THROWS_WITH(parts.tape(3), "DataParallel: there is no part 3 of 3");
  const auto fails = [&](int first) {
    return [&w, first](Tape& tape, int part) {
      if (part >= first) throw std::runtime_error("part " + std::to_string(part));
      return sum(tape.param(w));
    };
  };
  CHECK_THROWS_WITH(parts.step(fails(1)), "part 1");
  Tape other;
  CHECK_THROWS_WITH(
      parts.step([&](Tape& tape, int part) { return sum((part == 2 ? other : tape).param(w)); }),
      "DataParallel: the loss of part 2 is not on that part's tape");
  CHECK_THROWS_WITH(parts.step([](Tape&, int) { return Var{}; }),
                    "DataParallel: the loss of part 0 is not on that part's tape");
  CHECK_THROWS_WITH(parts.step([](Tape& tape, int) { return sum(tape.input(Tensor({2}))); }),
                    "DataParallel: no part's loss depends on any parameter, so there is nothing to learn");
  CHECK_THROWS_AS(parts.step([&](Tape& tape, int) { return tape.param(w) * 2; }), ShapeError);
  CHECK(w.value().at(0) == 2);
  parts.step([&](Tape& tape, int) { return sum(tape.param(w)); });
  CHECK(w.value().at(0) == 1);
}

namespace {

// What a part gives beside its loss.
struct More {
  Lstm::State next;
  Var last, count;
};

// Steps of two streams, a part each, that go on from window to window; what the parts gave, and the weights.
std::vector<Tensor> streamed(int threads) {
  set_threads(threads);
  const Model m(DType::f64);
  Sgd sgd(m.params(), {.lr = 0.2});
  DataParallel parts(sgd, 2, {.dtype = DType::f64});
  std::vector carried(2, m.lstm.zero_state(1));
  std::vector<Tensor> all;
  for (int step = 0; step < 3; ++step) {
    const auto [loss, out] = parts.step([&](Tape& tape, int part) {
      const Var xs = tape.input(m.numbers({3 + part, 1, 3}, tape.dtype()));
      const auto [ys, next] = m.lstm.unroll(xs, carried[static_cast<std::size_t>(part)].on(tape));
      const Var scores = m.head(ys);
      return std::pair(mean(square(scores)), More{next, select(scores, 0, -1), sum(gt(scores, 0))});
    });
    all.push_back(Tensor({}, {loss}, DType::f64));
    for (int p = 0; p < 2; ++p) {
      const More& more = out[static_cast<std::size_t>(p)];
      carried[static_cast<std::size_t>(p)].read(more.next);
      all.push_back(parts.tape(p).read(more.last));
      all.push_back(parts.tape(p).read(more.count));
    }
  }
  for (const auto& c : carried) all.insert(all.end(), c.values().begin(), c.values().end());
  for (const Tensor& t : values(m)) all.push_back(t);
  set_threads(0);
  return all;
}

// The same with one tape for all.
std::vector<Tensor> streamed_on_one_tape() {
  const Model m(DType::f64);
  Sgd sgd(m.params(), {.lr = 0.2});
  Tape tape(DType::f64);
  std::vector carried(2, m.lstm.zero_state(1));
  std::vector<Tensor> all;
  for (int step = 0; step < 3; ++step) {
    tape.clear();
    Var loss = tape.constant(0);
    std::vector<More> out;
    for (int p = 0; p < 2; ++p) {
      const Var xs = tape.input(m.numbers({3 + p, 1, 3}, tape.dtype()));
      const auto [ys, next] = m.lstm.unroll(xs, carried[static_cast<std::size_t>(p)].on(tape));
      const Var scores = m.head(ys);
      loss = loss + mean(square(scores)) / 2;
      out.push_back({next, select(scores, 0, -1), sum(gt(scores, 0))});
    }
    sgd.step(loss, out);
    all.push_back(tape.read(loss));
    for (std::size_t p = 0; p < 2; ++p) {
      carried[p].read(out[p].next);
      all.push_back(tape.read(out[p].last));
      all.push_back(tape.read(out[p].count));
    }
  }
  for (const auto& c : carried) all.insert(all.end(), c.values().begin(), c.values().end());
  for (const Tensor& t : values(m)) all.push_back(t);
  return all;
}

}  // namespace

TEST_CASE("parts give more than their losses, of the run before the update") {
  const auto expected = streamed_on_one_tape(), got = streamed(1);
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO("value " << i);
    REQUIRE(got[i].shape() == expected[i].shape());
    for (std::size_t k = 0; k < got[i].size(); ++k)
      CHECK(got[i].at(k) == Approx(expected[i].at(k)).epsilon(1e-10).margin(1e-12));
  }
  CHECK(streamed(2) == got);
  CHECK(streamed(5) == got);
}

TEST_CASE("what parts give beside their losses must be on their tapes") {
  const Param w("w", Tensor({1}, {2.0}));
  Sgd sgd({w}, {.lr = 1});
  DataParallel parts(sgd, 2);
  Tape other;
  const Var elsewhere = other.constant(1);
  const auto step = [&](const Var& more) {
    return parts.step([&](Tape& tape, int) { return std::pair(sum(tape.param(w)), more); });
  };
  CHECK_THROWS_WITH(step(elsewhere), "run: the Var belongs to another tape");
  CHECK_THROWS_WITH(step({}), "run: the Var is empty; it refers to no tape");
  CHECK(w.value().at(0) == 2);
  const auto [loss, squares] = parts.step(
      [&](Tape& tape, int part) {
        const Var v = tape.param(w) * (part + 1);
        return std::pair(sum(v), v * v);
      },
      Accumulated::sum);
  CHECK(loss == 6);
  CHECK(w.value().at(0) == -1);
  CHECK(parts.tape(0).read(squares[0]).at(0) == 4);
  CHECK(parts.tape(1).read(squares[1]).at(0) == 16);
  parts.step([&](Tape& tape, int) { return sum(tape.param(w)); });
  CHECK_THROWS_WITH(parts.tape(0).read(squares[0]), "read: the Var is stale; it was recorded before clear()");
}

TEST_CASE("a program may end within any part") {
#if defined(SPOOL_THREAD_SANITIZER) || defined(SPOOL_ADDRESS_SANITIZER)
  WARN("skipped: sanitizers look for more when a forked process ends");
  return;
#endif
  const Param w("w", Tensor({1}, {2.0}));
  Sgd sgd({w}, {.lr = 1});
  DataParallel parts(sgd, 2);
  set_threads(2);
  for (const int last : {0, 1}) {
    const pid_t child = fork();
    if (child == 0) {
      parts.step([&](Tape& tape, int part) {
        if (part == last) std::exit(7);
        return sum(tape.param(w));
      });
      _exit(0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 7));
  }
  set_threads(0);
}
