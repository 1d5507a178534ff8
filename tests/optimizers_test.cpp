// The update rules: PyTorch's trajectories, convergence, limits of options, making one by name, and a rule
// of the user's own.
#include <spool/spool.hpp>

#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <memory>

#include "catch.hpp"
#include "reference.hpp"

using namespace spool;

namespace {

using Maker = std::function<std::unique_ptr<Optimizer>(Params)>;

template <class Named>
Maker maker(typename Named::Options options) {
  return [options](Params params) { return std::make_unique<Named>(std::move(params), options); };
}

Param weight(std::initializer_list<double> values, DType dtype = DType::f64) {
  return Param("w", Tensor({static_cast<std::int64_t>(values.size())}, values, dtype));
}

}  // namespace

TEST_CASE("updates are those of PyTorch") {
  const auto ref = Reference::open("ref_torch/optimizers.json");
  if (!ref) return;
  const std::vector<std::pair<std::string, Maker>> cases{
      {"sgd", maker<Sgd>({.lr = 0.1})},
      {"sgd_momentum", maker<Sgd>({.lr = 0.1, .momentum = 0.9})},
      {"sgd_nesterov_wd", maker<Sgd>({.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01, .nesterov = true})},
      {"sgd_dampening", maker<Sgd>({.lr = 0.1, .momentum = 0.9, .dampening = 0.5})},
      {"adam", maker<Adam>({.lr = 0.01})},
      {"adam_amsgrad_wd", maker<Adam>({.lr = 0.01, .weight_decay = 0.02, .amsgrad = true})},
      {"adamw", maker<AdamW>({.lr = 0.01, .weight_decay = 0.1})},
      {"rmsprop", maker<RmsProp>({.lr = 0.01})},
      {"rmsprop_centered_momentum",
       maker<RmsProp>({.lr = 0.01, .alpha = 0.9, .momentum = 0.9, .centered = true})},
      {"adagrad", maker<Adagrad>({.lr = 0.1, .lr_decay = 0.01, .weight_decay = 0.01})},
      {"adadelta", maker<Adadelta>({})},
      {"adamax", maker<Adamax>({.lr = 0.01})},
      {"nadam", maker<NAdam>({.lr = 0.01})},
      {"radam", maker<RAdam>({.lr = 0.01})},
      {"rprop", maker<Rprop>({})},
  };
  CHECK(cases.size() == ref->keys("results").size());
  const Tensor grads = ref->tensor("grads");
  const std::int64_t steps = grads.shape()[0], n = grads.shape()[1];
  for (const auto& [name, make] : cases) {
    const Param w("w", ref->tensor("p0"));
    const auto optimizer = make({w});
    std::vector<double> trajectory;
    for (std::int64_t t = 0; t < steps; ++t) {
      const auto row =
          grads.as<double>().subspan(static_cast<std::size_t>(t * n), static_cast<std::size_t>(n));
      optimizer->apply(std::vector{Tensor({n}, row, DType::f64)});
      for (double v : w.value().doubles()) trajectory.push_back(v);
    }
    check_close(name, Tensor({steps, n}, trajectory), ref->tensor("results/" + name + "/trajectory"), 1e-9,
                0);
  }
}

TEST_CASE("every optimizer goes down a convex bowl, in float and double") {
  for (const DType dtype : {DType::f32, DType::f64})
    for (const std::string_view name : optimizer_names()) {
      const Param w = weight({2, -1, 0.5}, dtype);
      const double lr = name == "adadelta" ? 1 : 0.02;
      const auto optimizer = make_optimizer(name, {w}, {.lr = lr});
      Tape tape(dtype);
      const Var v = tape.param(w);
      const Var scales = tape.input(Tensor({3}, {1, 3, 0.5}));
      const Var loss = sum(scales * v * v);
      double before = tape.value(loss);
      for (int i = 0; i < 5; ++i) {
        for (int j = 0; j < 20; ++j) optimizer->step(loss);
        tape.run({loss});
        INFO(name << " after " << (i + 1) * 20 << " steps");
        const double now = tape.value(loss);
        CHECK((now < before || now < 1e-10));
        before = now;
      }
    }
}

TEST_CASE("an optimizer by name takes the common options") {
  const Param w = weight({1});
  CHECK(make_optimizer("adamw", {w})->name() == "AdamW");
  CHECK(make_optimizer("adamw", {w})->lr() == 1e-3);
  CHECK(make_optimizer("sgd", {w}, {.lr = 0.5, .momentum = 0.8})->momentum() == 0.8);
  CHECK_FALSE(make_optimizer("adagrad", {w})->momentum().has_value());
  CHECK_THROWS_WITH(make_optimizer("adm", {w}),
                    "make_optimizer: there is no optimizer \"adm\"; choose from adadelta, adagrad, adam, "
                    "adamax, adamw, nadam, radam, rmsprop, rprop, sgd");
  CHECK_THROWS_WITH(make_optimizer("adam", {w}, {.momentum = 0.9}),
                    "make_optimizer: only sgd and rmsprop have a momentum");
}

TEST_CASE("the variance of a constant gradient is 0, never below") {
  const Param w = weight({1, 1, 1}, DType::f32);
  RmsProp rmsprop({w}, {.lr = 0, .centered = true});
  for (int i = 0; i < 3000; ++i) rmsprop.apply(std::vector{Tensor({3}, {0.1, 0.3, 0.7})});
  CHECK(w.value() == Tensor({3}, {1, 1, 1}));
}

