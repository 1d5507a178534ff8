// What all optimisers share: one run a step, accumulation, clipping, the guard against gradients that are not
// finite, groups, the saved state, and the texts of errors.
#include <spool/spool.hpp>

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "reference.hpp"

using namespace spool;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

Tensor vec(std::initializer_list<double> values, DType dtype = DType::f64) {
  return Tensor({static_cast<std::int64_t>(values.size())}, values, dtype);
}

// A tape with loss = mean((w * x - y)^2) for a parameter w and given data.
struct Fit {
  Fit(const Param& w, std::initializer_list<double> x, std::initializer_list<double> y) : tape(w.dtype()) {
    const Var e = tape.param(w) * tape.input(vec(x)) - tape.input(vec(y));
    loss = mean(e * e);
  }
  Tape tape;
  Var loss;
};

}  // namespace

TEST_CASE("one step is one run: the loss from before, the update, the next state") {
  const Param w("w", vec({1, 2}));
  Sgd sgd({w}, {.lr = 0.5});
  Fit fit(w, {1, 1}, {0, 0});
  struct State {
    Var h, c;
  };
  const Var h = fit.tape.param(w) * 3;
  const auto carried = sgd.step(fit.loss, State{h, fit.loss});
  CHECK(w.value() == vec({0.5, 1}));
  CHECK(fit.tape.value(fit.loss) == 2.5);
  CHECK(carried.values()[0] == vec({3, 6}));
  CHECK(carried.values()[1].item() == 2.5);
  CHECK(sgd.last().grad_norm == Approx(std::sqrt(5)));
  CHECK_FALSE(sgd.last().skipped);

  sgd.step(fit.loss);  // the same recording again, with the new weights
  CHECK(fit.tape.value(fit.loss) == 0.625);
  CHECK(w.value() == vec({0.25, 0.5}));
}

TEST_CASE("an optimizer takes a model in place of its parameters") {
  const Linear model({.seed = 1, .dtype = DType::f64}, 2, 1), same({.seed = 1, .dtype = DType::f64}, 2, 1);
  Adam by_model(model, {.lr = 0.5}), by_params(same.parameters(), {.lr = 0.5});
  for (const auto& [layer, adam] : {std::pair{&model, &by_model}, {&same, &by_params}}) {
    Tape tape(DType::f64);
    adam->step(sum((*layer)(tape.constant(1, {1, 2}))));
  }
  for (std::size_t i = 0; i < 2; ++i) CHECK(model.parameters()[i].value() == same.parameters()[i].value());
  CHECK(model.parameters()[0].value() !=
        Linear({.seed = 1, .dtype = DType::f64}, 2, 1).parameters()[0].value());
}

TEST_CASE("accumulated gradients give the update of the whole batch") {
  const Param whole("w", vec({1, -1})), parts("w", vec({1, -1}));
  Adam a({whole}), b({parts});
  Fit all(whole, {3, 4}, {1, 2});
  a.step(all.loss);

  const auto part = [&](double x, double y, std::int64_t i) {
    Tape tape(DType::f64);
    const Var e = select(tape.param(parts), 0, i) * x - y;
    b.accumulate(e * e);
    CHECK(tape.size() > 0);
  };
  part(3, 1, 0);
  part(4, 2, 1);
  b.apply();
  CHECK(parts.value().at(0) == Approx(whole.value().at(0)).epsilon(1e-14));
  CHECK(parts.value().at(1) == Approx(whole.value().at(1)).epsilon(1e-14));
  CHECK(b.last().grad_norm == Approx(a.last().grad_norm));
}

TEST_CASE("accumulated gradients may be summed or discarded") {
  const Param w("w", vec({1}));
  Sgd sgd({w}, {.lr = 1});
  Fit fit(w, {1}, {0});
  sgd.accumulate(fit.loss);
  sgd.discard();
  CHECK_THROWS_WITH(sgd.apply(), "Sgd: there are no gradients to apply; call accumulate(loss) first");
  sgd.accumulate(fit.loss);
  sgd.accumulate(fit.loss);
  CHECK_THROWS_WITH(
      sgd.state(), "Sgd: state: the gradients of 2 accumulate() calls wait; call apply() or discard() first");
  sgd.apply(Accumulated::sum);
  CHECK(w.value().item() == -3);

  sgd.accumulate(fit.loss);  // waits while gradients from elsewhere are applied
  sgd.apply(std::vector{vec({-4})});
  CHECK(w.value().item() == 1);
  sgd.apply();
  CHECK(w.value().item() == 7);
}

