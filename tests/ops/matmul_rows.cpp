// Rows of ops/matmul.
#include "op_table.hpp"

namespace spool::test {

namespace {

// [M,K] x [K,N] by the definition.
std::vector<double> product(const std::vector<Tensor>& in) {
  const std::int64_t m = in[0].shape()[0], k = in[0].shape()[1], n = in[1].shape()[1];
  std::vector<double> out(static_cast<std::size_t>(m * n));
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j)
      for (std::int64_t p = 0; p < k; ++p)
        out[static_cast<std::size_t>(i * n + j)] +=
            in[0].at(static_cast<std::size_t>(i * k + p)) * in[1].at(static_cast<std::size_t>(p * n + j));
  return out;
}

std::vector<Sample> pairs(std::vector<std::pair<Shape, Shape>> shapes) {
  std::vector<Sample> all;
  for (const auto& [a, b] : shapes) all.push_back({{real(a), real(b)}});
  return all;
}

}  // namespace

std::vector<OpRow> matmul_rows() {
  return {
      {.name = "matmul",
       .f = [](Tape&, const Vars& in) { return matmul(in[0], in[1]); },
       .samples = pairs({{{2, 3}, {3, 4}},
                         {{1, 1}, {1, 1}},
                         {{1, 4}, {4, 1}},
                         {{0, 3}, {3, 2}},
                         {{2, 0}, {0, 2}},
                         {{2, 3}, {3, 0}}}),
       .reference = product,
       .errors =
           {error(
                [](Tape& t) {
                  matmul(t.input(Tensor({2, 3})), t.input(Tensor({4, 5})));
                },
                "matmul: inner dimensions differ\n  a  input  [2, 3]\n  b  input  [4, 5]"),
            error(
                [](Tape& t) {
                  matmul(t.input(Tensor({3})), t.input(Tensor({3, 5})));
                },
                "matmul: each operand needs at least two axes\n  a  input  [3]\n  b  input  [3, 5]"),
            error(
                [](Tape& t) {
                  matmul(t.input(Tensor({2, 3, 4})), t.input(Tensor({5, 4, 3})));
                },
                "matmul: leading axes do not broadcast\n  a  input  [2, 3, 4]\n  b  input  [5, 4, 3]")}},
      {.name = "matmul of transposes",
       .f = [](Tape&, const Vars& in) { return matmul(transpose(in[0]), transpose(in[1])); },
       .samples = pairs({{{3, 2}, {4, 3}}, {{3, 0}, {2, 3}}})},
      {.name = "batched matmul",
       .f = [](Tape&, const Vars& in) { return matmul(in[0], in[1]); },
       .samples = pairs({{{2, 2, 3}, {2, 3, 2}},
                         {{2, 2, 3}, {3, 2}},
                         {{2, 3}, {2, 3, 2}},
                         {{0, 2, 3}, {3, 2}},
                         {{2, 1, 2, 3}, {3, 3, 1}},
                         {{2, 3, 0}, {0, 4}},
                         {{2, 2, 0}, {2, 0, 3}},
                         {{1, 2, 3}, {2, 3, 1}},
                         {{2, 2, 2, 3}, {3, 2}}})},
      {.name = "batched matmul of transposes",
       .f = [](Tape&, const Vars& in) { return matmul(transpose(in[0]), transpose(in[1])); },
       .samples =
           pairs({{{2, 3, 2}, {4, 3}}, {{2, 3, 2}, {2, 4, 3}}, {{3, 2}, {2, 4, 3}}, {{2, 0, 2}, {4, 0}}})},
      {.name = "matmul of one operand with itself",
       .f = [](Tape&, const Vars& in) { return matmul(in[0], transpose(in[0])); },
       .samples = {{{values({2, 2}, {1, 2, 3, 4})}, {5, 11, 11, 25}}, {{real({2, 3, 2})}}, {{real({2, 0})}}}},
  };
}

}  // namespace spool::test
