#include <spool/graph/error.hpp>
#include <spool/layers/cell.hpp>
#include <spool/ops/record.hpp>

#include <fmt/format.h>

namespace spool::detail {

void check_cells(std::string_view model, std::size_t found, std::size_t cells) {
  if (found != cells)
    throw ShapeError(fmt::format("{}: the state is of {} cells; this model has {}", model, found, cells));
}

void check_rate(std::string_view who, double rate) {
  if (!(rate >= 0 && rate <= 1))
    throw ShapeError(fmt::format("{}: a rate of dropout or zoneout is {}; it must lie in 0..1", who, rate));
}

void check_training(std::string_view who, std::string_view told, std::optional<bool> training) {
  if (!training)
    throw TapeError(
        fmt::format("{}: it drops values at random; tell {} {{.training = true}} or "
                    "{{.training = false}}",
                    who, told));
}

void check_kept(const char* who, const Vars& before, const Vars& now, const Where& where) {
  if (now.size() != before.size())
    throw ShapeError(
        fmt::format("{}: a state keeps its parts, but {} became {}", who, before.size(), now.size()));
  for (std::size_t i = 0; i < now.size(); ++i)
    if (now[i].shape(where) != before[i].shape(where))
      fail_shape(who, "each part of the state keeps its shape", {before[i], now[i]}, where);
}

}  // namespace spool::detail