TEST_CASE("clipping by norm is PyTorch's") {
  const auto ref = Reference::open("ref_torch/clip_grad_norm.json");
  if (!ref) return;
  const std::tuple<std::string, double, double> cases[]{{"max1_norm2.0", 1, 2},
                                                        {"max100_norm2.0", 100, 2},
                                                        {"max1_norminf", 1, infinity},
                                                        {"max2_norm1.0", 2, 1}};
  CHECK(std::size(cases) == ref->keys("results").size());
  for (const auto& [name, max_norm, type] : cases) {
    std::vector<Tensor> grads{ref->tensor("grads/0"), ref->tensor("grads/1")};
    const std::string at = "results/" + name;
    CHECK(clip_grad_norm(grads, max_norm, type) == Approx(ref->number(at + "/total_norm")).epsilon(1e-12));
    check_close(name, grads[0], ref->tensor(at + "/clipped/0"), 1e-9, 0);
    check_close(name, grads[1], ref->tensor(at + "/clipped/1"), 1e-9, 0);
  }
}

TEST_CASE("clipping is right for huge and tiny gradients") {
  for (const auto& [dtype, size] : {std::pair{DType::f32, 1e20},
                                    {DType::f32, 1e-30},
                                    {DType::f64, 1e200},
                                    {DType::f64, 1e-200},
                                    {DType::f32, 3e38}}) {
    std::vector<Tensor> grads{vec({3 * size / 4, size}, dtype)};
    CHECK(grad_norm(grads) == Approx(1.25 * size).epsilon(1e-6));
    CHECK(clip_grad_norm(grads, 5) == Approx(1.25 * size).epsilon(1e-6));
    const double scale = size > 1 ? 4 / size : 1;
    CHECK(grads[0].at(0) == Approx(0.75 * size * scale).epsilon(1e-6));
    CHECK(grads[0].at(1) == Approx(size * scale).epsilon(1e-6));
  }
  CHECK(grad_norm(std::vector<Tensor>{}) == 0);
  CHECK(grad_norm(std::vector{vec({}), vec({0, 0})}) == 0);
  std::vector<Tensor> grads{vec({1, std::nan(""), 2})};
  CHECK(std::isnan(clip_grad_norm(grads, 0.1)));
  CHECK(grads[0].at(2) == 2);
}

TEST_CASE("clipping by value, and both, within a step") {
  std::vector<Tensor> grads{vec({-3, 0.5, 1e300}, DType::f64), vec({-infinity, 2}, DType::f32)};
  clip_grad_value(grads, 1.5);
  CHECK(grads[0] == vec({-1.5, 0.5, 1.5}));
  CHECK(grads[1] == vec({-1.5, 1.5}, DType::f32));

  const Param w("w", vec({0, 0}));
  Sgd sgd({w}, {.lr = 1});
  sgd.set_clip({.value = 4, .max_norm = 2.5});
  sgd.apply(std::vector{vec({-3, 100})});
  CHECK(w.value().at(0) == Approx(1.5));
  CHECK(w.value().at(1) == Approx(-2));
  CHECK(sgd.last().grad_norm == Approx(std::hypot(3, 100)));
  CHECK_THROWS_WITH(sgd.set_clip({.value = -1}), "clip: value is -1; it must be at least 0");
  CHECK_THROWS_WITH(sgd.set_clip({.max_norm = std::nan("")}), "clip: max_norm is nan; it must be at least 0");
  CHECK_THROWS_WITH(grad_norm(grads, 0), "clip: norm_type is 0; it must be above 0");
}

