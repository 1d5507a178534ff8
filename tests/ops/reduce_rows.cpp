// Rows of ops/reduce.
#include "op_table.hpp"

namespace spool::test {

std::vector<OpRow> reduce_rows() {
  return {
      {.name = "sum",
       .f = [](Tape&, const Vars& in) { return sum(in[0]); },
       .samples = unary(),
       .reference =
           [](const std::vector<Tensor>& in) {
             double total = 0;
             for (double x : in[0].doubles()) total += x;
             return std::vector<double>{total};
           }},
      {.name = "sum over axes",
       .f =
           [](Tape&, const Vars& in) {
             return sum(in[0], {0, -1});
           },
       .samples = {{{values({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8})}, {14, 22}}, {{real({0, 2, 3})}}},
       .errors = {error(
                      [](Tape& t) {
                        sum(t.input(Tensor({2, 2})), {0, -2});
                      },
                      "sum: an axis is named twice\n  a  input  [2, 2]"),
                  error(
                      [](Tape& t) {
                        sum(t.input(Tensor({2, 2})), 2);
                      },
                      "sum: axis 2 does not exist in an array of rank 2\n  a  input  [2, 2]")}},
      {.name = "mean",
       .f = [](Tape&, const Vars& in) { return mean(in[0], 0, true); },
       .samples = {{{values({2, 3}, {1, 2, 3, 4, 5, 6})}, {2.5, 3.5, 4.5}}, {{real({4})}}},
       .errors = {error([](Tape& t) { mean(t.input(Tensor({0}))); },
                        "mean: there is nothing to average\n  a  input  [0]")},
       .without_empty = true},
  };
}

}  // namespace spool::test
