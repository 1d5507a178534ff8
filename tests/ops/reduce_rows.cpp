// Rows of ops/reduce. Ties, zeros and infinities are in reduce_test.cpp.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "op_table.hpp"

namespace spool::test {

namespace {

using Numbers = std::vector<double>;
using Fold = double (*)(const Numbers&);

// A fold over axes by the definition: the elements of each result are collected, then folded.
Reference over(std::vector<int> axes, Fold fold) {
  return [axes, fold](const std::vector<Tensor>& in) {
    const Shape& s = in[0].shape();
    std::map<std::vector<std::int64_t>, Numbers> groups;
    for (std::size_t i = 0; i < in[0].size(); ++i) {
      std::vector<std::int64_t> at(static_cast<std::size_t>(s.rank()));
      auto rest = static_cast<std::int64_t>(i);
      for (int axis = s.rank(); axis-- > 0; rest /= s[axis])
        at[static_cast<std::size_t>(axis)] =
            axes.empty() || std::ranges::count(axes, axis) > 0 ? 0 : rest % s[axis];
      groups[at].push_back(in[0].at(i));
    }
    Numbers results;
    for (const auto& [at, numbers] : groups) results.push_back(fold(numbers));
    return results;
  };
}

using Reduction = Var (*)(Operand, Axes, bool);

// One row for all elements, and one for every way to walk an array: leading, trailing, inner and outer axes.
std::vector<OpRow> reduction(const char* name, Reduction f, Fold fold, double of_nothing) {
  std::vector<OpRow> rows{{.name = name,
                           .f = [f](Tape&, const Vars& in) { return f(in[0], {}, false); },
                           .samples = unary(),
                           .reference = over({}, fold),
                           .errors = {}}};
  rows[0].errors = {
      error(
          [f](Tape& t) {
            f(t.input(Tensor({2, 2})), {0, -2}, false);
          },
          std::string(name) + ": an axis is named twice\n  a  input  [2, 2]"),
      error(
          [f](Tape& t) {
            f(t.input(Tensor({2, 2})), 2, false);
          },
          std::string(name) + ": axis 2 does not exist in an array of rank 2\n  a  input  [2, 2]")};
  std::erase_if(rows[0].samples, [](const Sample& s) { return s.in[0].shape.size() == 0; });
  if (std::isnan(of_nothing)) {
    rows[0].without_empty = true;
  } else {
    rows[0].samples.push_back({{real({0})}, {of_nothing}});
    rows[0].samples.push_back({{real({2, 0})}, {of_nothing}});
  }
  for (const std::vector<int>& axes : {std::vector{0}, {1}, {2}, {0, 1}, {1, 2}, {0, 2}}) {
    OpRow row{.name = std::string(name) + " over axes",
              .f = [f, axes](Tape&, const Vars& in) { return f(in[0], Axes(axes), false); },
              .samples = {{{real({2, 3, 2})}}, {{real({3, 1, 11})}}},
              .reference = over(axes, fold)};
    for (const int axis : axes) row.name += " " + std::to_string(axis);
    // An empty axis that stays: nothing to compute.
    row.samples.push_back({{real(Shape{2, 2, 2}.with(axes == std::vector{0, 1} ? 2
                                                     : axes[0] == 0            ? 1
                                                                               : 0,
                                                     0))}});
    rows.push_back(row);
  }
  return rows;
}

double sum_of(const Numbers& x) { return std::accumulate(x.begin(), x.end(), 0.0); }
double squares_of(const Numbers& x) { return std::inner_product(x.begin(), x.end(), x.begin(), 0.0); }
double product_of(const Numbers& x) { return std::accumulate(x.begin(), x.end(), 1.0, std::multiplies<>{}); }
double mean_of(const Numbers& x) { return sum_of(x) / static_cast<double>(x.size()); }
double variance_of(const Numbers& x) {
  Numbers d = x;
  for (double& v : d) v -= mean_of(x);
  return squares_of(d) / static_cast<double>(x.size());
}
double logsumexp_of(const Numbers& x) {
  return std::log(
      std::accumulate(x.begin(), x.end(), 0.0, [](double a, double v) { return a + std::exp(v); }));
}
double powers_of(const Numbers& x, double p) {
  return std::pow(std::accumulate(x.begin(), x.end(), 0.0,
                                  [p](double a, double v) { return a + std::pow(std::abs(v), p); }),
                  1 / p);
}

std::vector<OpRow> others() {
  return {
      {.name = "kept axes",
       .f =
           [](Tape&, const Vars& in) {
             return sum(in[0], {0, -1}, true) * max(in[0], 1, true);
           },
       .samples = {{{real({2, 3, 2})}}, {{real({1, 2, 1})}}, {{real({0, 2, 2})}}}},
      {.name = "cumsum",
       .f = [](Tape&, const Vars& in) { return cumsum(in[0], 0); },
       .samples = {{{values({2, 3}, {1, 2, 3, 4, 5, 6})}, {1, 2, 3, 5, 7, 9}},
                   {{real({5})}},
                   {{real({0, 2})}}},
       .errors = {error([](Tape& t) { cumsum(t.input(Tensor({2})), 1); },
                        "cumsum: axis 1 does not exist in an array of rank 1\n  a  input  [2]")}},
      {.name = "cumsum from the end",
       .f = [](Tape&, const Vars& in) { return cumsum(in[0], -1, true); },
       .samples = {{{values({2, 3}, {1, 2, 3, 4, 5, 6})}, {6, 5, 3, 15, 11, 6}}, {{real({2, 0})}}}},
      {.name = "argmax",
       .f = [](Tape&, const Vars& in) { return argmax(in[0]); },
       .samples = {{{values({3, 3}, {1, 3, 3, 2, 1, 0, -1, -2, 5})}, {1, 0, 2}},
                   {{real({4})}},
                   {{real({0, 3})}}},
       .errors = {error(
                      [](Tape& t) {
                        argmax(t.input(Tensor({2, 0})));
                      },
                      "argmax: there is nothing to choose from\n  a  input  [2, 0]"),
                  error([](Tape& t) { argmax(t.input(Shape{20'000'000})); },
                        "argmax: a float can't hold indices above 2^24; use a tape of f64\n"
                        "  a  input  [20000000]")},
       .smooth = Smooth::no},
      {.name = "argmax over a leading axis",
       .f = [](Tape&, const Vars& in) { return argmax(in[0], 0, true); },
       .samples = {{{values({3, 2}, {1, 3, 1, 7, -1, 7})}, {0, 1}}, {{real({2, 0})}}},
       .smooth = Smooth::no},
      {.name = "unbiased variance and stddev",
       .f = [](Tape&, const Vars& in) { return variance(in[0], 1) + stddev(in[0], 1); },
       .samples = {{{values({1, 4}, {1, 2, 3, 6})}, {14.0 / 3 + std::sqrt(14.0 / 3)}}, {{real({0, 3})}}},
       .errors = {error(
           [](Tape& t) {
             variance(t.input(Tensor({3, 1})), 1);
           },
           "variance: needs more than 1 elements\n  a  input  [3, 1]")}},
  };
}

}  // namespace

std::vector<OpRow> reduce_rows() {
  std::vector<OpRow> rows = others();
  const auto add = [&](const char* name, Reduction f, Fold fold, double of_nothing = NAN) {
    std::ranges::move(reduction(name, f, fold, of_nothing), std::back_inserter(rows));
  };
  add("sum", sum, sum_of, 0);
  add("mean", mean, mean_of);
  add("max", max, [](const Numbers& x) { return *std::ranges::max_element(x); });
  add("min", min, [](const Numbers& x) { return *std::ranges::min_element(x); });
  add("prod", prod, product_of, 1);
  add("logsumexp", logsumexp, logsumexp_of, -INFINITY);
  add(
      "variance", [](Operand x, Axes axes, bool keep) { return variance(x, axes, 0, keep); }, variance_of);
  add(
      "norm", [](Operand x, Axes axes, bool keep) { return norm(x, 2, axes, keep); },
      [](const Numbers& x) { return std::sqrt(squares_of(x)); }, 0);
  add(
      "norm", [](Operand x, Axes axes, bool keep) { return norm(x, 1, axes, keep); },
      [](const Numbers& x) { return powers_of(x, 1); }, 0);
  add(
      "norm", [](Operand x, Axes axes, bool keep) { return norm(x, 3.5, axes, keep); },
      [](const Numbers& x) { return powers_of(x, 3.5); }, 0);
  add(
      "norm", [](Operand x, Axes axes, bool keep) { return norm(x, INFINITY, axes, keep); },
      [](const Numbers& x) {
        return std::abs(*std::ranges::max_element(x, {}, [](double v) { return std::abs(v); }));
      },
      0);
  const auto nothing = [](const char* name, Reduction f, const char* what) {
    return error(
        [f](Tape& t) {
          f(t.input(Tensor({2, 0})), 1, false);
        },
        std::string(name) + ": " + what + "\n  a  input  [2, 0]");
  };
  rows.push_back(
      {.name = "refusals of empty reductions",
       .f = [](Tape&, const Vars& in) { return max(in[0]); },
       .samples = {{{real({2})}}},
       .errors = {nothing("max", max, "there is nothing to choose from"),
                  nothing("min", min, "there is nothing to choose from"),
                  nothing("mean", mean, "there is nothing to average"),
                  error([](Tape& t) { norm(t.input(Tensor({2})), 0); }, "norm: p must be above 0, not 0")},
       .without_empty = true});
  return rows;
}

}  // namespace spool::test