TEST_CASE("a gradient that is not finite is reported and changes nothing") {
  const Param a("a", vec({1, 2})), b("b", vec({3, 4}));
  Adam adam({a, b});
  adam.set_clip({.value = 1, .max_norm = 1});
  adam.apply(std::vector{vec({1, 1}), vec({1, 1})});
  const Tensor a_before = a.value(), b_before = b.value();
  const Snapshot before = adam.state();
  const std::uint64_t version = a.version();

  Tape tape(DType::f64);
  const Var x = tape.param(b) * tape.input(vec({0, 1}));
  adam.step(sum(tape.param(a)) + sum(log(x - x)));  // log 0: the gradient of b is infinite or NaN
  CHECK(adam.last().skipped);
  CHECK(adam.last().reason == "the gradient of \"b\" has 2 of 2 elements that are not finite");
  REQUIRE(adam.last().non_finite.size() == 1);
  CHECK(adam.last().non_finite[0].param == "b");
  CHECK(adam.last().non_finite[0].count == 2);
  CHECK_FALSE(std::isfinite(adam.last().grad_norm));
  CHECK(a.value() == a_before);
  CHECK(b.value() == b_before);
  CHECK(a.version() == version);
  CHECK(adam.state().tensors == before.tensors);
  CHECK(adam.state().counts == before.counts);

  adam.apply(std::vector{vec({1, 1}), vec({1e308, 1.7e308})});
  CHECK(adam.last().reason == "the norm of the gradients is too large for a double");
  adam.apply(std::vector{vec({1, 1}), vec({1, 1})});
  CHECK_FALSE(adam.last().skipped);
  CHECK(adam.last().non_finite.empty());
  CHECK(adam.state().count("0.a.step") == 2);
}

TEST_CASE("a parameter that the loss does not reach is left alone and named") {
  const Param used("used", vec({1})), idle("idle", vec({5}));
  Sgd sgd({used, idle}, {.lr = 0.1, .momentum = 0.9, .weight_decay = 0.1});
  Fit fit(used, {1}, {0});
  sgd.step(fit.loss);
  CHECK(sgd.last().unreached == std::vector<std::string>{"idle"});
  CHECK(idle.value().item() == 5);
  CHECK(used.value().item() == Approx(1 - 0.1 * (2 + 0.1)));
  CHECK(sgd.state().count("1.idle.step") == 0);
  CHECK(sgd.state().count("0.used.step") == 1);
}

TEST_CASE("groups have options of their own") {
  const Param a("a", vec({1})), b("b", vec({1})), c("c", vec({1}));
  Sgd sgd({{{a}, {.lr = 0.5}}, {{b, c}, {.lr = 0.25, .weight_decay = 1}}});
  CHECK(sgd.groups() == 2);
  CHECK(sgd.params() == Params{a, b, c});
  const std::vector<Tensor> ones{vec({1}), vec({1}), vec({1})};
  sgd.apply(ones);
  CHECK(a.value().item() == 0.5);
  CHECK(b.value().item() == 0.5);
  sgd.set_lr(0, 1);
  sgd.apply(ones);
  CHECK(a.value().item() == 0);
  CHECK(c.value().item() == 0.5);
  CHECK(sgd.options(1).weight_decay == 1);
  CHECK_THROWS_WITH(sgd.lr(2), "Sgd: there is no group 2 among 2");
  CHECK_THROWS_WITH(sgd.options(-1), "Sgd: there is no group -1 among 2");
  CHECK_THROWS_WITH(sgd.set_lr(-1), "Sgd: lr is -1; it must be a finite number of at least 0");
  CHECK_THROWS_WITH(sgd.set_momentum(0.5),
                    "Sgd: there is no momentum to set; choose an algorithm with momentum and make it with "
                    "one above 0");
  Adam adam({a});
  adam.set_momentum(0.8);
  CHECK(adam.options().betas[0] == 0.8);
  CHECK_THROWS_WITH(adam.set_momentum(1), "Adam: momentum is 1; it must be in [0, 1)");
}

TEST_CASE("training goes on from a saved state with the same bits") {
  for (const DType dtype : {DType::f32, DType::f64})
    for (const std::string_view name : optimizer_names()) {
      INFO(name);
      const auto train = [](Optimizer& optimizer, const Param& w, int begin, int end) {
        for (int t = begin; t < end; ++t) {
          Fit fit(w, {1, 2.0 + t, 0.3}, {0.5, -1, 2.0 / (t + 1)});
          optimizer.step(fit.loss);
        }
      };
      const Param straight("w", vec({1, 2, 3}, dtype));
      const auto whole = make_optimizer(name, {straight}, {.weight_decay = 0.01});
      train(*whole, straight, 0, 12);

      const Param w("w", vec({1, 2, 3}, dtype));
      const auto first = make_optimizer(name, {w}, {.weight_decay = 0.01});
      train(*first, w, 0, 5);
      const Snapshot saved = first->state();
      const Param resumed("w", w.value());
      const auto second = make_optimizer(name, {resumed}, {.lr = 7, .weight_decay = 0.01});
      second->load_state(saved);
      CHECK(second->lr() == first->lr());
      train(*second, resumed, 5, 12);
      CHECK(resumed.value() == straight.value());
    }
}

