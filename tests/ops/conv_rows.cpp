// Rows of ops/im2col and ops/conv, against the sums that define them.
#include "op_table.hpp"

#include <algorithm>
#include <limits>

namespace spool::test {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// Geometry of a window that moves over [B,C,H,W]; one spatial axis is H = 1.
struct Geometry {
  std::int64_t kh = 1, kw = 1, sh = 1, sw = 1, ph = 0, pw = 0, dh = 1, dw = 1;
  std::int64_t rows(std::int64_t h) const { return (h + 2 * ph - dh * (kh - 1) - 1) / sh + 1; }
  std::int64_t columns(std::int64_t w) const { return (w + 2 * pw - dw * (kw - 1) - 1) / sw + 1; }
};

// Four sizes of an image of rank 3 or 4.
std::array<std::int64_t, 4> sizes(const Tensor& t) {
  const Shape& s = t.shape();
  return s.rank() == 3 ? std::array{s[0], s[1], std::int64_t{1}, s[2]} : std::array{s[0], s[1], s[2], s[3]};
}

// Element of [N,C,H,W], or `outside`.
double at(const Tensor& t, std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w, double outside) {
  const auto [N, C, H, W] = sizes(t);
  if (h < 0 || h >= H || w < 0 || w >= W) return outside;
  return t.at(static_cast<std::size_t>(((n * C + c) * H + h) * W + w));
}

// The kernel is the weight's.
Reference conv_reference(const Geometry& strides, std::int64_t groups) {
  return [=](const std::vector<Tensor>& in) {
    const auto [B, C, H, W] = sizes(in[0]);
    const auto [O, Cg, KH, KW] = sizes(in[1]);
    Geometry g = strides;
    g.kh = KH, g.kw = KW;
    std::vector<double> y;
    for (std::int64_t b = 0; b < B; ++b)
      for (std::int64_t o = 0; o < O; ++o)
        for (std::int64_t i = 0; i < g.rows(H); ++i)
          for (std::int64_t j = 0; j < g.columns(W); ++j) {
            double sum = in.size() > 2 ? in[2].at(static_cast<std::size_t>(o)) : 0;
            for (std::int64_t c = 0; c < Cg; ++c)
              for (std::int64_t p = 0; p < KH; ++p)
                for (std::int64_t q = 0; q < KW; ++q)
                  sum += at(in[1], o, c, p, q, 0) * at(in[0], b, o / (O / groups) * (C / groups) + c,
                                                       i * g.sh - g.ph + p * g.dh, j * g.sw - g.pw + q * g.dw,
                                                       0);
            y.push_back(sum);
          }
    return y;
  };
}

// The elements of each window that lie inside, folded by f.
template <class F>
Reference pool_reference(const Geometry& g, F f) {
  return [=](const std::vector<Tensor>& in) {
    const auto [B, C, H, W] = sizes(in[0]);
    std::vector<double> y;
    for (std::int64_t bc = 0; bc < B * C; ++bc)
      for (std::int64_t i = 0; i < g.rows(H); ++i)
        for (std::int64_t j = 0; j < g.columns(W); ++j) {
          std::vector<double> seen;
          for (std::int64_t p = 0; p < g.kh; ++p)
            for (std::int64_t q = 0; q < g.kw; ++q)
              if (const double v = at(in[0], bc / C, bc % C, i * g.sh - g.ph + p * g.dh,
                                      j * g.sw - g.pw + q * g.dw, infinity);
                  v != infinity)
                seen.push_back(v);
          y.push_back(f(seen));
        }
    return y;
  };
}

double largest(const std::vector<double>& v) { return *std::ranges::max_element(v); }
double average(const std::vector<double>& v) {
  double sum = 0;
  for (double x : v) sum += x;
  return sum / static_cast<double>(v.size());
}

std::vector<OpRow> window_rows() {
  return {
      {.name = "im2col",
       .f = [](Tape&,
               const Vars& in) { return im2col(in[0], {{.kernel = 2, .stride = 2, .padding = 1}}, 9); },
       .samples = {{{values({1, 1, 4}, {1, 2, 3, 4})}, {9, 2, 4, 1, 3, 9}},
                   {{values({2, 1, 2}, {1, 2, 3, 4})}, {9, 2, 9, 4, 1, 9, 3, 9}},
                   {{real({2, 3, 5})}},
                   {{real({0, 2, 3})}},
                   {{real({2, 0, 3})}},
                   {{real({1, 1, 0})}}},
       .errors =
           {error(
                [](Tape& t) {
                  im2col(t.input(Tensor({1, 1, 2})), {{.kernel = 2, .dilation = 2}});
                },
                "im2col: a window over 3 elements does not fit axis 2 of size 2 with padding 0\n"
                "  a  input  [1, 1, 2]"),
            error(
                [](Tape& t) {
                  im2col(t.input(Tensor({1, 2})), {{.kernel = 2}});
                },
                "im2col: windows along 1 axes need an image of rank 3 [B, C, sizes...]\n  a  input  [1, 2]"),
            error(
                [](Tape& t) {
                  im2col(t.input(Tensor({1, 1, 2})), {{.stride = 0}});
                },
                "im2col: kernel 1, stride 0, padding 0, dilation 1 is no window\n  a  input  [1, 1, 2]"),
            error(
                [](Tape& t) {
                  im2col(t.input(Tensor({1, 1})), {});
                },
                "im2col: windows along 0 axes; one to three are possible\n  a  input  [1, 1]"),
            error(
                [](Tape& t) {
                  im2col(t.input(Tensor({1, 1, 1, 1, 1, 1})), {{}, {}, {}, {}});
                },
                "im2col: windows along 4 axes; one to three are possible\n"
                "  a  input  [1, 1, 1, 1, 1, 1]")}},
      {.name = "im2col over three axes, dilated",
       .f =
           [](Tape&, const Vars& in) {
             return im2col(in[0], {{.kernel = 2}, {.kernel = 2, .dilation = 2}, {.kernel = 1, .padding = 1}});
           },
       .samples = {{{values({1, 1, 2, 3, 1}, {1, 2, 3, 4, 5, 6})}, {0, 1, 0, 0, 3, 0, 0, 4, 0, 0, 6, 0}},
                   {{real({2, 2, 3, 3, 2})}}},
       .without_empty = true},
      {.name = "col2im",
       .f = [](Tape&, const Vars& in) { return col2im(in[0], {4}, {{.kernel = 2, .padding = 1}}); },
       .samples = {{{values({1, 2, 1, 5}, {1, 2, 3, 4, 5, 10, 20, 30, 40, 50})}, {12, 23, 34, 45}},
                   {{real({3, 2, 2, 5})}},
                   {{real({3, 2, 0, 5})}}},
       .errors = {error(
                      [](Tape& t) {
                        col2im(t.input(Tensor({1, 2, 1, 3})), {5}, {{.kernel = 2}});
                      },
                      "col2im: an image [1, 1, 5] has columns [1, 2, 1, 4]\n  a  input  [1, 2, 1, 3]"),
                  error(
                      [](Tape& t) {
                        col2im(t.input(Tensor({1, 2, 1})), {5}, {{.kernel = 2}});
                      },
                      "col2im: needs columns [C, kernels..., B, counts...]\n  a  input  [1, 2, 1]"),
                  error(
                      [](Tape& t) {
                        col2im(t.input(Tensor({1, 2, 1, 3})), {5, 5}, {{.kernel = 2}});
                      },
                      "col2im: 2 sizes for 1 windows\n  a  input  [1, 2, 1, 3]")}},
  };
}

std::vector<Refusal> conv_errors() {
  return {
      error(
          [](Tape& t) {
            conv1d(t.input(Tensor({1, 3, 9})), t.input(Tensor({4, 2, 3})));
          },
          "conv1d: the weight is for 2 input channels in a group; x has 3\n  a  input  [1, 3, 9]\n"
          "  b  input  [4, 2, 3]"),
      error(
          [](Tape& t) {
            conv1d(t.input(Tensor({1, 3, 9})), t.input(Tensor({4, 3, 3})), {.groups = 2});
          },
          "conv1d: 3 input and 4 output channels do not fall into 2 groups\n  a  input  [1, 3, 9]\n"
          "  b  input  [4, 3, 3]"),
      error(
          [](Tape& t) {
            conv1d(t.input(Tensor({3, 9})), t.input(Tensor({4, 3, 3})));
          },
          "conv1d: x and weight must be of rank 3\n  a  input  [3, 9]\n  b  input  [4, 3, 3]"),
      error(
          [](Tape& t) {
            conv1d(t.input(Tensor({1, 3, 2})), t.input(Tensor({4, 3, 3})));
          },
          "conv1d: a window over 3 elements does not fit axis 2 of size 2 with padding 0\n"
          "  a  input  [1, 3, 2]\n  b  input  [4, 3, 3]"),
      error(
          [](Tape& t) {
            conv1d(t.input(Tensor({1, 3, 9})), t.input(Tensor({4, 3, 3})), t.input(Tensor({3})));
          },
          "conv1d: the bias must be of shape [4]\n  a  input  [3]"),
  };
}

std::vector<OpRow> convolution_rows() {
  return {
      {.name = "conv1d",
       .f =
           [](Tape&, const Vars& in) {
             return conv1d(in[0], in[1], in[2], {.stride = 2, .padding = 1, .dilation = 2});
           },
       .samples = {{{real({2, 3, 7}), real({2, 3, 3}), real({2})}},
                   {{real({0, 3, 7}), real({2, 3, 3}), real({2})}},
                   {{real({1, 0, 4}), real({2, 0, 1}), real({2})}}},
       .reference = conv_reference({.sw = 2, .pw = 1, .dw = 2}, 1),
       .errors = conv_errors()},
      {.name = "conv1d in groups",
       .f = [](Tape&, const Vars& in) { return conv1d(in[0], in[1], {.groups = 2}); },
       .samples = {{{real({2, 4, 5}), real({6, 2, 2})}}, {{real({2, 2, 3}), real({2, 1, 3})}}},
       .reference = conv_reference({}, 2),
       .without_empty = true},
      {.name = "conv2d",
       .f =
           [](Tape&, const Vars& in) {
             return conv2d(in[0], in[1], in[2], {.stride = {2, 1}, .padding = {1, 0}, .dilation = {1, 2}});
           },
       .samples = {{{real({1, 2, 4, 5}), real({2, 2, 3, 2}), real({2})}},
                   {{real({2, 1, 3, 3}), real({1, 1, 1, 2}), real({1})}},
                   {{real({1, 2, 4, 5}), real({0, 2, 3, 2}), real({0})}}},
       .reference = conv_reference({.sh = 2, .ph = 1, .dw = 2}, 1),
       .errors = {error(
           [](Tape& t) {
             conv2d(t.input(Tensor({1, 3, 9})), t.input(Tensor({4, 3, 3})));
           },
           "conv2d: x and weight must be of rank 4\n  a  input  [1, 3, 9]\n  b  input  [4, 3, 3]")}},
      {.name = "conv2d in groups",
       .f = [](Tape&, const Vars& in) { return conv2d(in[0], in[1], {.padding = 1, .groups = 2}); },
       .samples = {{{real({1, 2, 2, 3}), real({4, 1, 3, 3})}}},
       .reference = conv_reference({.ph = 1, .pw = 1}, 2),
       .without_empty = true},
  };
}

std::vector<OpRow> pool_rows() {
  return {
      {.name = "max_pool1d",
       .f = [](Tape&, const Vars& in) { return max_pool1d(in[0], {.kernel = 2, .stride = 1, .padding = 1}); },
       .samples = {{{values({1, 1, 4}, {-3, -1, -4, -2})}, {-3, -1, -1, -2, -2}},
                   {{real({2, 2, 5}, -9, 9)}},
                   {{real({0, 2, 5})}}},
       .reference = pool_reference({.kw = 2, .pw = 1}, largest),
       .errors = {error(
                      [](Tape& t) {
                        max_pool1d(t.input(Tensor({1, 1, 5})), {.kernel = 3, .padding = 2});
                      },
                      "max_pool1d: padding 2 is more than half the kernel 3\n  a  input  [1, 1, 5]"),
                  error(
                      [](Tape& t) {
                        max_pool1d(t.input(Tensor({1, 1, 5})), {.kernel = 0});
                      },
                      "max_pool1d: kernel 0, stride 0, padding 0, dilation 1 is no window\n"
                      "  a  input  [1, 1, 5]")}},
      {.name = "max_pool2d",
       .f =
           [](Tape&, const Vars& in) {
             return max_pool2d(in[0], {.kernel = {2, 3}, .stride = 2, .padding = 1, .dilation = {2, 1}});
           },
       .samples = {{{real({2, 1, 4, 5}, -9, 9)}}, {{real({1, 0, 3, 3})}}},
       .reference = pool_reference({.kh = 2, .kw = 3, .sh = 2, .sw = 2, .ph = 1, .pw = 1, .dh = 2}, largest)},
      {.name = "avg_pool1d",
       .f = [](Tape&, const Vars& in) { return avg_pool1d(in[0], {.kernel = 3, .stride = 2, .padding = 1}); },
       .samples = {{{values({1, 1, 4}, {3, 6, 9, 12})}, {3, 9}}, {{real({2, 2, 5})}}, {{real({0, 2, 5})}}}},
      {.name = "avg_pool2d without padding in the count",
       .f =
           [](Tape&, const Vars& in) {
             return avg_pool2d(in[0], {.kernel = {3, 2}, .stride = {1, 2}, .padding = 1}, false);
           },
       .samples = {{{real({2, 1, 3, 4})}}, {{real({1, 0, 3, 3})}}},
       .reference = pool_reference({.kh = 3, .kw = 2, .sw = 2, .ph = 1, .pw = 1}, average)},
  };
}

}  // namespace

std::vector<OpRow> conv_rows() {
  std::vector<OpRow> all = window_rows();
  for (auto& rows : {convolution_rows(), pool_rows()}) all.insert(all.end(), rows.begin(), rows.end());
  return all;
}

}  // namespace spool::test
