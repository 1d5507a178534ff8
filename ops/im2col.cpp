#include <spool/ops/im2col.hpp>
#include <spool/ops/record.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

namespace spool {

namespace {

constexpr std::size_t most_axes = 3;
using Numbers = boost::container::small_vector<std::int64_t, 4 * most_axes + 1>;
using Windows = boost::container::small_vector<Window, most_axes>;

// In attributes a window is four numbers.
void append(Numbers& attrs, std::span<const Window> windows) {
  for (const Window& w : windows) attrs.insert(attrs.end(), {w.kernel, w.stride, w.padding, w.dilation});
}

Windows windows_of(Attrs attrs) {
  Windows windows;
  for (std::size_t i = 0; i + 3 < attrs.size(); i += 4)
    windows.push_back({attrs[i], attrs[i + 1], attrs[i + 2], attrs[i + 3]});
  return windows;
}

Shape columns_shape(const Shape& image, std::span<const Window> windows) {
  Numbers dims{image[1]};
  for (const Window& w : windows) dims.push_back(w.kernel);
  dims.push_back(image[0]);
  for (std::size_t i = 0; i < windows.size(); ++i)
    dims.push_back(windows[i].count(image[static_cast<int>(i) + 2]));
  return Shape(std::span<const std::int64_t>(dims.data(), dims.size()));
}

// The image shape that columns with these spatial sizes come from.
Shape image_shape(const Shape& columns, std::span<const std::int64_t> sizes) {
  Numbers dims{columns[static_cast<int>(sizes.size()) + 1], columns[0]};
  dims.insert(dims.end(), sizes.begin(), sizes.end());
  return Shape(std::span<const std::int64_t>(dims.data(), dims.size()));
}

// Where an image and its windows lie in memory, axis by axis.
struct Layout {
  Layout(const Shape& image, std::span<const Window> w)
      : windows(w), batch(image[0]), channels(image[1]), last(w.size() - 1) {
    for (std::size_t i = 0; i <= last; ++i) {
      size[i] = image[static_cast<int>(i) + 2];
      count[i] = w[i].count(size[i]);
      taps *= w[i].kernel;
      area *= size[i];
      if (i < last) rows *= count[i];
    }
  }

  // The start, in one channel of the image, of the elements that row r of the windows sees through a tap;
  // nothing where that lies outside. Both numbers count through all axes but the last.
  std::optional<std::int64_t> row_start(std::int64_t tap, std::int64_t r) const {
    std::int64_t start = 0, step = size[last];
    for (std::size_t i = last; i-- > 0;) {
      const Window& w = windows[i];
      const std::int64_t at = r % count[i] * w.stride - w.padding + tap % w.kernel * w.dilation;
      if (at < 0 || at >= size[i]) return std::nullopt;
      start += at * step;
      step *= size[i];
      r /= count[i];
      tap /= w.kernel;
    }
    return start;
  }

