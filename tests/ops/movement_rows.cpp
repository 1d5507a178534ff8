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
