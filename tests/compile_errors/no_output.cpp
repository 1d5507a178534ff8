// error: which Var of the state is the output?
#include <spool/layers/unroll.hpp>

struct State {
  spool::Var memory, clock;
};
struct NoOutput {
  State step(spool::Var, State s) const { return s; }
};

spool::Var f(spool::Var xs, State s) { return spool::unroll(NoOutput{}, xs, s).ys; }
