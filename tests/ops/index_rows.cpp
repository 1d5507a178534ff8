// Rows of ops/index.
#include "op_table.hpp"

namespace spool::test {

std::vector<OpRow> index_rows() {
  const auto run = [](Var v) { v.tape().run({v}); };
  return {
      {.name = "gather",
       .f = [](Tape&, const Vars& in) { return gather(in[0], in[1], 1); },
       .samples = {{{values({2, 3}, {1, 2, 3, 4, 5, 6}), whole({2, 2}, {2, 0, 1, 1})}, {3, 1, 5, 5}},
                   {{real({2, 3, 2}), whole({2, 4, 1}, 3)}},
                   {{real({2, 3}), whole({2, 0}, 3)}}},
       .errors = {error([=](Tape& t) { run(gather(t.input(Tensor({2})), t.tokens({1}, std::vector{2}), 0)); },
                        "gather: index 2 at position 0 is outside 0..1\n  a  input  [2]\n  b  input  [1]")}},
      {.name = "scatter_add",
       .f = [](Tape&, const Vars& in) { return scatter_add(in[0], in[1], 0, 3); },
       .samples = {{{values({4}, {1, 2, 3, 4}), whole({4}, {2, 0, 2, 2})}, {2, 0, 8}},
                   {{real({4, 2}), whole({4, 2}, 3)}},
                   {{real({0, 2}), whole({0, 2}, 3)}}},
       .errors = {error([=](Tape& t) { scatter_add(t.input(Tensor({2})), t.input(Tensor({3})), 0, 4); },
                        "scatter_add: operand and index differ in shape\n  a  input  [2]\n  b  input  [3]")}},
      {.name = "take_rows",
       .f = [](Tape&, const Vars& in) { return take_rows(in[0], in[1]); },
       .samples = {{{values({3, 2}, {1, 2, 3, 4, 5, 6}), whole({3}, {2, 0, 2})}, {5, 6, 1, 2, 5, 6}},
                   {{real({4}), whole({2, 3}, 4)}},
                   {{real({3, 2}), whole({0}, 3)}}},
       .errors = {error([=](Tape& t) { take_rows(t.input(Tensor()), t.input(Tensor({3}))); },
                        "take_rows: a table needs at least one axis\n  a  input  []\n  b  input  [3]")}},
      {.name = "embedding",
       .f = [](Tape&, const Vars& in) { return embedding(in[0], in[1]); },
       .samples = {{{values({3, 2}, {1, 2, 3, 4, 5, 6}), whole({3}, {2, 0, 2})}, {5, 6, 1, 2, 5, 6}},
                   {{real({3, 2}), whole({0}, 3)}}},
       .errors = {error([=](Tape& t) { embedding(t.input(Tensor({3})), t.input(Tensor({2}))); },
                        "embedding: the weight must be [V,D]\n  a  input  [3]\n  b  input  [2]"),
                  error(
                      [=](Tape& t) {
                        embedding(t.input(Tensor({3, 2})), t.input(Tensor({2})), 3);
                      },
                      "embedding: there is no row 3 to pad with\n  a  input  [3, 2]\n  b  input  [2]")}},
      {.name = "embedding without its padding row",
       .f = [](Tape&, const Vars& in) { return embedding(in[0], in[1], -2); },
       .samples = {{{values({3, 2}, {1, 2, 3, 4, 5, 6}), whole({3}, {2, 0, 2})}, {5, 6, 1, 2, 5, 6}}},
       .without_empty = true},
      {.name = "scatter_rows_add",
       .f = [](Tape&, const Vars& in) { return scatter_rows_add(in[0], in[1], 3); },
       .samples = {{{values({2, 2}, {1, 2, 3, 4}), whole({2}, {1, 1})}, {0, 0, 4, 6, 0, 0}},
                   {{real({2, 2, 3}), whole({2, 2}, 3)}},
                   {{real({0, 2}), whole({0}, 3)}}},
       .errors = {error([=](Tape& t) { scatter_rows_add(t.input(Tensor({2})), t.input(Tensor({3})), 4); },
                        "scatter_rows_add: the operand's shape does not start with the index's\n"
                        "  a  input  [2]\n  b  input  [3]")}},
      {.name = "one_hot",
       .f = [](Tape&, const Vars& in) { return one_hot(in[0], 3, 2, -1); },
       .samples = {{{whole({2}, {2, 0})}, {-1, -1, 2, 2, -1, -1}}, {{whole({2, 0}, 3)}}},
       .errors = {error([](Tape& t) { one_hot(t.input(Tensor({2})), -1); },
                        "one_hot: the depth -1 is negative\n  a  input  [2]")}},
      {.name = "reverse_sequence",
       .f = [](Tape&, const Vars& in) { return reverse_sequence(in[0], in[1]); },
       .samples = {{{values({3, 2}, {1, 10, 2, 20, 3, 30}), whole({2}, {3, 2})}, {3, 20, 2, 10, 1, 30}},
                   {{real({3, 2, 2}), whole({2}, 4)}},
                   {{real({0, 2}), whole({2}, 1)}}}},
  };
}

}  // namespace spool::test
