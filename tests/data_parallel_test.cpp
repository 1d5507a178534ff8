// DataParallel: a batch in parts gives the update of the whole batch, the same bits for any number of
// threads, and errors that change nothing.
#include <spool/spool.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

#include "catch.hpp"

using namespace spool;

namespace {

struct Model {
  explicit Model(DType dtype = DType::f32)
      : lstm(Init{.seed = 3, .dtype = dtype}, {.input = 3, .hidden = 5}),
        head(Init{.seed = 4, .dtype = dtype}, 5, 2) {}

  // Of a sequence of `steps`, whose numbers depend on that.
  Var loss(Tape& tape, std::int64_t steps) const {
    Tensor xs({steps, 1, 3}, tape.dtype());
    xs.visit([&]<class T>(std::span<T> x) {
      for (std::size_t i = 0; i < x.size(); ++i)
        x[i] = static_cast<T>(static_cast<double>((i * 7 + static_cast<std::size_t>(steps)) % 11) / 5 - 1);
    });
    return mean(square(head(lstm.unroll(tape.input(xs)).ys)));
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

TEST_CASE("a program may end within any part") {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
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
