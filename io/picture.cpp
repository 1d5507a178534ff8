#include <spool/graph/error.hpp>
#include <spool/io/picture.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace spool {

namespace {

// How much of a new pixel an old one covers, along one axis.
struct Share {
  std::size_t old_pixel;
  double share;
};

// Of each of `size` new pixels: `length` old ones lie in the middle of a side that is as long as `side` of
// them.
std::vector<std::vector<Share>> shares(std::int64_t length, std::int64_t side, std::int64_t size) {
  const double step = static_cast<double>(side) / static_cast<double>(size);
  const double margin = static_cast<double>(side - length) / 2;
  std::vector<std::vector<Share>> all(static_cast<std::size_t>(size));
  for (std::size_t i = 0; i < all.size(); ++i) {
    const double begin = static_cast<double>(i) * step - margin, end = begin + step;
    for (auto k = static_cast<std::int64_t>(std::max(begin, 0.0)); k < length && static_cast<double>(k) < end;
         ++k) {
      const double covered =
          std::min(end, static_cast<double>(k + 1)) - std::max(begin, static_cast<double>(k));
      if (covered > 0) all[i].push_back({static_cast<std::size_t>(k), covered / step});
    }
  }
  return all;
}

}  // namespace

Tensor fit_square(const Tensor& pixels, std::int64_t size) {
  if (pixels.shape().rank() != 3 || pixels.shape().size() == 0 || size < 1)
    throw ShapeError(fmt::format(
        "fit_square: pixels {} do not become a square of {}; they must be [H,W,C], and the size 1 or more",
        pixels.shape().text(), size));
  const std::int64_t H = pixels.shape()[0], W = pixels.shape()[1], side = std::max(H, W);
  const auto C = static_cast<std::size_t>(pixels.shape()[2]), S = static_cast<std::size_t>(size);
  const auto down = shares(H, side, size), across = shares(W, side, size);
  Tensor square({size, size, pixels.shape()[2]});
  for (std::size_t place = 0; place < S * S; ++place)
    for (std::size_t c = 0; c < C; ++c) {
      double value = 1;  // white, but for what a pixel covers
      for (const Share& y : down[place / S])
        for (const Share& x : across[place % S])
          value += y.share * x.share *
                   (pixels.at((y.old_pixel * static_cast<std::size_t>(W) + x.old_pixel) * C + c) - 1);
      square.set(place * C + c, value);
    }
  return square;
}

}  // namespace spool
