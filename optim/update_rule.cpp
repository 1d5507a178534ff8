#include <spool/graph/error.hpp>
#include <spool/optim/update_rule.hpp>

#include <fmt/format.h>

#include <cmath>

namespace spool {

Limit at_least_0(const char* option, double value) {
  return {option, value, value >= 0 && std::isfinite(value), "a finite number of at least 0"};
}

Limit fraction(const char* option, double value) {
  return {option, value, value >= 0 && value < 1, "in [0, 1)"};
}

void check_limits(const char* name, std::span<const Limit> limits) {
  for (const Limit& l : limits)
    if (!l.holds)
      throw TapeError(fmt::format("{}: {} is {}; it must be {}", name, l.option, l.value, l.rule));
}

}  // namespace spool
