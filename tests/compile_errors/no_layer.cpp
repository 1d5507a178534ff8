// error: the cell of a Recurrent needs
#include <spool/layers/linear.hpp>
#include <spool/layers/recurrent.hpp>

struct Bare {
  Bare(const spool::Init& init, std::int64_t input, std::int64_t hidden)
      : gate(init, input + hidden, hidden) {}
  spool::Var step(spool::Var x, spool::Var h) const { return tanh(gate(spool::concat({x, h}, -1))); }
  spool::Params parameters() const { return gate.parameters(); }
  spool::Linear gate;
};

spool::Var f(spool::Var xs) {
  const spool::Recurrent<Bare> layers({}, {.input = 1, .hidden = 2, .layers = 2});
  return layers.unroll(xs).ys;
}
