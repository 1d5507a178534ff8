// A user's program, built against an installed Spool.
#include <spool/spool.hpp>

#include <cstdio>

int main() {
  spool::Tape tape;
  const spool::Var x = tape.input(spool::Tensor({2}, {3.0, 4.0}));
  const spool::Var g = grad(sum(x * x), x);
  std::printf("%g %g\n", tape.read(g).at(0), tape.read(g).at(1));
}