TEST_CASE("options out of range are refused") {
  const Params w{weight({1})};
  CHECK_THROWS_WITH(Sgd(w, {.lr = -1}), "Sgd: lr is -1; it must be a finite number of at least 0");
  CHECK_THROWS_WITH(Sgd(w, {.lr = std::nan("")}), "Sgd: lr is nan; it must be a finite number of at least 0");
  CHECK_THROWS_WITH(Sgd(w, {.momentum = 0.9, .dampening = 0.1, .nesterov = true}),
                    "Sgd: dampening is 0.1; it must be 0 with nesterov");
  CHECK_THROWS_WITH(Sgd(w, {.nesterov = true}), "Sgd: momentum is 0; it must be above 0 with nesterov");
  CHECK_THROWS_WITH(Adam(w, {.betas = {1, 0.999}}), "Adam: betas[0] is 1; it must be in [0, 1)");
  CHECK_THROWS_WITH(NAdam(w, {.betas = {0.9, -0.1}}), "NAdam: betas[1] is -0.1; it must be in [0, 1)");
  CHECK_THROWS_WITH(AdamW(w, {.weight_decay = -0.01}),
                    "AdamW: weight_decay is -0.01; it must be a finite number of at least 0");
  CHECK_THROWS_WITH(RmsProp(w, {.alpha = 1.5}), "RmsProp: alpha is 1.5; it must be in [0, 1)");
  CHECK_THROWS_WITH(Adadelta(w, {.rho = -1}), "Adadelta: rho is -1; it must be in [0, 1)");
  CHECK_THROWS_WITH(Adagrad(w, {.lr_decay = -1}),
                    "Adagrad: lr_decay is -1; it must be a finite number of at least 0");
  CHECK_THROWS_WITH(Rprop(w, {.etas = {0.5, 0.9}}), "Rprop: etas[1] is 0.9; it must be above 1");
}

namespace {

// Chen et al. 2023, algorithm 2: the sign of a mix of momentum and gradient.
struct LionOptions {
  double lr = 1e-4;
  std::array<double, 2> betas{0.9, 0.99};
  double weight_decay = 0;
};
constexpr UpdateRule<LionOptions> lion_rule{
    .name = "Lion",
    .buffers = [](const LionOptions&) -> std::vector<Optimizer::Buffer> { return {{"exp_avg"}}; },
    .decoupled_decay = true,
    .update =
        []<class T>(const LionOptions& o, const Update<T>& u) {
          const T lr = static_cast<T>(o.lr), decay = static_cast<T>(o.weight_decay);
          const T b1 = static_cast<T>(o.betas[0]), b2 = static_cast<T>(o.betas[1]);
          T* const m = u.buffers[0];
          for (std::size_t i = 0; i < u.w.size(); ++i) {
            const T c = b1 * m[i] + (1 - b1) * u.g[i];
            u.w[i] -= lr * (std::copysign(T{1}, c) + decay * u.w[i]);
            m[i] = b2 * m[i] + (1 - b2) * u.g[i];
          }
        },
};
using Lion = OptimizerOf<lion_rule>;

}  // namespace

TEST_CASE("updates have the same bits with any number of threads") {
  const auto train = [](std::string_view name, int threads) {
    set_threads(threads);
    const Params params{Param("a", Tensor({300, 301})), Param("not reached", Tensor({70'000})),
                        Param("b", Tensor({5})), Param("c", Tensor({17, 4001}))};
    for (Param p : params) {
      const std::span<float> w = p.edit().as<float>();
      for (std::size_t i = 0; i < w.size(); ++i) w[i] = static_cast<float>(i * 37 % 101) / 64 - 0.5F;
    }
    const auto optimizer = make_optimizer(name, params, {.weight_decay = 0.01});
    optimizer->set_clip({.max_norm = 0.5});
    for (int step = 1; step <= 3; ++step) {
      Tape tape;
      Var loss = tape.constant(0);
      for (const std::size_t k : {0U, 2U, 3U}) loss = loss + sum(square(sin(tape.param(params[k]) * step)));
      optimizer->step(loss);
    }
    std::vector<Tensor> values;
    for (const Param& p : params) values.push_back(p.value());
    return std::pair(values, optimizer->last().grad_norm);
  };
  for (const std::string_view name : optimizer_names()) {
    CAPTURE(name);
    const auto [one, norm] = train(name, 1);
    CHECK(norm > 1);
    CHECK(one[0].at(1) != 37.0 / 64 - 0.5);
    CHECK(one[1].at(1) == 37.0 / 64 - 0.5);
    for (const int threads : {2, 3}) {
      const auto [several, norm_too] = train(name, threads);
      CHECK(several == one);
      CHECK(norm_too == norm);
    }
  }
  set_threads(0);
}

TEST_CASE("a user's own rule has groups, state and limits like any other") {
  const Param w = weight({1, -1});
  Lion lion({w}, {.lr = 0.25, .weight_decay = 1});
  lion.apply(std::vector{Tensor({2}, {3, -0.5}, DType::f64)});
  CHECK(w.value() == Tensor({2}, {0.5, -0.5}, DType::f64));
  CHECK(lion.state().tensor("0.w.exp_avg").at(0) == Approx(0.03));
  CHECK_THROWS_WITH(Lion({w}, {.lr = -1}), "Lion: lr is -1; it must be a finite number of at least 0");
}
