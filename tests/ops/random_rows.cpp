// Rows of ops/random. What their numbers are is checked elsewhere; here, that they are the same on every run
// and in every precision.
#include "op_table.hpp"

namespace spool::test {

std::vector<OpRow> random_rows() {
  return {
      {.name = "uniform",
       .f = [](Tape& t, const Vars& in) { return in[0] + uniform(t, in[0].shape()); },
       .samples = unary(1, 3),
       .errors = {error(
           [](Tape& t) {
             uniform(t, {1 << 30, 16});
           },
           "uniform: shape [1073741824, 16] has more than 2^33 elements")}},
      {.name = "normal",
       .f = [](Tape& t, const Vars& in) { return in[0] * normal(t, in[0].shape()); },
       .samples = unary()},
      {.name = "bernoulli",
       .f = [](Tape& t, const Vars& in) { return in[0] - bernoulli(t, in[0].shape(), 0.3); },
       .samples = unary(2, 3),
       .errors = {error([](Tape& t) { bernoulli(t, {2}, -0.5); },
                        "bernoulli: the probability -0.5 is outside 0..1")}},
      {.name = "dropout",
       .f = [](Tape&, const Vars& in) { return dropout(in[0], 0.4); },
       .samples = unary(),
       .errors = {error([](Tape& t) { dropout(t.input(Tensor({2})), 1.5); },
                        "dropout: the probability 1.5 is outside 0..1")}},
  };
}

}  // namespace spool::test
