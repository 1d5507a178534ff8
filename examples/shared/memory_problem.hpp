// Two problems that only a memory solves, the adding problem and the copy problem (Hochreiter and Schmidhuber
// 1997, in the forms of Arjovsky, Shah and Bengio 2016, section 4), and a model that learns one of them from
// ever new sequences. It is no part of the library.
#pragma once

#include "any_recurrent.hpp"

#include <spool/spool.hpp>

#include <string>

namespace examples {

/// Adding: x [T,B,2] has numbers of [0, 1) and marks, two in each sequence; y [B,1] is the sum of the marked
/// numbers. Copy: x [T+20,B] has ten symbols 0..7, then T blanks (8), the first of the last eleven a 9 that
/// says "now"; y [T+20,B] is blank but for the ten symbols at the end.
struct MemoryProblem {
  bool adding = true;
  std::int64_t T = 100;  ///< at least 2

  spool::Shape x_shape(std::int64_t B) const;
  spool::Shape y_shape(std::int64_t B) const;
  /// New sequences, in tensors of zeros of those shapes.
  void draw(spool::Tensor& x, spool::Tensor& y, spool::Philox& random) const;
  /// The loss without memory: the variance of a sum of two numbers, 1/6; nats per step of guessing ten
  /// symbols of eight.
  double without_memory() const;
};

/// Recurrent layers and a linear head that learn a problem, recorded once.
class MemoryLearner {
 public:
  /// B: sequences in a batch. The layers' input and what they remember follow from the problem.
  MemoryLearner(spool::Tape& tape, const spool::Init& init, AnyRecurrentOptions layers,
                const MemoryProblem& problem, std::int64_t B);

  /// Puts new sequences on the tape, and gives what is to be answered.
  spool::Tensor show(spool::Philox random) const;
  spool::Params parameters() const { return spool::parameters(layers_, head_); }

  std::string name;       ///< "gru, T = 400"
  MemoryProblem problem;  ///< what it was made for
  spool::Var answer;      ///< sums [B,1], or symbols [T+20,B]
  spool::Var loss;        ///< mean squared error, or nats per step
  spool::Var right;       ///< share of sums off by less than 0.04, or of the ten symbols

 private:
  AnyRecurrent layers_;
  spool::Linear head_;
  spool::Var x_, y_;
};

}  // namespace examples
