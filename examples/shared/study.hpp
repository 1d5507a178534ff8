// Several recurrent layers that learn tasks side by side from ever new examples, each as if it were alone, to
// be compared. It is no part of the library.
#pragma once

#include "any_recurrent.hpp"
#include "program.hpp"

#include <spool/spool.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace examples {

/// What is to be learnt, in batches of B sequences.
struct Task {
  std::string name = {};
  /// Of x and y: rows [T,B,input] and a row of numbers [B,outputs] each, scored by the squared error; or
  /// symbols 0..input-1 [T,B] and a symbol 0..outputs-1 at each step [T,B], scored by the cross entropy.
  spool::Shape x = {}, y = {};
  std::int64_t input = 0, outputs = 0;
  /// New examples, into tensors of zeros; held out: such as no update sees.
  std::function<void(spool::Tensor& x, spool::Tensor& y, spool::Philox& random, bool held_out)> draw = {};
  double naive = 1;        ///< the loss without memory
  std::int64_t first = 0;  ///< answers before this step are not counted as right or wrong

  bool symbols() const { return x.rank() == 2; }
};

/// The adding problem and the copy problem (Hochreiter and Schmidhuber 1997, in the forms of Arjovsky, Shah
/// and Bengio 2016, section 4). Adding: numbers of [0, 1) with marks, two in each sequence; the sum of the
/// marked ones is asked. Copy: ten symbols 0..7, T - 1 blanks (8), a 9 that says "now", and ten blanks; the
/// answer is blank but for the ten symbols at the end. T is at least 2.
Task adding_problem(std::int64_t T, std::int64_t B);
Task copy_problem(std::int64_t T, std::int64_t B);

/// Recurrent layers and a linear head that learn a task, recorded once.
class Learner {
 public:
  /// The layers' input and what they remember follow from the task.
  Learner(spool::Tape& tape, const spool::Init& init, AnyRecurrentOptions layers, Task task);

  /// Puts new examples on the tape, and gives what is to be answered.
  spool::Tensor show(spool::Philox random, bool held_out = false) const;
  spool::Params parameters() const { return spool::parameters(layers_, head_); }
  const AnyRecurrent& layers() const { return layers_; }

  std::string name;  ///< "gru, adding, T = 400"
  Task task;
  spool::Var answer;  ///< numbers [B,outputs], or symbols [T,B]
  spool::Var loss;    ///< mean squared error, or nats per step
  spool::Var right;   ///< share of numbers off by less than 0.04, or of the symbols that count

 private:
  AnyRecurrent layers_;
  spool::Linear head_;
  spool::Var x_, y_;
};

/// A curve's value at x, between two of its points; before the first and after the last one it is level.
/// The curve has a point.
double value_at(const spool::Series& curve, double x);

/// Trains learners together: they share no parameter. An epoch is 100 updates by Adam, each element of the
/// gradients at most 0.1, so that no learner's gradients count for another's.
class Study {
 public:
  explicit Study(const Program& program) : program_(program) {}
  const Learner& add(AnyRecurrentOptions layers, Task task);
  const std::vector<std::unique_ptr<Learner>>& learners() const { return learners_; }
  spool::Tape& tape() { return tape_; }
  spool::Params parameters() const;

  /// Gives the exit code. "curves.csv" and "curves.svg" have the losses on ten batches of held out examples
  /// after each epoch; the best epoch is chosen by them.
  int train();
  /// Of each learner the loss by updates. FileError when there are none of these learners.
  std::vector<spool::Series> curves() const;

  /// Of each learner, over so many batches that neither updates nor the choice of the best epoch see.
  struct Measured {
    double loss = 0, right = 0;
  };
  std::vector<Measured> measure(std::uint32_t batches) { return measure(batches, validation_batches); }

 private:
  static constexpr std::uint32_t validation_batches = 10;

  std::vector<Measured> measure(std::uint32_t batches, std::uint32_t first);
  void write(const std::vector<spool::Series>& curves) const;

  const Program& program_;
  spool::Tape tape_;
  std::vector<std::unique_ptr<Learner>> learners_;
};

}  // namespace examples
