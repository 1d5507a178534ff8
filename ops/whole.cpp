#include <spool/ops/whole.hpp>

#include <fmt/format.h>

#include <cmath>
#include <stdexcept>

namespace spool::detail {

void refuse_whole(const char* what, double value, std::int64_t position, std::int64_t first,
                  std::int64_t last) {
  const std::string which = fmt::format("{} {} at position {}", what, value, position);
  if (last < first) throw std::domain_error(fmt::format("{}: there is nothing to choose from", which));
  if (std::isfinite(value) && value != std::floor(value))
    throw std::domain_error(fmt::format("{} is no whole number", which));
  throw std::domain_error(fmt::format("{} is outside {}..{}", which, first, last));
}

}  // namespace spool::detail
