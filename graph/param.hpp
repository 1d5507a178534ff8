// Param: a named array that a model owns and an optimiser changes. A handle with shared ownership: copies
// refer to the same numbers, so that a layer, an optimiser and any number of tapes can hold it at once.
#pragma once

#include <spool/graph/tensor.hpp>

#include <memory>
#include <string>
#include <vector>

namespace spool {

class Param {
 public:
  /// `name` is what files call it, such as "encoder.weight_ih_l0".
  Param(std::string name, Tensor value);

  const std::string& name() const;
  const Shape& shape() const;
  DType dtype() const;
  const Tensor& value() const;

  /// Replaces the numbers. Throws ShapeError when the shape changes; the dtype is kept by conversion.
  void assign(const Tensor& value);
  /// Direct access to change them in place; counts as one change (see version()). Ask anew for each: what is
  /// changed through a reference kept from before a run may not be seen by the next run.
  Tensor& edit();
  /// Grows at every change, so that whoever derived something from the numbers can tell.
  std::uint64_t version() const;
  /// Of all parameters that a process ever makes no two have the same: unlike an address, it can be kept.
  std::uint64_t serial() const;

  /// Identity: equal for copies of one handle, whatever the name.
  friend bool operator==(const Param& a, const Param& b) { return a.state_ == b.state_; }
  const void* identity() const { return state_.get(); }

 private:
  struct State;
  std::shared_ptr<State> state_;
};

using Params = std::vector<Param>;

/// All parameters of the given models, in order. A model is a Param, or has `Params parameters() const`.
template <class... Models>
Params parameters(const Models&... models) {
  Params all;
  const auto append = [&]<class M>(const M& model) {
    if constexpr (std::is_same_v<M, Param>) {
      all.push_back(model);
    } else {
      Params some = model.parameters();
      all.insert(all.end(), some.begin(), some.end());
    }
  };
  (append(models), ...);
  return all;
}

}  // namespace spool
