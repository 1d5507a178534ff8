// Stepper: a step at a time gives what unroll gives, for any cell and state; what it computes once; what it
// allocates; what it refuses.
#include <spool/spool.hpp>

#include "catch.hpp"
#include "count_allocations.hpp"
#include "error_text.hpp"

#include <cmath>
#include <random>
#include <vector>

using namespace spool;

namespace {

Tensor random_tensor(const Shape& shape, DType dtype, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<double> normal;
  Tensor t(shape, dtype);
  for (std::size_t i = 0; i < t.size(); ++i) t.set(i, normal(engine));
  return t;
}

Tensor row(const Tensor& all, std::int64_t t) {
  const Shape shape = all.shape().with(0, 1);
  Tensor one(shape, all.dtype());
  for (std::size_t i = 0; i < one.size(); ++i)
    one.set(i, all.at(static_cast<std::size_t>(t) * one.size() + i));
  return one;
}

void check_close(const Tensor& a, const Tensor& b, double tolerance) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(a.at(i) - b.at(i)) <= tolerance);
  }
}

constexpr std::int64_t steps = 6;

// Sums of products are grouped in another way over a whole sequence: the results agree to a few roundings.
// Plainly run, they have the same bits.
double tolerance(DType dtype, bool plain) { return plain ? 0 : dtype == DType::f32 ? 2e-6 : 1e-14; }

template <class R>
void check_layers(const typename R::Options& options, std::int64_t batch, DType dtype, bool plain) {
  const R layer({.seed = 3}, options);
  const TapeOptions on{.dtype = dtype, .plan = plain ? "plain" : ""};
  const Tensor xs = random_tensor({steps, batch, options.input}, dtype, 5);
  Tape tape(on);
  const auto whole = layer.unroll(tape.input(xs), layer.zero_state(batch).on(tape), {.training = false});
  Vars wanted = flatten(whole.state);
  wanted.push_back(whole.ys);
  tape.run(wanted);

  Stepper stepper(
      Shape{1, batch, options.input}, layer.zero_state(batch),
      [&](Var x, const typename R::State& s) { return layer.unroll(x, s, {.training = false}); }, on);
  for (std::int64_t t = 0; t < steps; ++t)
    check_close(stepper.step(row(xs, t)), row(tape.read(whole.ys), t), tolerance(dtype, plain));
  const std::vector<Tensor> last = stepper.state().values();
  for (std::size_t i = 0; i < last.size(); ++i)
    check_close(last[i], tape.read(wanted[i]), tolerance(dtype, plain));
}

template <class R>
void check_layers(typename R::Options options) {
  options.input = 5;
  options.hidden = 7;
  for (const std::int64_t batch : {1, 2, 3})
    for (const DType dtype : {DType::f32, DType::f64})
      for (const bool plain : {false, true}) check_layers<R>(options, batch, dtype, plain);
}

// A user's cell: two parts that change places at every step, and a third that never changes.
struct Swapping {
  struct State {
    Var a;
    std::array<Var, 2> rest;
  };
  Param w{"w", random_tensor({4, 4}, DType::f32, 7)};

  State step(Var x, State s) const {
    return {s.rest[0], {s.a + tanh(matmul(x, x.tape().param(w)) * s.rest[1]), s.rest[1]}};
  }
  Var output(const State& s) const { return s.rest[0]; }
};

template <class C>
auto recorder(const C& cell) {
  return [&cell](Var x, const auto& state) { return step(cell, x, state); };
}

struct Model {
  std::int64_t vocabulary = 11;
  Embedding table{{.seed = 1}, 11, 6};
  Lstm lstm{{.seed = 2}, {.input = 6, .hidden = 8, .layers = 2}};
  Linear head{{.seed = 3}, 8, 11};

  Unrolled<Lstm::State> operator()(Var tokens, const Lstm::State& state) const {
    auto [ys, last] = lstm.unroll(table(tokens), state);
    return {head(ys), std::move(last)};
  }
  auto stepper(std::int64_t batch, TapeOptions options = {}) const {
    return Stepper(Shape{1, batch}, lstm.zero_state(batch), *this, std::move(options));
  }
};

