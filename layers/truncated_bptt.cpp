#include <spool/graph/error.hpp>
#include <spool/layers/truncated_bptt.hpp>
#include <spool/ops/record.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace spool {

std::vector<BpttWindow> bptt_windows(std::int64_t steps, const Truncation& k) {
  if (k.k1 < 1 || k.k2 < k.k1)
    throw ShapeError(
        fmt::format("bptt_windows: k1 is {} and k2 is {}; they must be 1 <= k1 <= k2", k.k1, k.k2));
  if (steps < 0)
    throw ShapeError(fmt::format("bptt_windows: there are {} steps; it must be 0 or more", steps));
  std::vector<BpttWindow> windows;
  for (std::int64_t fresh = 0; fresh < steps;) {
    const std::int64_t end = fresh + std::min(k.k1, steps - fresh);
    const std::int64_t begin = k.k1 == k.k2 ? fresh : std::max<std::int64_t>(0, end - k.k2);
    if (!windows.empty()) windows.back().carry = begin;
    windows.push_back({.begin = begin, .fresh = fresh, .carry = end, .end = end});
    fresh = end;
  }
  return windows;
}

void detail::check_window(const BpttWindow& window, Var xs, const Where& where) {
  const auto [begin, fresh, carry, end] = window;
  if (!(begin <= fresh && fresh < end && begin <= carry && carry <= end))
    throw ShapeError(
        xs.tape(where).explain("unroll_window",
                               fmt::format("no window begins at {}, is fresh from {}, carries at {} "
                                           "and ends at {}; take one from bptt_windows()",
                                           begin, fresh, carry, end),
                               {}, where));
  if (xs.shape(where).rank() == 0 || xs.shape()[0] != end - begin)
    fail_shape("unroll_window",
               fmt::format("xs must hold the window's {} steps, {}..{}", end - begin, begin, end - 1), {xs},
               where);
}

void detail::check_outputs(Var ys, std::int64_t steps, const Where& where) {
  if (ys.shape(where).rank() == 0 || ys.shape()[0] != steps)
    fail_shape("unroll_window", fmt::format("run must give an output for each of its {} steps", steps), {ys},
               where);
}

}  // namespace spool
