// Nanoseconds an element of each element-wise kernel of planned runs, beside the op's plain loop:
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
    constexpr int calls = 200;
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < calls; ++i) f();
    const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
    best = std::min(best, time.count() / calls);
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t n = argc > 1 ? std::atoll(argv[1]) : 1024;
  Tape tape;
  const Var a = tape.input(Shape{n}), b = tape.input(Shape{n}), c = tape.input(Shape{n});
  const Vars results{a + b,          a - b,         a * b,    a / b,         -a,
                     square(a),      sqrt(a),       rsqrt(a), abs(a),        sign(a),
                     floor(a),       detach(a),     relu(a),  leaky_relu(a), clamp(a, -0.5, 0.5),
                     where(c, a, b), maximum(a, b), lt(a, b), exp(a),        expm1(a),
                     log(c),         log1p(c),      tanh(a),  sigmoid(a),    elu(a),
                     softplus(a),    sin(a),        cos(a),   erf(a)};
  std::vector<float> x(static_cast<std::size_t>(n)), y(x), z(x), out(x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<float>((i * 7919) % 1000) / 250 - 2;
    y[i] = static_cast<float>((i * 104729) % 1000) / 250 + 0.5F;
    z[i] = static_cast<float>((i * 31) % 7);
  }
  fmt::print("{:12} {:>8} {:>8} {:>7}\n", "op", "tile", "plain", "ratio");
  for (const Var& v : results) {
    const OpDef& op = tape.op(v.id());
    const float* in[] = {x.data(), y.data(), y.data()};
    if (op.arity == 3) in[0] = z.data(), in[1] = x.data();
    if (std::string(op.name).starts_with("log")) in[0] = y.data();
    const Tile<float>::Rows rows[] = {{in[0], n}, {in[1], n}, {in[2], n}};
    const Tile<float> tile{rows, out.data(), n, 1, n, tape.attrs(v.id())};
    const double quick = best_of([&] { op.tile.f32(tile); }) / static_cast<double>(n);
    const Shape shape{n};
    const Shape* shapes[] = {&shape, &shape, &shape};
    const auto arity = static_cast<std::size_t>(op.arity);
    const Args<float> args{{in, arity}, {shapes, arity}, out.data(), &shape, tape.attrs(v.id()), {}};
    const double plain = best_of([&] { op.eval.f32(args); }) / static_cast<double>(n);
    fmt::print("{:12} {:8.3f} {:8.3f} {:7.1f}\n", op.name, quick, plain, plain / quick);
  }
}
