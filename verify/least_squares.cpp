#include <spool/graph/error.hpp>
#include <spool/graph/tape.hpp>
#include <spool/ops/matmul.hpp>
#include <spool/ops/movement.hpp>
#include <spool/verify/least_squares.hpp>

#include <fmt/format.h>

#include <boost/numeric/ublas/lu.hpp>

#include <vector>

namespace spool {

Tensor least_squares(const Tensor& x, const Tensor& y, double ridge) {
  namespace ublas = boost::numeric::ublas;
  using Matrix = ublas::matrix<double, ublas::row_major, std::vector<double>>;
  if (!(ridge > 0)) throw ShapeError("least_squares: the ridge must be above 0");
  if (x.shape().rank() != 2 || y.shape().rank() != 2 || x.shape()[0] < 1)
    throw ShapeError(fmt::format("least_squares: needs x [N,D] and y [N,K] with rows, not {} and {}",
                                 x.shape().text(), y.shape().text()));
  Tape tape({.dtype = DType::f64});
  const Var xs = tape.input(x);
  const auto x_times = [&](Var v) {
    const Tensor product = tape.read(matmul(transpose(xs), v));
    return Matrix(static_cast<std::size_t>(product.shape()[0]), static_cast<std::size_t>(product.shape()[1]),
                  product.doubles());
  };
  Matrix xx = x_times(xs), w = x_times(tape.input(y));
  for (std::size_t i = 0; i < xx.size1(); ++i) xx(i, i) += ridge * static_cast<double>(x.shape()[0]);
  ublas::permutation_matrix<std::size_t> rows(xx.size1());
  if (ublas::lu_factorize(xx, rows) != 0)
    throw TapeError("least_squares: columns of x depend on each other; use a larger ridge");
  ublas::lu_substitute(xx, rows, w);
  return Tensor({x.shape()[1], y.shape()[1]}, w.data());
}

}  // namespace spool
