// error: a cell needs a member `step(Var x, State s) const`
#include <spool/layers/unroll.hpp>

struct NoStep {};

spool::Var f(spool::Var xs, spool::Var h) { return spool::unroll(NoStep{}, xs, h).ys; }
