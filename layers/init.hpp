// Init: where the parameters of layers come from: their dtype, the scheme of their first values, the prefix
// of their names, and one stream of random numbers for a whole model. The numbers depend on the seed and on
// the order in which parameters are made, and on nothing else: not on the platform, not on the dtype beyond
// rounding. Layers that know no scheme of their own say what they want with a Fill.
#pragma once

#include <spool/graph/param.hpp>
#include <spool/ops/philox.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace spool {

/// First values of an array of the given shape, row-major, drawn from `random`.
using Fill = std::function<std::vector<double>(const Shape& shape, Philox& random)>;

/// The usual first values. A weight is [out, in, ...]: its fan-in is the number of elements behind one output
/// (in times what follows), its fan-out the same with `out` in place of `in`; for a vector both are its size.
namespace fill {

Fill zeros();
Fill constant(double value);
Fill uniform(double low, double high);
Fill normal(double mean, double deviation);
/// Variance gain^2 * 2 / (fan-in + fan-out) (Glorot and Bengio 2010, eq. 16).
Fill xavier_uniform(double gain = 1);
Fill xavier_normal(double gain = 1);
/// Variance 2 / ((1 + a^2) fan-in), for a leaky ReLU of slope a, 0 by default (He et al. 2015, eq. 15).
Fill kaiming_uniform(double a = 0);
Fill kaiming_normal(double a = 0);
/// gain times a matrix whose rows (or columns, where those are fewer) are orthonormal: uniform over all such
/// matrices (Saxe et al. 2014). Axes after the first count as one. ShapeError below two axes.
Fill orthogonal(double gain = 1);
/// The parts one after the other along axis 0, which is divided equally: one Fill for each gate.
Fill stacked(std::vector<Fill> parts);

}  // namespace fill

/// Whose habits the layers follow.
enum class Scheme : std::uint8_t {
  torch,  ///< PyTorch's: uniform within 1/sqrt(hidden) or 1/sqrt(in), embeddings normal
  keras   ///< Keras's: Glorot weights, orthogonal recurrent weights, zero biases, forget bias 1
};

/// Init init{.seed = 1}; Lstm lstm(init.named("encoder"), {...});
///
/// Copies and named ones go on with the same stream of numbers, so no two layers get the same.
struct Init {
  std::uint64_t seed = 0;
  DType dtype = DType::f32;
  Scheme scheme = Scheme::torch;
  std::string prefix = {};  ///< "encoder.": put before every name
  std::string suffix = {};  ///< "_l0_reverse": put after every name
  std::shared_ptr<std::uint32_t> made = std::make_shared<std::uint32_t>(0);  ///< parameters so far

  /// The same with "name." after the prefix.
  Init named(std::string_view name) const;
  /// The same with the suffix replaced.
  Init suffixed(std::string_view text) const;

  /// A new parameter. ShapeError for a shape without elements: a layer of size 0 is a mistake.
  Param param(std::string_view name, const Shape& shape, const Fill& values) const;
};

}  // namespace spool
