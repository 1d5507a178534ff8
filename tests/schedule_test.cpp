// Schedules: PyTorch's values step by step (tests/golden, written by tools/golden_schedules.py), combining,
// saving, and the texts of errors.
#include <spool/spool.hpp>

#include <boost/json.hpp>

#include <cmath>
#include <fstream>
#include <sstream>

#include "catch.hpp"

using namespace spool;

namespace {

Param scalar(const char* name) { return Param(name, Tensor({1}, {1})); }

const boost::json::object& golden() {
  static const boost::json::value all = [] {
    std::ifstream in("tests/golden/schedules.json");
    std::ostringstream text;
    text << in.rdbuf();
    return boost::json::parse(text.str());
  }();
  return all.as_object();
}

std::vector<std::vector<double>> rows(const char* name) {
  return boost::json::value_to<std::vector<std::vector<double>>>(golden().at(name));
}

Sgd two_groups(double first = 0.5, double second = 0.02) {
  return Sgd(
      {{{scalar("a")}, {.lr = first, .momentum = 0.9}}, {{scalar("b")}, {.lr = second, .momentum = 0.9}}});
}

void check_row(Optimizer& optimizer, const std::vector<double>& row) {
  CHECK(optimizer.lr(0) == Approx(row[0]).epsilon(1e-9).margin(1e-15));
  CHECK(optimizer.lr(1) == Approx(row[1]).epsilon(1e-9).margin(1e-15));
  if (row.size() > 2) CHECK(*optimizer.momentum() == Approx(row[2]).epsilon(1e-9));
}

void check_schedule(const char* name, const Curve& curve, Optimizer& optimizer) {
  INFO(name);
  Schedule schedule(optimizer, curve);
  for (const auto& row : rows(name)) {
    INFO("step " << schedule.steps());
    check_row(optimizer, row);
    schedule.step();
  }
}

}  // namespace

TEST_CASE("schedules give PyTorch's rates") {
  const std::pair<const char*, Curve> cases[]{
      {"step", step_decay(7, 0.3)},
      {"multi_step", multi_step({3, 8, 8, 20}, 0.5)},
      {"exponential", exponential(0.9)},
      {"cosine", cosine({.steps = 30, .eta_min = 0.001})},
      {"cosine_past_end", cosine({.steps = 12})},
      {"restarts", cosine_restarts({.steps = 4, .mult = 2, .eta_min = 0.001})},
      {"restarts_equal", cosine_restarts({.steps = 7})},
      {"linear", linear(10, 0.25, 0.75)},
      {"warm_up_cosine", warm_up(5, cosine({.steps = 25, .eta_min = 0.001}), 0.1)},
      {"warm_up_step", warm_up(5, step_decay(6, 0.5), 0.1)},
  };
  for (const auto& [name, curve] : cases) {
    Sgd sgd = two_groups();
    check_schedule(name, curve, sgd);
  }
}

TEST_CASE("one-cycle gives PyTorch's rates and momentum") {
  Adam adam({{{scalar("a")}, {.lr = 2}}, {{scalar("b")}, {.lr = 0.1}}});
  check_schedule("one_cycle", one_cycle({.steps = 30}), adam);
  const double end = adam.lr();
  CHECK(end == Approx(2 / 25.0 / 1e4));  // one step past the end: the last rate stays
  Sgd sgd = two_groups(2, 0.1);
  check_schedule("one_cycle_linear",
                 one_cycle({.steps = 25,
                            .pct_start = 0.4,
                            .anneal = Anneal::linear,
                            .base_momentum = 0.8,
                            .max_momentum = 0.9,
                            .div_factor = 10,
                            .final_div_factor = 100}),
                 sgd);
  Adam three({{{scalar("a")}, {.lr = 2}}, {{scalar("b")}, {.lr = 0.1}}});
  check_schedule("one_cycle_three_phases", one_cycle({.steps = 30, .pct_start = 0.35, .three_phase = true}),
                 three);
}

TEST_CASE("one-cycle copes with phases of no length") {
  for (std::int64_t steps : {1, 2, 3})
    for (double part : {0.0, 0.5, 1.0})
      for (bool three : {false, true}) {
        const Curve curve = one_cycle({.steps = steps, .pct_start = part, .three_phase = three});
        for (std::int64_t t = 0; t < steps + 2; ++t) {
          INFO(steps << " steps, part " << part << ", t " << t);
          CHECK(curve(t, 1).lr >= 0);
          CHECK(curve(t, 1).lr <= 1);
        }
      }
}

