// Conv1d and Conv2d: convolution as layers, with PyTorch's names, layout and first values; and ConvEncoder, a
// small stack of them that turns pictures into a grid of features or one vector. The arithmetic is in
// ops/conv.hpp.
#pragma once

#include <spool/graph/var.hpp>
#include <spool/layers/init.hpp>
#include <spool/ops/conv.hpp>

#include <optional>
#include <vector>

namespace spool {

struct Conv1dLayer {
  std::int64_t in = 0, out = 0, kernel = 0;
  Conv1dOptions conv = {};
  bool bias = true;
};

/// x [B,in,L] -> [B,out,L']; weight [out, in/groups, K], bias [out]; see conv1d for the sizes.
class Conv1d {
 public:
  /// First values: uniform within 1/sqrt(in/groups * K) (PyTorch), or Glorot's and 0 (Keras). ShapeError for
  /// sizes below 1 and groups that do not divide them.
  Conv1d(const Init& init, const Conv1dLayer& options);
  /// ShapeError for another shape.
  Var operator()(Var x, Where where = Where::current()) const;
  Params parameters() const;

 private:
  Conv1dOptions conv_;
  Param weight_;
  std::optional<Param> bias_;
};

struct Conv2dLayer {
  std::int64_t in = 0, out = 0;
  Size2 kernel = 3;
  Conv2dOptions conv = {};
  bool bias = true;
};

/// x [B,in,H,W] -> [B,out,H',W']; weight [out, in/groups, KH, KW], bias [out]; see conv2d for the sizes.
class Conv2d {
 public:
  /// As Conv1d.
  Conv2d(const Init& init, const Conv2dLayer& options);
  Var operator()(Var x, Where where = Where::current()) const;
  Params parameters() const;

 private:
  Conv2dOptions conv_;
  Param weight_;
  std::optional<Param> bias_;
};

struct ConvEncoderOptions {
  std::int64_t in = 3;                                 ///< channels of the picture
  std::vector<std::int64_t> channels = {32, 64, 128};  ///< of each block's result
  std::int64_t kernel = 3;                             ///< odd, so that padding keeps the size
  /// Groups of group_norm() (Wu and He 2018) in each block, with a gain and a bias for each channel; they
  /// must divide all channels. Unlike batch normalisation it is the same in training and in use. 0: none.
  std::int64_t norm_groups = 1;

  /// The size of the grid that a picture of this size becomes: each block halves both, rounding down.
  Size2 grid_size(Size2 picture) const;
};

/// Blocks of convolution, normalisation, ReLU and max pooling by 2, each of which halves height and width.
/// Parameters: 0.weight, 0.bias, 0.norm.weight, 0.norm.bias, 1.weight ...
class ConvEncoder {
 public:
  /// ShapeError for sizes below 1, an even kernel, groups that do not divide the channels, and without
  /// blocks.
  ConvEncoder(const Init& init, const ConvEncoderOptions& options);

  /// Pictures [B,in,H,W] -> [B,C,H/2^n,W/2^n]. ShapeError for another number of channels, and for pictures
  /// too small to be halved so often.
  Var operator()(Var pictures, Where where = Where::current()) const;

  Params parameters() const;
  std::int64_t output_size() const { return options_.channels.back(); }
  /// See ConvEncoderOptions.
  Size2 grid_size(Size2 picture) const { return options_.grid_size(picture); }

 private:
  struct Block {
    Conv2d conv;
    std::optional<Param> weight, bias;
  };
  ConvEncoderOptions options_;
  std::vector<Block> blocks_;
};

/// A grid of features as a memory to attend to: [B,C,H,W] -> [H*W,B,C], row by row.
Var grid_as_memory(Var grid, Where where = Where::current());
/// A grid of features as one vector, its mean over all places: [B,C,H,W] -> [B,C].
Var grid_mean(Var grid, Where where = Where::current());

}  // namespace spool
