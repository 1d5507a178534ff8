// An op of your own: squared distances between points, as used by radial basis functions. It stands beside
// the library's ops as an equal: recorded, printed, differentiated to any order, run in float, double and
// 113 bits. All it takes is one constant and one function.
#include <spool/spool.hpp>

#include <fmt/format.h>

using namespace spool;

constexpr OpDef square_distances_op{
    .name = "square_distances",
    .arity = 2,
    .kind = Kind::other,
    .shape = [](const Call& c) -> Shape {
      const Shape &x = c.shape(0), &p = c.shape(1);
      if (x.rank() != 2 || p.rank() != 2 || x[1] != p[1]) c.fail("needs points [N,D] and [M,D]");
      return {x[0], p[0]};
    },
    .eval = eval_of([]<class T>(const Args<T>& a) {
      const std::int64_t N = (*a.out_shape)[0], M = (*a.out_shape)[1], D = a.in_shapes[0]->back();
      const T *x = a.in[0], *p = a.in[1];
      for (std::int64_t n = 0; n < N; ++n)
        for (std::int64_t m = 0; m < M; ++m) {
          T sum = 0;
          for (std::int64_t d = 0; d < D; ++d) {
            const T difference = x[n * D + d] - p[m * D + d];
            sum += difference * difference;
          }
          a.out[n * M + m] = sum;
        }
    }),
    // y[n,m] = |x[n] - p[m]|^2, so dx[n] = sum over m of 2 g[n,m] (x[n] - p[m]), and likewise for p.
    .vjp = [](const Step& s, Var g) -> Grads {
      const Var x = s.in(0), p = s.in(1), gt = transpose(g);
      return {2 * (x * sum(g, 1, /*keepdims=*/true) - matmul(g, p)),
              2 * (p * sum(gt, 1, /*keepdims=*/true) - matmul(gt, x))};
    },
};

/// points [N,D], [M,D] -> [N,M]
Var square_distances(Operand x, Operand p) { return record(square_distances_op, {x, p}); }

int main() {
  const Tensor x({3, 2}, {0.1, 0.7, -0.4, 1.2, 0.9, -0.3}), centres({2, 2}, {0.5, 0.5, -1, 0});
  const GradReport report =
      grad_check([](Tape&, const Vars& in) { return exp(-square_distances(in[0], in[1])); }, {x, centres},
                 {.order = 2, .names = {"x", "centres"}});
  fmt::print("{}\n", report.text());

  Tape tape;  // a mistake shows your op, your operands and your line
  try {
    square_distances(tape.input(x, "x"), tape.input(Tensor({2, 3}), "centres"));
  } catch (const ShapeError& e) {
    fmt::print("{}\n", e.what());
  }
  return report ? 0 : 1;
}