TEST_CASE("reduce on plateau gives PyTorch's rates") {
  const auto metrics = boost::json::value_to<std::vector<double>>(golden().at("metrics"));
  const std::pair<const char*, PlateauOptions> cases[]{
      {"plateau", {.factor = 0.5, .patience = 2}},
      {"plateau_cooldown", {.patience = 1, .threshold = 0.1, .cooldown = 3, .min_lr = 1e-3}},
      {"plateau_max_abs",
       {.maximize = true, .factor = 0.2, .patience = 3, .threshold = 0.3, .relative = false}},
  };
  for (const auto& [name, options] : cases) {
    Sgd sgd = two_groups();
    ReduceOnPlateau plateau(sgd, options);
    const auto want = rows(name);
    for (std::size_t i = 0; i < metrics.size(); ++i) {
      INFO(name << " value " << i);
      plateau.step(metrics[i]);
      check_row(sgd, want[i]);
    }
  }
}

TEST_CASE("a schedule goes on from its saved state") {
  const Curve curve = warm_up(3, one_cycle({.steps = 10}));
  Sgd whole = two_groups(), resumed = two_groups(7, 7);
  Schedule a(whole, curve), b(resumed, curve);
  for (int i = 0; i < 6; ++i) a.step();
  b.load_state(a.state());
  for (int i = 0; i < 4; ++i) {
    CHECK(resumed.lr(0) == whole.lr(0));
    CHECK(resumed.lr(1) == whole.lr(1));
    CHECK(resumed.momentum() == whole.momentum());
    a.step();
    b.step();
  }
  Sgd one({scalar("a")});
  Schedule other(one, exponential(0.5));
  CHECK_THROWS_WITH(other.load_state(a.state()),
                    "this saved state: it is the state of a schedule of 2 groups, not of 1");
  CHECK_THROWS_AS(other.load_state({}), FileError);
}

TEST_CASE("reduce on plateau goes on from its saved state") {
  Sgd whole({scalar("a")}, {.lr = 1}), resumed({scalar("a")}, {.lr = 1});
  const PlateauOptions options{.factor = 0.5, .patience = 1, .cooldown = 1};
  ReduceOnPlateau a(whole, options), b(resumed, options);
  b.load_state(a.state());
  CHECK_FALSE(b.best().has_value());
  const double values[]{std::nan(""), 3, 3, 4, 4, 4, 2, 5, 5, 5};
  for (int i = 0; i < 5; ++i) a.step(values[i]);
  resumed.load_state(whole.state());
  b.load_state(a.state());
  CHECK(b.best() == 3);
  for (int i = 5; i < 10; ++i) {
    a.step(values[i]);
    b.step(values[i]);
    CHECK(resumed.lr() == whole.lr());
  }
  CHECK(whole.lr() < 0.5);
  CHECK_THROWS_AS(b.load_state({}), FileError);
}

TEST_CASE("a user's own curve") {
  Sgd sgd({scalar("a")}, {.lr = 3});
  Schedule schedule(sgd,
                    [](std::int64_t t, double base) { return Rates{base / static_cast<double>(t + 1)}; });
  schedule.step();
  schedule.step();
  CHECK(sgd.lr() == 1);
}

TEST_CASE("a curve that is no function is refused at once") {
  Sgd sgd({Param("w", Tensor({1}))});
  CHECK_THROWS_WITH(Schedule(sgd, Curve{}),
                    "Schedule: the curve is an empty function; make one, such as exponential(0.9)");
  CHECK_THROWS_WITH(warm_up(3, Curve{}),
                    "warm_up: the curve is an empty function; make one, such as exponential(0.9)");
}

TEST_CASE("mistakes in schedules are named") {
  CHECK_THROWS_WITH(cosine({.steps = 0}), "cosine: steps is 0; it must be at least 1");
  CHECK_THROWS_WITH(step_decay(-1), "step_decay: every is -1; it must be at least 1");
  CHECK_THROWS_WITH(exponential(-0.5),
                    "exponential: gamma is -0.5; it must be a finite number of at least 0");
  CHECK_THROWS_WITH(warm_up(0, exponential(1)), "warm_up: steps is 0; it must be at least 1");
  CHECK_THROWS_WITH(cosine_restarts({.mult = 0}), "cosine_restarts: mult is 0; it must be at least 1");
  CHECK_THROWS_WITH(one_cycle({.pct_start = 1.5}), "one_cycle: pct_start is 1.5; it must be in [0, 1]");
  CHECK_THROWS_WITH(one_cycle({.max_momentum = 1}), "one_cycle: max_momentum is 1; it must be in [0, 1)");
  Adagrad adagrad({scalar("a")});
  CHECK_THROWS_WITH(Schedule(adagrad, one_cycle({.steps = 5})),
                    "Schedule: Adagrad has no momentum to change; make it with one above 0, or say "
                    ".cycle_momentum = false");
  CHECK(adagrad.lr() == 1e-2);
  CHECK_THROWS_WITH(ReduceOnPlateau(adagrad, {.factor = 1}),
                    "ReduceOnPlateau: factor is 1; it must be in [0, 1)");
}
