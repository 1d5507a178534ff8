#include <spool/graph/error.hpp>
#include <spool/graph/state.hpp>

#include <fmt/format.h>

namespace spool::detail {

void check_parts(const char* who, std::size_t found, std::size_t expected) {
  if (found != expected)
    throw ShapeError(fmt::format("{}: there are {} parts for a state of {}; both must be of one model", who,
                                 found, expected));
}

}  // namespace spool::detail
