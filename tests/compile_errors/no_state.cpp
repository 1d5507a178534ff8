// error: step(x, state) must return the next state
#include <spool/layers/unroll.hpp>

struct NoState {
  void step(spool::Var, spool::Var) const {}
};

spool::Var f(spool::Var xs, spool::Var h) { return spool::unroll(NoState{}, xs, h).ys; }
