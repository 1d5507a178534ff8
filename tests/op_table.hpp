// The op table: one row of data for each op, from which op_table_test.cpp derives all its checks: values
// against a reference, gradients of first and second order, float against double against 113 bits, empty
// arrays, same bits on every run, the kernels of planned runs, exact error texts. The rows stand in
// tests/ops/FAMILY_rows.cpp.
#pragma once

#include <spool/spool.hpp>

#include <functional>
#include <string>
#include <vector>

namespace spool::test {

/// One input of an op. Made by real(), values() and whole().
struct In {
  Shape shape;
  std::vector<double> values;
  bool differentiable = true;
};

/// Distinct numbers spread over [low, high] in no order, none near `away_from` (a kink or a pole).
In real(const Shape& shape, double low = -2, double high = 2, std::vector<double> away_from = {});
/// Given numbers.
In values(const Shape& shape, std::vector<double> numbers);
/// Whole numbers 0..below-1: indices, classes, conditions. Not differentiated.
In whole(const Shape& shape, int below);
/// Given whole numbers. Not differentiated.
In whole(const Shape& shape, std::vector<double> numbers);

/// One set of inputs, and the elements of the result where they are known (golden values).
struct Sample {
  std::vector<In> in;
  std::vector<double> golden = {};
};

/// The shape classes of an op of one operand, with numbers as in real(): scalar, 1 to 3 axes, size 1, empty.
std::vector<Sample> unary(double low = -2, double high = 2, std::vector<double> away_from = {});
/// Those of two operands that broadcast: equal, either larger, both grow, a scalar, empty.
std::vector<Sample> binary(In (*left)(const Shape&), In (*right)(const Shape&));
std::vector<Sample> binary(double low = -2, double high = 2);

/// What the runner may expect of the gradient.
enum class Smooth : std::uint8_t {
  no,     ///< it is 0 by definition (detach, comparisons, argmax), whatever the slope
  once,   ///< first order is checked
  twice,  ///< second order as well
};

/// Something that must throw. The text is that of the exception without its last line, if that is "recorded
/// at FILE:LINE"; the runner checks that this line points at `where`. Made by error().
struct Refusal {
  std::function<void(Tape&)> act;
  std::string text;
  Where where;
};
Refusal error(std::function<void(Tape&)> act, std::string text, Where where = Where::current());

/// The elements of the result in double, from the operands.
using Reference = std::function<std::vector<double>(const std::vector<Tensor>&)>;
/// A reference from a formula of one, two or three numbers; operands broadcast.
Reference each(double (*f)(double));
Reference each(double (*f)(double, double));
Reference each(double (*f)(double, double, double));

struct OpRow {
  std::string name;
  std::function<Var(Tape&, const Vars&)> f;
  std::vector<Sample> samples;
  Reference reference = nullptr;  ///< for samples without golden values
  std::vector<Refusal> errors = {};
  Smooth smooth = Smooth::twice;
  /// Bound on |double - 113 bits| (and float's likewise), in units of epsilon * (|y| + sum |x dy/dx|): the
  /// error that rounding the inputs alone could make.
  double ulps = 8;
  double reference_rtol = 1e-13;  ///< against the reference, on the same scale
  bool without_empty = false;     ///< no sample with an empty operand, since the op refuses it
};

/// All checks of one row, as assertions of the running test case.
void check_row(const OpRow& row);

/// The names of the ops that the row's recordings (gradients left out) contain.
std::vector<std::string> ops_of(const OpRow& row);

/// All rows of tests/ops.
std::vector<OpRow> all_rows();

}  // namespace spool::test
