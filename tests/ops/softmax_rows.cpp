// Rows of ops/softmax. Rows of -inf and +-1e4 are in softmax_test.cpp.
#include <cmath>

#include "op_table.hpp"

namespace spool::test {

namespace {

// Softmax over the last axis, in long double.
std::vector<double> over_last(const std::vector<Tensor>& in, bool logs) {
  const std::vector<double> x = in[0].doubles();
  const auto n = static_cast<std::size_t>(in[0].shape().back());
  std::vector<double> y;
  for (std::size_t row = 0; row + n <= x.size() && n > 0; row += n) {
    for (std::size_t i = 0; i < n; ++i) {
      long double total = 0;
      for (std::size_t j = 0; j < n; ++j)
        total += std::exp(static_cast<long double>(x[row + j]) - x[row + i]);
      y.push_back(static_cast<double>(logs ? -std::log(total) : 1 / total));
    }
  }
  return y;
}

// Softmax over the elements of the last axis whose mask is not 0.
std::vector<double> over_unmasked(const std::vector<Tensor>& in) {
  const std::vector<double> x = in[0].doubles(), mask = in[1].doubles();
  const auto n = static_cast<std::size_t>(in[0].shape().back());
  std::vector<double> y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t row = i / n * n;
    long double total = 0;
    for (std::size_t j = 0; j < n; ++j)
      if (mask[(row + j) % mask.size()] != 0) total += std::exp(static_cast<long double>(x[row + j]) - x[i]);
    if (mask[i % mask.size()] != 0) y[i] = static_cast<double>(1 / total);
  }
  return y;
}

std::vector<Sample> rows_of_numbers() {
  return {{{real({4}, -3, 3)}}, {{real({2, 3}, -3, 3)}}, {{real({2, 2, 2}, -3, 3)}},
          {{real({1})}},        {{real({3, 1})}},        {{real({0, 3})}},
          {{real({3, 0})}}};
}

}  // namespace

std::vector<OpRow> softmax_rows() {
  const Refusal no_axis = error([](Tape& t) { softmax(t.input(Tensor(Shape{}))); },
                                "softmax: axis -1 does not exist in an array of rank 0\n  a  input  []");
  const Refusal no_axis_log = error(
      [](Tape& t) {
        log_softmax(t.input(Tensor({2, 3})), 2);
      },
      "log_softmax: axis 2 does not exist in an array of rank 2\n  a  input  [2, 3]");
  return {
      {.name = "softmax",
       .f = [](Tape&, const Vars& in) { return softmax(in[0]); },
       .samples = rows_of_numbers(),
       .reference = [](const std::vector<Tensor>& in) { return over_last(in, false); },
       .errors = {no_axis}},
      {.name = "log_softmax",
       .f = [](Tape&, const Vars& in) { return log_softmax(in[0]); },
       .samples = rows_of_numbers(),
       .reference = [](const std::vector<Tensor>& in) { return over_last(in, true); },
       .errors = {no_axis_log}},
      {.name = "masked_softmax",
       .f = [](Tape&, const Vars& in) { return masked_softmax(in[0], in[1]); },
       .samples = {{{real({4}, -3, 3), whole({4}, {1, 0, 1, 1})}},
                   {{real({3, 4}, -3, 3), whole({3, 4}, {1, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0})}},
                   {{real({2, 2, 3}, -3, 3), whole({3}, {0, 1, 1})}},
                   {{values({2, 2}, {1, -2e4, 1e4, 1e4}), whole({2, 2}, {1, 1, 0, 0})}, {1, 0, 0, 0}},
                   {{real({3, 0}), whole({3, 0}, std::vector<double>{})}},
                   {{real({0, 3}), whole({0, 3}, std::vector<double>{})}}},
       .reference = over_unmasked,
       .errors = {error(
           [](Tape& t) {
             masked_softmax(t.input(Tensor({2, 3}), "x"), t.input(Tensor({2, 1, 3}), "mask"));
           },
           "masked_softmax: the mask must broadcast to x\n  a  input \"x\"     [2, 3]\n"
           "  b  input \"mask\"  [2, 1, 3]")}},
      {.name = "softmax over other axes",
       .f =
           [](Tape&, const Vars& in) {
             return softmax(in[0], {0, 2}) + log_softmax(in[0], 1);
           },
       .samples = {{{real({2, 3, 2})}}, {{real({2, 0, 2})}}}},
  };
}

}  // namespace spool::test