TEST_CASE("a state that does not fit is refused and changes nothing") {
  const Param a("a", vec({1, 2})), b("b", vec({3}));
  Adam adam({a, b});
  adam.apply(std::vector{vec({1, 1}), vec({1})});
  const Snapshot mine = adam.state();
  const auto refused = [&](const Snapshot& from, const std::string& text) {
    CHECK_THROWS_AS(adam.load_state(from), FileError);
    CHECK_THROWS_WITH(adam.load_state(from), text);
    CHECK(adam.state().tensors == mine.tensors);
    CHECK(adam.state().counts == mine.counts);
    CHECK(adam.state().numbers == mine.numbers);
  };
  refused(Sgd({a, b}).state(), "this saved state: it is the state of Sgd, not of Adam");
  refused(Adam({a}).state(), "this saved state: it is the state of 1 parameters, not of 2");
  refused(Adam({a, b}, {.amsgrad = true}).state(),
          "this saved state: it is the state of Adam with other options or groups");
  refused(Adam({{{a}, {.lr = 1}}, {{b}, {.lr = 1}}}).state(),
          "this saved state: it is the state of Adam with other options or groups");
  refused(Adam({b, a}).state(), "this saved state: there is no count \"0.a.step\"");
  refused(Adam({Param("a", vec({1, 2, 3})), b}).state(),
          "this saved state: \"0.a.exp_avg\" is f64 [3], not f64 [2]");
  Snapshot bad = mine;
  bad.numbers["group.0.lr"] = -1;
  refused(bad, "this saved state: \"group.0.lr\" is -1; it must be a finite number of at least 0");
  refused({}, "this saved state: there is no text \"algorithm\"");
}

TEST_CASE("mistakes are named") {
  const Param w("w", Tensor({2, 3}));
  CHECK_THROWS_WITH(Adam(Params{}), "Adam: the list of parameters is empty");
  CHECK_THROWS_WITH(Adam(std::vector<Adam::Group>{}), "Adam: the list of parameters is empty");
  CHECK_THROWS_WITH(Adam({{{w}, {.lr = 1}}, {{w}, {.lr = 2}}}), "Adam: parameter \"w\" is in the list twice");
  Adam adam({w});
  Tape tape;
  CHECK_THROWS_WITH(adam.step(tape.param(w)),
                    "grad: the loss must be a scalar, shape [], not [2, 3]; take its sum or mean");
  CHECK_THROWS_WITH(adam.step(sum(detach(tape.param(w)))),
                    "Adam: the loss depends on none of the parameters, so there is nothing to learn");
  CHECK_THROWS_WITH(adam.step(Var{}), "Adam: the Var is empty; it refers to no tape");
  CHECK_THROWS_WITH(adam.apply(std::vector{Tensor({3, 2})}),
                    "Adam: apply: the gradient of \"w\" must be [2, 3], not [3, 2]");
  CHECK_THROWS_AS(adam.apply(std::vector{Tensor({3, 2})}), ShapeError);
  CHECK_THROWS_WITH(adam.apply(std::vector<Tensor>{}), "Adam: apply: 0 gradients for 1 parameters");
  Param(w).edit() = Tensor({3});
  CHECK_THROWS_WITH(adam.apply(std::vector{Tensor({3})}),
                    "Adam: parameter \"w\" was f32 [2, 3] and is now f32 [3]; make a new optimizer for it");
}

TEST_CASE("float parameters take gradients of a double tape") {
  const Param w("w", vec({1, 2}, DType::f32));
  Sgd sgd({w}, {.lr = 0.5});
  Tape tape(DType::f64);
  const Var v = tape.param(w);
  sgd.step(sum(v * v));
  CHECK(w.value() == vec({0, 0}, DType::f32));
}
