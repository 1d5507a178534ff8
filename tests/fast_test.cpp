// The quick kernels of planned runs at sizes where vectors, their remainders and blocks all matter, and at
// special values. The op table checks the same at its own small sizes.
#include <spool/spool.hpp>

#include <limits>
#include <vector>

#include "catch.hpp"
#include "quick_kernels.hpp"

using namespace spool;

namespace {

Tensor numbers(const Shape& shape, DType dtype, std::uint32_t seed = 1) {
  std::vector<double> v(static_cast<std::size_t>(shape.size()));
  for (double& x : v) {
    seed = seed * 1664525 + 1013904223;
    x = static_cast<float>(seed) * 0x1p-30 - 2;
  }
  return Tensor(shape, v, dtype);
}

Tensor indices(const Shape& shape, DType dtype, std::uint32_t below) {
  std::vector<double> v(static_cast<std::size_t>(shape.size()));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<double>(i * 7 % below);
  return Tensor(shape, v, dtype);
}

}  // namespace

TEST_CASE("quick folds and softmax at many sizes") {
  for (const DType dtype : {DType::f32, DType::f64})
    for (const Shape& shape : {Shape{3, 65}, Shape{65, 3}, Shape{130, 33}, Shape{2, 1037}, Shape{1037, 2},
                               Shape{2500}, Shape{5, 7, 18}, Shape{1, 64}, Shape{64, 1}, Shape{9, 2100}}) {
      INFO(shape.text());
      Tape tape(dtype);
      const Var x = tape.input(numbers(shape, dtype));
      for (int axis = 0; axis < shape.rank(); ++axis) {
        sum(x, axis), max(x, axis), min(x, axis), norm(x, 2, axis), logsumexp(x, axis), mean(x, axis);
        softmax(x, axis), log_softmax(x, axis), argmax(x, axis), cumsum(x, axis);
      }
      sum(x), max(x), min(x), norm(x), logsumexp(x), softmax(x, Axes()), log_softmax(x, Axes());
      test::check_quick_kernels(tape);
    }
}

TEST_CASE("quick folds and softmax of special values") {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> rows[] = {{-inf, -inf, -inf}, {inf, 1, inf},     {inf, -inf, 0},  {nan, 1, 2},
                                      {1, 2, nan},        {-inf, nan, -inf}, {inf, nan, 3},   {-inf, 5, -inf},
                                      {1e30, 1, 0},       {-1e30, 0, 1},     {-200, -100, 0}, {-90, -87, 0}};
  for (const std::size_t size : {3UL, 16UL, 17UL, 40UL})
    for (const std::vector<double>& row : rows) {
      std::vector<double> v(size, row[0]);
      for (std::size_t i = 0; i < size; ++i) v[i] = row[(i + size / 2) % 3];
      CAPTURE(v);
      Tape tape;
      const auto n = static_cast<std::int64_t>(size);
      const Var x = tape.input(Tensor({n}, v)), y = tape.input(Tensor({n, 1}, v));
      softmax(x), log_softmax(x), logsumexp(x), sum(x), max(x), min(x), norm(x);
      sum(y, 0), max(y, 0), min(y, 0), norm(y, 2, 0);
      test::check_quick_kernels(tape);
    }
}

TEST_CASE("copies and indices, whole and divided") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    Tape tape(dtype);
    const Var x = tape.input(numbers({37, 70}, dtype)), y = tape.input(numbers({5, 18, 33}, dtype));
    const Var table = tape.input(numbers({50, 20}, dtype));
    const Var rows = tape.input(indices({37, 1}, dtype, 70)), words = tape.input(indices({6, 9}, dtype, 50));
    transpose(x), transpose(y), permute(y, {1, 0, 2}), permute(y, {2, 0, 1}), permute(y, {0, 2, 1});
    slice(x, 1, 3, 50), place(x, 1, 2, 90), concat({x, x}, 1), concat({x, x}, 0), flip(x, 1), flip(x, 0);
    broadcast_to(tape.input(numbers({70}, dtype)), {37, 70});
    broadcast_to(tape.input(numbers({37, 1}, dtype)), {37, 70});
    broadcast_to(tape.input(numbers({1, 18, 1}, dtype)), {5, 18, 33});
    gather(x, rows, 1), scatter_add(rows, rows, 1, 70), gather(x, tape.input(indices({4, 70}, dtype, 37)), 0);
    take_rows(table, words), scatter_rows_add(tape.input(numbers({6, 9, 20}, dtype)), words, 50);
    take_rows(table, tape.input(Tensor({}, {3.0}, dtype)));
    one_hot(words, 50);
    one_hot(tape.input(Tensor({}, {3.0}, dtype)), 50);
    cross_entropy(x, tape.input(indices({37}, dtype, 70)));
    test::check_quick_kernels(tape);
  }
}

TEST_CASE("quick random numbers have the same bits") {
  Tape tape({.seed = 0x123456789abcdefULL});
  for (int batch = 0; batch < 2; ++batch) {
    for (const std::int64_t size : {0, 1, 2, 15, 16, 31, 32, 33, 64, 1001}) {
      uniform(tape, {size}), bernoulli(tape, {size}, 0.3), dropout_mask(tape, {size}, 0.25);
      for (const double p : {0.0, 1e-300, 0x1p-32, 0.5, 1 - 0x1p-53, 1.0}) bernoulli(tape, {size}, p);
    }
    Vars all;
    for (std::uint32_t id = 0; id < tape.size(); ++id) all.push_back(tape.at(id));
    const auto plain = run_plain<float>(tape, all);
    for (std::uint32_t id = 0; id < tape.size(); ++id) {
      INFO(tape.op(id).name << " " << tape.shape(id).text());
      std::vector<float> out(plain[id].size());
      tape.op(id).fast.f32({{}, {}, out.data(), &tape.shape(id), tape.attrs(id), tape.random()});
      CHECK(out == plain[id]);
    }
    tape.clear();
  }
}
