// Activation: a function of one Var as an option of a layer. Any element-wise op (.activation = relu), and
// any lambda where numbers are to be fixed: [](Var v) { return hard_sigmoid(v, 0.2); }.
#pragma once

#include <spool/graph/tape.hpp>

#include <concepts>
#include <functional>

namespace spool {

class Activation {
 public:
  Activation(Var (*op)(Operand)) : f_([op](Var v) { return op(v); }) {}  // NOLINT: .activation = relu
  template <class F>
  requires(!std::same_as<F, Activation> && std::is_invocable_r_v<Var, const F&, Var>) Activation(F f)
      : f_(std::move(f)) {}  // NOLINT: .activation = a lambda

  Var operator()(Var v) const { return f_(v); }

 private:
  std::function<Var(Var)> f_;
};

}  // namespace spool
