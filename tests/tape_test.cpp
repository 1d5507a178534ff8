// The tape itself: recording, handles, errors, depth.
#include <spool/spool.hpp>

#include <pthread.h>

#include <exception>
#include <functional>

#include "catch.hpp"

using namespace spool;

namespace {

// Runs f on a thread whose stack is so small that nothing in it can recurse over a long tape.
void with_small_stack(const std::function<void()>& f) {
  struct Call {
    const std::function<void()>& f;
    std::exception_ptr error;
  } call{f, nullptr};
  const auto run = [](void* p) -> void* {
    Call& c = *static_cast<Call*>(p);
    try {
      c.f();
    } catch (...) {
      c.error = std::current_exception();
    }
    return nullptr;
  };
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  REQUIRE(pthread_attr_setstacksize(&attributes, 256 * 1024) == 0);
  pthread_t thread;
  REQUIRE(pthread_create(&thread, &attributes, run, &call) == 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  if (call.error) std::rethrow_exception(call.error);
}

}  // namespace

TEST_CASE("equal ops are one node") {
  Tape tape;
  const Var x = tape.input(Tensor({2, 3}));
  CHECK(tanh(x) == tanh(x));
  CHECK(transpose(x) == transpose(x));
  CHECK(tanh(x) != sigmoid(x));
}

TEST_CASE("equal ops are one node among any number of others") {
  Tape tape;
  Vars numbers;
  for (int i = 0; i < 1000; ++i) numbers.push_back(tape.input(Shape{}));
  const Var x = tape.input(Shape{}), rows = tape.input(Shape{1000, 2});
  const auto record_all = [&] {
    Vars all;
    for (int i = 0; i < 1000; ++i) {
      all.push_back(numbers[static_cast<std::size_t>(i)] + x);  // x is the newest operand of all of them
      all.push_back(slice(rows, 0, i, i + 1));
      all.push_back(tape.constant(i));
    }
    return all;
  };
  const Vars first = record_all();
  const std::uint32_t nodes = tape.size();
  CHECK(nodes == 4002);
  CHECK(record_all() == first);
  CHECK(tape.size() == nodes);
}

TEST_CASE("a chain of a million steps records, differentiates, runs and goes, in 256 KB of stack") {
  with_small_stack([] {
    Tape tape;
    const Var first = tape.input(Tensor({1}, {0.5}));
    Var x = first;
    for (int i = 0; i < 1'000'000; ++i) x = tanh(x);
    const Var g = grad(sum(x), first);
    tape.run({x, g});
    CHECK(tape.read(x).at(0) == Approx(0.0012247).epsilon(1e-3));  // ~ sqrt(3 / 2n)
    CHECK(tape.read(g).at(0) > 0);
    CHECK(stats(tape).nodes > 2'000'000);
  });
}

TEST_CASE("a chain of fifty thousand steps has a second gradient, in 256 KB of stack") {
  with_small_stack([] {
    Tape tape(DType::f64);
    const Var first = tape.input(Tensor({1}, {0.5}));
    Var x = first;
    for (int i = 0; i < 50'000; ++i) x = x * 0.9999 + 1e-5 * x * x;
    const Var g = grad(sum(x), first), gg = grad(sum(g), first);
    tape.run({g, gg});
    CHECK(tape.read(g).at(0) > 0);
    CHECK(tape.read(gg).at(0) > 0);
  });
}

TEST_CASE("clear() keeps memory and moves the draw on") {
  Tape tape(TapeOptions{.seed = 7});
  const auto record_some = [&] {
    Var x = tape.input(Tensor({2}));
    for (int i = 0; i < 100; ++i) x = tanh(x);
    return tape.size();
  };
  const std::uint32_t nodes = record_some();
  const std::size_t bytes = tape.bytes();
  tape.clear();
  CHECK(tape.size() == 0);
  CHECK(tape.random() == RandomState{7, 1});
  CHECK(record_some() == nodes);
  CHECK(tape.bytes() == bytes);
}

TEST_CASE("recordings of the same structure have equal rows") {
  Tape tape;
  const Param w("w", Tensor({3, 4}));
  const auto record_some = [&](std::int64_t batch) {
    const Var y = tanh(matmul(tape.input(Shape{batch, 3}), tape.param(w)));
    return grad(sum(y * 0.5), y);
  };
  const auto copy = [&] {
    const Tape::Rows r = tape.rows();
    std::vector<Shape> shapes;
    for (const Shape* s : r.shapes) shapes.push_back(*s);
    const auto all = [](auto column) { return std::vector(column.begin(), column.end()); };
    return std::tuple(all(r.op), all(r.operand_end), all(r.attr_end), all(r.shape_id), all(r.operands),
                      all(r.attrs), shapes);
  };
  record_some(2);
  const auto first = copy();
  const Tape::Rows r = tape.rows();
  for (std::uint32_t id = 0; id < tape.size(); ++id) {
    CHECK(r.op[id] == &tape.op(id));
    CHECK(*r.shapes[r.shape_id[id]] == tape.shape(id));
    CHECK(r.operands.data() + r.operand_end[id] == tape.operands(id).data() + tape.operands(id).size());
    CHECK(r.attrs.data() + r.attr_end[id] == tape.attrs(id).data() + tape.attrs(id).size());
  }
  tape.clear();
  record_some(5);
  CHECK(copy() != first);
  tape.clear();
  record_some(2);
  CHECK(copy() == first);
}

namespace {
struct Pair {
  Var h, c;
};
struct Deep {
  std::vector<Pair> layers;
  std::array<Var, 2> extra;
};
}  // namespace

TEST_CASE("states of any structure flatten, rebuild and carry over") {
  Tape tape;
  const auto number = [&](double v) { return tape.constant(v, {2}); };
  const Deep deep{{{number(1), number(2)}, {number(3), number(4)}}, {number(5), number(6)}};
  CHECK(flatten(deep).size() == 6);
  CHECK(flatten(std::tuple{number(1), Pair{number(2), number(3)}})[2] == number(3));
  const Deep back = rebuild(deep, flatten(deep));
  CHECK(back.layers[1].c == deep.layers[1].c);
  const Carried carried(deep);
  Tape next;
  CHECK(next.read(carried.on(next).extra[1]).at(1) == 6);
}

TEST_CASE("states of different numbers of parts are refused") {
  Tape tape;
  const Vars one{tape.constant(1, {2})}, two{one[0], tape.constant(2, {2})};
  Carried carried(one);
  CHECK_THROWS_WITH(carried.bind(two), "bind: there are 2 parts for a state of 1; both must be of one model");
  CHECK_THROWS_WITH(rebuild(two, one),
                    "rebuild: there are 1 parts for a state of 2; both must be of one model");
  carried.values().clear();
  CHECK_THROWS_WITH(carried.on(tape), "on: there are 0 parts for a state of 1; both must be of one model");
}