template <class S>
Carried<S> carried(Tape& tape, const S& state) {
  tape.run(flatten(state));
  return Carried<S>(state);
}

}  // namespace

TEST_CASE("stepper: layers give what unroll gives") {
  check_layers<Rnn>({});
  check_layers<Lstm>({});
  check_layers<Gru>({});
  check_layers<Lstm>({.layers = 3, .residual = true});
  check_layers<Lstm>({.dropout = 0, .zoneout = {0.1, 0.2}, .cell = {.peepholes = true, .layer_norm = true}});
  check_layers<Lstm>({.layers = 2, .cell = {.proj = 4}});
}

TEST_CASE("stepper: a user's cell, whose parts of the state change places") {
  const Swapping cell;
  const Tensor xs = random_tensor({steps, 2, 4}, DType::f32, 1);
  Tape tape;
  const Swapping::State start{
      tape.input(random_tensor({2, 4}, DType::f32, 2)),
      {tape.input(random_tensor({2, 4}, DType::f32, 3)), tape.input(random_tensor({2, 4}, DType::f32, 4))}};
  const auto whole = unroll(cell, tape.input(xs), start);
  const auto first = carried(tape, start);
  for (const char* plan : {"", "plain"}) {
    Stepper stepper(Shape{2, 4}, first, recorder(cell), {.plan = plan});
    for (std::int64_t t = 0; t < steps; ++t)
      check_close(stepper.step(row(xs, t).reshaped({2, 4})), row(tape.read(whole.ys), t), 2e-6);
    CHECK(stepper.state().values()[2] == first.values()[2]);
  }
}

TEST_CASE("stepper: tokens through an embedding and a head; from any state") {
  const Model model;
  const std::vector<int> tokens{3, 0, 10, 7, 7, 1};
  Tape tape;
  const auto whole = model(tape.tokens({6, 1}, tokens), model.lstm.zero_state(1).on(tape));
  const Tensor scores = tape.read(whole.ys);
  for (const char* plan : {"", "plain", "-fuse,-group", "-sums", "-place"}) {
    CAPTURE(plan);
    auto stepper = model.stepper(1, {.plan = plan});
    std::vector<Tensor> seen;
    auto middle = stepper.state();
    for (std::size_t t = 0; t < tokens.size(); ++t) {
      if (t == 3) middle = stepper.state();
      seen.push_back(stepper.step(tokens[t]));
      check_close(seen.back(), row(scores, static_cast<std::int64_t>(t)), 2e-6);
    }
    stepper.set_state(middle);
    CHECK(stepper.step(std::vector<int>{tokens[3]}) == seen[3]);
    stepper.reset();
    CHECK(stepper.step(tokens[0]) == seen[0]);
    auto moved = std::move(stepper);
    CHECK(moved.step(tokens[1]) == seen[1]);
  }
}

TEST_CASE("stepper: rows of a batch are as if alone") {
  const Model model;
  auto together = model.stepper(3);
  auto alone = model.stepper(1);
  for (int t = 0; t < 4; ++t) {
    const Tensor all = together.step(std::vector{t, 2 * t, 10 - t});
    const Tensor one = alone.step(10 - t);
    for (std::size_t i = 0; i < 11; ++i) CHECK(std::abs(all.at(22 + i) - one.at(i)) <= 1e-6);
  }
}