  std::span<const Window> windows;
  std::int64_t batch, channels;
  std::size_t last;  // axis
  std::array<std::int64_t, most_axes> size{}, count{};
  std::int64_t taps = 1, area = 1, rows = 1;
};

// One row of windows: columns begin..begin+count-1, of which inside_begin..inside_end-1 hold the image's
// elements from, from + step, ...; the others lie outside.
struct Row {
  std::int64_t begin, count;
  std::int64_t inside_begin, inside_end;  // counted from begin
  std::int64_t from, step;                // of the element at inside_begin
};

// Calls f(Row) for all columns, in their order.
template <class F>
void for_each_row(const Layout& at, F&& f) {
  const Window& w = at.windows[at.last];
  const std::int64_t width = at.size[at.last], count = at.count[at.last];
  std::int64_t begin = 0;
  for (std::int64_t c = 0; c < at.channels; ++c)
    for (std::int64_t tap = 0; tap < at.taps; ++tap) {
      // Window l sees element l * stride + shift of the row: inside for first <= l < end.
      const std::int64_t shift = tap % w.kernel * w.dilation - w.padding;
      const auto windows_before = [&](std::int64_t position) {
        return position <= shift ? 0 : std::min(count, (position - shift + w.stride - 1) / w.stride);
      };
      const std::int64_t first = windows_before(0), end = windows_before(width);
      for (std::int64_t b = 0; b < at.batch; ++b)
        for (std::int64_t r = 0; r < at.rows; ++r, begin += count) {
          const auto start = at.row_start(tap / w.kernel, r);
          const std::int64_t from = (b * at.channels + c) * at.area + start.value_or(0);
          f(Row{begin, count, first, start ? end : first, from + first * w.stride + shift, w.stride});
        }
    }
}

// Attributes: fill, then four for each window.
constexpr OpDef im2col_op{
    .name = "im2col",
    .arity = 1,
    .kind = Kind::other,
    .shape = [](const Call& c) -> Shape {
      const Windows windows = windows_of(c.attrs().subspan(1));
      const std::string mistake = window_mistake(c.shape(0), windows);
      if (!mistake.empty()) c.fail(mistake);
      return columns_shape(c.shape(0), windows);
    },
    .eval = eval_of([]<class T>(const Args<T>& a) {
      const T fill = static_cast<T>(unpack(a.attrs[0]));
      const Windows windows = windows_of(a.attrs.subspan(1));
      for_each_row(Layout(*a.in_shapes[0], windows), [&](const Row& row) {
        T* out = a.out + row.begin;
        std::fill_n(out, row.inside_begin, fill);
        std::int64_t at = row.from;
        for (std::int64_t i = row.inside_begin; i < row.inside_end; ++i, at += row.step) out[i] = a.in[0][at];
        std::fill(out + row.inside_end, out + row.count, fill);
      });
    }),
    .vjp = [](const Step& s, Var g) -> Grads {
      const Shape image = s.shape(0);
      return {col2im(g, image.dims().subspan(2), windows_of(s.attrs().subspan(1)))};
    },
};

// Attributes: four for each window, then the spatial sizes: five for each axis in all.
constexpr OpDef col2im_op{
    .name = "col2im",
    .arity = 1,
    .kind = Kind::other,
    .shape = [](const Call& c) -> Shape {
      const std::size_t n = c.attrs().size() / 5;
      const Windows windows = windows_of(c.attrs().first(4 * n));
      const Attrs sizes = c.attrs().subspan(4 * n);
      if (c.shape(0).rank() != static_cast<int>(2 * n + 2))
        c.fail("needs columns [C, kernels..., B, counts...]");
      const Shape image = image_shape(c.shape(0), sizes);
      const std::string mistake = window_mistake(image, windows);
      if (!mistake.empty()) c.fail(mistake);
      if (c.shape(0) != columns_shape(image, windows))
        c.fail(fmt::format("an image {} has columns {}", image.text(), columns_shape(image, windows).text()));
      return image;
    },
    .eval = eval_of([]<class T>(const Args<T>& a) {
      std::fill_n(a.out, a.size(), T(0));
      const Windows windows = windows_of(a.attrs.first(a.attrs.size() / 5 * 4));
      for_each_row(Layout(*a.out_shape, windows), [&](const Row& row) {
        const T* x = a.in[0] + row.begin;
        std::int64_t at = row.from;
        for (std::int64_t i = row.inside_begin; i < row.inside_end; ++i, at += row.step) a.out[at] += x[i];
      });
    }),
    .vjp = [](const Step& s, Var g) -> Grads {
      return {im2col(g, windows_of(s.attrs().first(s.attrs().size() / 5 * 4)))};
    },
};

}  // namespace

std::string window_mistake(const Shape& image, std::span<const Window> windows) {
  if (windows.empty() || windows.size() > most_axes)
    return fmt::format("windows along {} axes; one to three are possible", windows.size());
  if (image.rank() != static_cast<int>(windows.size()) + 2)
    return fmt::format("windows along {} axes need an image of rank {} [B, C, sizes...]", windows.size(),
                       windows.size() + 2);
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const Window& w = windows[i];
    const int axis = static_cast<int>(i) + 2;
    const auto is_size = [](std::int64_t v) { return v >= 1 && v <= 1 << 30; };
    if (!is_size(w.kernel) || !is_size(w.stride) || !is_size(w.dilation) || !is_size(w.padding + 1))
      return fmt::format("kernel {}, stride {}, padding {}, dilation {} is no window", w.kernel, w.stride,
                         w.padding, w.dilation);
    if (w.span() > image[axis] + 2 * w.padding)
      return fmt::format("a window over {} elements does not fit axis {} of size {} with padding {}",
                         w.span(), axis, image[axis], w.padding);
  }
  return {};
}

Var im2col(Operand x, std::span<const Window> windows, double fill) {
  Numbers attrs{pack(fill)};
  append(attrs, windows);
  return record(im2col_op, std::span(&x, 1), Attrs(attrs.data(), attrs.size()));
}

Var im2col(Operand x, std::initializer_list<Window> windows, double fill) {
  return im2col(x, std::span(windows.begin(), windows.size()), fill);
}

Var col2im(Operand x, std::span<const std::int64_t> sizes, std::span<const Window> windows) {
  const Var v = var_of("col2im", x);
  if (sizes.size() != windows.size())
    fail_shape("col2im", fmt::format("{} sizes for {} windows", sizes.size(), windows.size()), {v},
               x.where());
  Numbers attrs;
  append(attrs, windows);
  attrs.insert(attrs.end(), sizes.begin(), sizes.end());
  return record(col2im_op, std::span(&x, 1), Attrs(attrs.data(), attrs.size()));
}

Var col2im(Operand x, std::initializer_list<std::int64_t> sizes, std::initializer_list<Window> windows) {
  return col2im(x, std::span(sizes.begin(), sizes.size()), std::span(windows.begin(), windows.size()));
}

}  // namespace spool
