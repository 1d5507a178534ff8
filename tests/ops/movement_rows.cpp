// Rows of ops/movement.
#include "op_table.hpp"

namespace spool::test {

std::vector<OpRow> movement_rows() {
  return {
      {.name = "broadcast",
       .f =
           [](Tape&, const Vars& in) {
             return broadcast_to(in[0], {2, 3});
           },
       .samples = {{{values({3}, {1, 2, 3})}, {1, 2, 3, 1, 2, 3}},
                   {{values({2, 1}, {1, 2})}, {1, 1, 1, 2, 2, 2}},
                   {{values({}, {7})}, {7, 7, 7, 7, 7, 7}}},
       .errors = {error([](Tape& t) { broadcast_to(t.input(Tensor({3})), {4}); },
                        "broadcast: shape does not broadcast to [4]\n  a  input  [3]")},
       .without_empty = true},
      {.name = "reshape",
       .f =
           [](Tape&, const Vars& in) {
             return reshape(in[0], {-1, 2});
           },
       .samples = {{{values({4}, {1, 2, 3, 4})}, {1, 2, 3, 4}}, {{real({2, 3, 1})}}, {{real({0})}}},
       .errors = {error(
           [](Tape& t) {
             reshape(t.input(Tensor({3})), {2, 2});
           },
           "reshape: 3 elements do not fit shape [2, 2]\n  a  input  [3]")}},
      {.name = "permute",
       .f =
           [](Tape&, const Vars& in) {
             return permute(in[0], {2, 0, -2});
           },
       .samples = {{{values({1, 2, 3}, {1, 2, 3, 4, 5, 6})}, {1, 4, 2, 5, 3, 6}},
                   {{real({2, 3, 2})}},
                   {{real({2, 0, 3})}}},
       .errors = {error(
           [](Tape& t) {
             permute(t.input(Tensor({2, 2})), {0, 0});
           },
           "permute: order [0, 0] is no permutation of the axes\n  a  input  [2, 2]")}},
      {.name = "broadcast along an inner axis, and of nothing",
       .f =
           [](Tape&, const Vars& in) {
             return broadcast_to(in[0], {2, in[0].shape()[1], 3});
           },
       .samples = {{{values({1, 2, 1}, {1, 2})}, {1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2}},
                   {{real({2, 4, 1})}},
                   {{real({1, 0, 1})}}}},
      {.name = "sum_to",
       .f =
           [](Tape&, const Vars& in) {
             return sum_to(in[0], {2, 1});
           },
       .samples = {{{values({2, 2}, {1, 2, 3, 4})}, {3, 7}}, {{real({3, 2, 2})}}, {{real({0, 2, 1})}}},
       .errors = {error(
           [](Tape& t) {
             sum_to(t.input(Tensor({2, 3})), {2});
           },
           "sum_to: shape [2] does not broadcast to the operand's\n  a  input  [2, 3]")}},
      {.name = "transpose",
       .f = [](Tape&, const Vars& in) { return transpose(in[0]); },
       .samples = {{{values({2, 3}, {1, 2, 3, 4, 5, 6})}, {1, 4, 2, 5, 3, 6}},
                   {{real({2, 3, 2})}},
                   {{real({2, 0})}}},
       .errors = {error([](Tape& t) { transpose(t.input(Tensor({3}))); },
                        "transpose: needs at least two axes\n  a  input  [3]")}},
      {.name = "select",
       .f = [](Tape&, const Vars& in) { return select(in[0], 1, -2) * select(in[0], 1, 0); },
       .samples = {{{values({2, 3}, {1, 2, 3, 4, 5, 6})}, {2, 20}}, {{real({2, 2, 2})}}, {{real({0, 3})}}},
       .errors = {error(
           [](Tape& t) {
             select(t.input(Tensor({2, 3})), 1, 3);
           },
           "select: index 3 does not exist in axis 1 of size 3\n  a  input  [2, 3]")}},
      {.name = "stack",
       .f = [](Tape&, const Vars& in) { return stack(in, -1); },
       .samples = {{{values({2}, {1, 2}), values({2}, {3, 4})}, {1, 3, 2, 4}},
                   {{real({}), real({}), real({})}},
                   {{real({2, 3}), real({2, 3})}},
                   {{real({0, 3}), real({0, 3})}}},
       .errors = {error(
                      [](Tape& t) {
                        stack({t.input(Tensor({2})), t.input(Tensor({3}))});
                      },
                      "stack: shapes differ\n  a  input  [2]\n  b  input  [3]"),
                  error([](Tape&) { stack(Vars{}); }, "stack: needs at least one operand"),
                  error([](Tape& t) { stack({t.input(Tensor({2}))}, 2); },
                        "stack: axis 2 does not exist in an array of rank 2\n  a  input  [2]")}},
      {.name = "one operand cut, doubled and overlapping",
       .f =
           [](Tape&, const Vars& in) {
             const Var x = in[0];
             return slice(x, 0, 0, 2) * slice(x, 0, 1, 3) + slice(x, 0, -2, 4) +
                    slice(slice(x, 0, 1, 4), 0, 0, 2);
           },
       .samples = {{{values({4}, {1, 2, 3, 4})}, {2 + 3 + 2, 6 + 4 + 3}},
                   {{real({4, 2})}},
                   {{real({4, 0})}}}},
      {.name = "flip",
       .f = [](Tape&, const Vars& in) { return flip(in[0], {0}); },
       .samples = {{{values({3, 2}, {1, 2, 3, 4, 5, 6})}, {5, 6, 3, 4, 1, 2}}, {{real({0, 2})}}}},
      {.name = "slice",
       .f = [](Tape&, const Vars& in) { return slice(in[0], 1, 1, -1); },
       .samples = {{{values({2, 3}, {1, 2, 3, 4, 5, 6})}, {2, 5}}, {{real({2, 4, 2})}}, {{real({0, 4})}}},
       .errors = {error(
                      [](Tape& t) {
                        slice(t.input(Tensor({2, 3})), 1, 2, 5);
                      },
                      "slice: range 2..5 does not fit axis 1 of size 3\n  a  input  [2, 3]"),
                  error(
                      [](Tape& t) {
                        slice(t.input(Tensor({2, 3})), 2, 0, 1);
                      },
                      "slice: axis 2 does not exist in an array of rank 2\n  a  input  [2, 3]")}},
      {.name = "place",
       .f = [](Tape&, const Vars& in) { return place(in[0], -1, 1, 4); },
       .samples = {{{values({2, 2}, {1, 2, 3, 4})}, {0, 1, 2, 0, 0, 3, 4, 0}},
                   {{real({3})}},
                   {{real({2, 0})}}},
       .errors = {error([](Tape& t) { place(t.input(Tensor({3})), 0, 2, 4); },
                        "place: size 3 at 2 does not fit an extent of 4\n  a  input  [3]")}},
      {.name = "pad",
       .f =
           [](Tape&, const Vars& in) {
             return pad(in[0], {{1, 0}, {0, 2}});
           },
       .samples = {{{values({1, 2}, {1, 2})}, {0, 0, 0, 0, 1, 2, 0, 0}}, {{real({2, 3})}}, {{real({0, 2})}}}},
      {.name = "pad with a value",
       .f =
           [](Tape&, const Vars& in) {
             return pad(in[0], {{0, 1}, {1, 0}}, 7);
           },
       .samples = {{{values({1, 2}, {1, 2})}, {7, 1, 2, 7, 7, 7}}, {{real({2, 3})}}, {{real({2, 0})}}}},
      {.name = "concat",
       .f = [](Tape&, const Vars& in) { return concat(in, 1); },
       .samples = {{{values({2, 1}, {1, 4}), values({2, 2}, {2, 3, 5, 6})}, {1, 2, 3, 4, 5, 6}},
                   {{real({2, 1, 2}), real({2, 2, 2}), real({2, 0, 2})}}},
       .errors = {error(
                      [](Tape& t) {
                        concat({t.input(Tensor({2, 2})), t.input(Tensor({3, 2}))}, 1);
                      },
                      "concat: shapes differ outside axis 1\n  a  input  [2, 2]\n  b  input  [3, 2]"),
                  error([](Tape&) { concat(Vars{}, 0); }, "concat: needs at least one operand")}},
      {.name = "concat of one operand with itself",
       .f =
           [](Tape&, const Vars& in) {
             return concat({in[0], in[0], in[1]}, 0);
           },
       .samples = {{{real({1, 2}), real({2, 2})}}, {{real({0, 2}), real({0, 2})}}}},
      {.name = "split",
       .f = [](Tape&, const Vars& in) { return split(in[0], 2, 0)[1]; },
       .samples = {{{values({4}, {1, 2, 3, 4})}, {3, 4}}, {{real({2, 3})}}, {{real({0, 3})}}},
       .errors = {error([](Tape& t) { split(t.input(Tensor({3})), 2); },
                        "split: axis 0 of size 3 does not split into 2 equal parts\n  a  input  [3]"),
                  error([](Tape& t) { split(t.input(Tensor({3})), 0); },
                        "split: axis 0 of size 3 does not split into 0 equal parts\n  a  input  [3]")}},
      {.name = "split and join in another order",
       .f =
           [](Tape&, const Vars& in) {
             const auto [a, b, c] = split<3>(in[0]);
             return concat({c, a * b, a}, -1);
           },
       .samples = {{{values({1, 3}, {2, 3, 4})}, {4, 6, 2}}, {{real({2, 6})}}, {{real({0, 3})}}}},
  };
}

}  // namespace spool::test