TEST_CASE("stepper: several inputs and outputs, and random numbers that are new at each step") {
  Tape tape;
  const auto start = carried(tape, std::pair(tape.constant(1, {2}), tape.constant(0, {})));
  Stepper stepper({Shape{2}, Shape{}}, start, [](Var x, Var y, const std::pair<Var, Var>& s) {
    const Var noise = uniform(x.tape(), {2});
    return std::pair(std::array{s.first * x, s.second + y, noise}, std::pair(s.first * x, s.second + y));
  });
  CHECK(stepper.step(std::vector<float>{2, 3}, 5) == Tensor({2}, {2, 3}));
  const Tensor noise = stepper.outputs()[2];
  CHECK(stepper.step(Tensor({2}, {2, 3}), std::vector<double>{0.5}) == Tensor({2}, {4, 9}));
  CHECK(stepper.outputs()[1] == Tensor({}, {5.5}));
  CHECK(stepper.outputs()[2] != noise);
}

TEST_CASE("stepper: follows parameters that change between steps") {
  const Model model;
  const Params params = parameters(model.table, model.lstm, model.head);
  auto stepper = model.stepper(2);
  for (std::size_t i = 0; i < params.size(); ++i) {
    CAPTURE(params[i].name());
    Param p = params[i];
    stepper.step(std::vector{1, 2});
    p.assign(random_tensor(p.shape(), DType::f32, static_cast<unsigned>(i)));
    const auto state = stepper.state();
    const Tensor changed = stepper.step(std::vector{4, 5});
    auto anew = model.stepper(2);
    anew.set_state(state);
    CHECK(anew.step(std::vector{4, 5}) == changed);
  }
}

TEST_CASE("stepper: what depends on parameters alone is not computed at each step") {
  const Model model;
  const std::string text = model.stepper(1).plan_text();
  INFO(text);
  const std::string once = text.substr(0, text.find("each step")), each = text.substr(text.find("each step"));
  CHECK(once.find("[11, 6] x param \"weight_ih_l0\" [32, 6]") != std::string::npos);
  CHECK(each.find("weight_ih_l0") == std::string::npos);
  CHECK(each.find("bias_ih") == std::string::npos);
}

TEST_CASE("stepper: a step allocates nothing") {
  const Model model;
  const std::array tokens{3, 4};
  for (const DType dtype : {DType::f32, DType::f64}) {
    auto stepper = model.stepper(2, {.dtype = dtype});
    stepper.step(tokens);
    const std::size_t before = allocations();
    for (int i = 0; i < 100; ++i) stepper.step(tokens);
    stepper.reset();
    CHECK(allocations() == before);
  }
}

namespace {

bool refuses = false;
constexpr OpDef half_op{.name = "half",
                        .arity = 1,
                        .kind = Kind::other,
                        .shape = shapes::same,
                        .eval = map([](auto x) { return x / 2; }),
                        .fast = eval_of([]<class T>(const Args<T>& a) {
                          if (refuses) throw std::runtime_error("half: not now");
                          for (std::int64_t i = 0; i < a.size(); ++i) a.out[i] = a.in[0][i] / 2;
                        })};

}  // namespace

TEST_CASE("stepper: goes on from a step that only the plain interpreter could take") {
  Tape tape;
  const Carried<Var> start(tape.constant(1, {1, 1}));
  Stepper stepper(Shape{1, 1}, start, [](Var x, Var h) {
    const Var next = record(half_op, {h}) + x;
    return std::pair(next, next);
  });
  double expected = 1;
  for (int step = 0; step < 5; ++step) {
    refuses = step == 1;
    expected = expected / 2 + step;
    CHECK(stepper.step(Tensor({1, 1}, {static_cast<double>(step)})).item() == expected);
  }
  refuses = false;
}

TEST_CASE("stepper: a number is taken as what it is") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    Stepper twice(Shape{}, Carried(Vars{}), [](Var x, const Vars& s) { return std::pair(2 * x, s); },
                  {.dtype = dtype});
    CHECK(twice.step(0.5).item() == 1);
    CHECK(twice.step(0.25F).item() == 0.5);
    CHECK(twice.step(-7).item() == -14);
    CHECK(twice.step(std::size_t{7}).item() == 14);
    CHECK(twice.step(std::int64_t{-7}).item() == -14);
    CHECK(twice.step(true).item() == 2);
    enum Word { first, second };
    CHECK(twice.step(second).item() == 2);
    CHECK(twice.step(std::vector<bool>{true}[0]).item() == 2);
    CHECK(std::isnan(twice.step(std::nan("")).item()));
    const std::int64_t large = (std::int64_t{1} << (dtype == DType::f32 ? 24 : 53)) + 1;
    CHECK(tape_error([&] {
            twice.step(large);
          }).starts_with("Stepper: " + std::to_string(large) + " is too large for a "));
  }
}

