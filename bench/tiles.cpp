// Nanoseconds an element of each kernel of planned runs, beside the op's plain loop: element-wise ops on runs
// of some elements, then folds, softmax and the like.
//   build/bench/tiles [elements, 1024]
#include <spool/spool.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

using namespace spool;

namespace {

// The best of many times of one call, in nanoseconds.
template <class F>
double best_of(F&& f) {
  double best = 1e30;
  for (int repeat = 0; repeat < 15; ++repeat) {
    const int calls = best > 1e29 ? 1 : static_cast<int>(std::clamp(2e5 / best, 1.0, 500.0));
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < calls; ++i) f();
    const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
    best = std::min(best, time.count() / calls);
  }
  return best;
}

std::vector<float> numbers(std::int64_t n, float low) {
  std::vector<float> v(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>((i * 7919) % 1009) / 250 + low;
  return v;
}

void print(const std::string& name, double quick, double plain) {
  fmt::print("{:28} {:8.3f} {:8.3f} {:7.1f}\n", name, quick, plain, plain / quick);
}

void element_wise(std::int64_t n) {
  Tape tape;
  const Var a = tape.input(Shape{n}), b = tape.input(Shape{n}), c = tape.input(Shape{n});
  const Vars results{a + b,          a - b,         a * b,    a / b,         -a,
                     square(a),      sqrt(a),       rsqrt(a), abs(a),        sign(a),
                     floor(a),       detach(a),     relu(a),  leaky_relu(a), clamp(a, -0.5, 0.5),
                     where(a, b, c), maximum(a, b), lt(a, b), exp(a),        expm1(a),
                     log(a),         log1p(a),      tanh(a),  sigmoid(a),    elu(a),
                     softplus(a),    sin(a),        cos(a),   erf(a)};
  const std::vector<float> x = numbers(n, -2), y = numbers(n, 0.5F);
  std::vector<float> out(x);
  for (const Var& v : results) {
    const OpDef& op = tape.op(v.id());
    const bool of_positive =
        std::string(op.name).starts_with("log") || std::string(op.name).ends_with("sqrt");
    const float* in[] = {of_positive ? y.data() : x.data(), y.data(), x.data()};
    const Tile<float>::Rows rows[] = {{in[0], n}, {in[1], n}, {in[2], n}};
    const Tile<float>::Rows* const operands[] = {&rows[0], &rows[1], &rows[2]};
    const Tile<float> tile{operands, out.data(), n, 1, n, tape.attrs(v.id())};
    const Shape* const shapes[] = {&v.shape(), &v.shape(), &v.shape()};
    const auto arity = static_cast<std::size_t>(op.arity);
    const Args<float> args{{in, arity}, {shapes, arity}, out.data(), &v.shape(), tape.attrs(v.id()), {}};
    const auto each = static_cast<double>(n);
    print(op.name, best_of([&] { op.tile.f32(tile); }) / each, best_of([&] { op.eval.f32(args); }) / each);
  }
}

void whole_arrays() {
  for (const Shape& shape : {Shape{2500, 65}, Shape{2500, 512}, Shape{64, 10000}}) {
    Tape tape;
    const Var x = tape.input(shape), index = tape.input(Shape{shape[0], 1});
    std::vector<float> data = numbers(shape.size(), -2), which(static_cast<std::size_t>(shape[0]), 3);
    std::vector<float> out(data);
    const Vars results{sum(x, 1, true),
                       sum(x, 0, true),
                       max(x, 1, true),
                       norm(x, 2, 1, true),
                       softmax(x),
                       log_softmax(x),
                       logsumexp(x, 1, true),
                       gather(x, index, 1),
                       scatter_add(index, index, 1, shape[1]),
                       transpose(x),
                       broadcast_to(index, shape),
                       one_hot(select(index, 1, 0), shape[1])};
    for (const Var& v : results) {
      const OpDef& op = tape.op(v.id());
      const float* in[] = {tape.operands(v.id())[0] == x.id() ? data.data() : which.data(), which.data()};
      const Shape* const shapes[] = {&tape.shape(tape.operands(v.id())[0]), &index.shape()};
      const auto arity = static_cast<std::size_t>(op.arity);
      const Args<float> args{{in, arity}, {shapes, arity}, out.data(), &v.shape(), tape.attrs(v.id()), {}};
      const auto each = static_cast<double>(shape.size());
      const double plain = best_of([&] { op.eval.f32(args); }) / each;
      const double quick = op.fast.f32 != nullptr ? best_of([&] { op.fast.f32(args); }) / each : plain;
      print(fmt::format("{} {}", op.name, shape.text()), quick, plain);
    }
  }
}

void random_numbers() {
  Tape tape;
  const Shape shape{50, 128};
  for (const Var& v : {uniform(tape, shape), dropout_mask(tape, shape, 0.1)}) {
    const OpDef& op = tape.op(v.id());
    std::vector<float> out(static_cast<std::size_t>(shape.size()));
    const Args<float> args{{}, {}, out.data(), &v.shape(), tape.attrs(v.id()), {}};
    const auto each = static_cast<double>(shape.size());
    print(op.name, best_of([&] { op.fast.f32(args); }) / each, best_of([&] { op.eval.f32(args); }) / each);
  }
}

}  // namespace

int main(int argc, char** argv) {
  fmt::print("{:28} {:>8} {:>8} {:>7}\n", "op", "quick", "plain", "ratio");
  element_wise(argc > 1 ? std::atoll(argv[1]) : 1024);
  whole_arrays();
  random_numbers();
}
