// Linear: an affine map of the last axis.
#pragma once

#include <spool/graph/var.hpp>
#include <spool/layers/init.hpp>

#include <optional>

namespace spool {

struct LinearOptions {
  bool bias = true;
};

/// y = x W^T + b, with weight [out,in] and bias [out].
class Linear {
 public:
  /// First values: uniform within 1/sqrt(in) (PyTorch), or Glorot's and 0 (Keras). ShapeError for sizes
  /// below 1.
  Linear(const Init& init, std::int64_t in, std::int64_t out, LinearOptions options = {});

  /// [..., in] -> [..., out]. ShapeError for another last axis.
  Var operator()(Var x, Where where = Where::current()) const;
  Params parameters() const;

 private:
  Param weight_;
  std::optional<Param> bias_;
};

}  // namespace spool