TEST_CASE("stepper: mistakes") {
  const Model model;
  auto stepper = model.stepper(1);
  stepper.step(3);
  const auto before = stepper.state().values();
  CHECK(shape_error([&] { stepper.step(3, 4); }) == "Stepper: a step takes 1 input, not 2");
  CHECK(shape_error([&] {
          stepper.step(std::array{1, 2});
        }) == "Stepper: input 0 is [1, 1]; it can't take 2 numbers");
  CHECK(shape_error([&] { stepper.step(Tensor({1}, {1})); }) ==
        "Stepper: input 0 is [1, 1]; it can't take data of shape [1]");
  CHECK(tape_error([&] { stepper.step((1 << 24) + 1); }) ==
        "Stepper: 16777217 is too large for a float to hold exactly; give the options .dtype = DType::f64");
  CHECK(tape_error([&] {
          stepper.step(11);
        }).starts_with("take_rows: index 11 at position 0 is outside 0..10\n"));
  CHECK(shape_error([&] { stepper.set_state(model.lstm.zero_state(2)); }) ==
        "Stepper: part 0 of the state is [1, 8]; it can't become [2, 8]");
  const Lstm single({.seed = 1}, {.input = 6, .hidden = 8});
  CHECK(shape_error([&] { stepper.set_state(single.zero_state(1)); }) ==
        "Stepper: there are 2 parts for a state of 4; both must be of one model");
  CHECK(stepper.state().values() == before);

  auto moved = std::move(stepper);
  const char* const elsewhere = "Stepper: it was moved from; use the one that it was moved to";
  CHECK(tape_error([&] { stepper.step(3); }) == elsewhere);
  CHECK(tape_error([&] { stepper.reset(); }) == elsewhere);
  CHECK(tape_error([&] { stepper.state(); }) == elsewhere);
  CHECK(tape_error([&] { stepper.outputs(); }) == elsewhere);
  CHECK(tape_error([&] { stepper.plan_text(); }) == elsewhere);
  CHECK(moved.state().values() == before);
  CHECK(tape_error([&] { model.stepper(1).outputs(); }) ==
        "Stepper: there are no outputs before the first step");

  Tape tape;
  const auto start = carried(tape, tape.constant(0, {1, 2}));
  const auto foreign = [&](Var, Var h) { return std::pair(tape.constant(1), h); };
  CHECK(here(tape_error([&] { Stepper(Shape{1}, start, foreign); })) ==
        "Stepper: the Var belongs to another tape\n  used here");
  const auto clears = [](Var x, Var h) {
    Tape& t = x.tape();
    t.clear();
    return std::pair(t.constant(1), h);
  };
  CHECK(here(tape_error([&] { Stepper(Shape{1}, start, clears); })) ==
        "Stepper: the Var is stale; it was recorded before clear()\n  used here");
  const auto grows = [](Var x, Var h) { return std::pair(x, concat({h, h}, 1)); };
  CHECK(shape_error([&] { Stepper(Shape{1}, start, grows); })
            .starts_with("Stepper: each part of the state keeps its shape\n"
                         "  a  input \"carried\"  [1, 2]\n"
                         "  b  concat           [1, 4]\n"
                         "  recorded at stepper_test.cpp:"));
  const auto vectors = carried(tape, Vars{tape.constant(0, {1})});
  const auto drops = [](Var x, Vars) { return std::pair(x, Vars{}); };
  CHECK(shape_error([&] { Stepper(Shape{1}, vectors, drops); }) ==
        "Stepper: a state keeps its parts, but 1 became 0");
}
