#include <spool/graph/error.hpp>
#include <spool/layers/recurrent.hpp>
#include <spool/ops/record.hpp>

#include <fmt/format.h>

namespace spool::detail {

std::string layer_name(const Init& init, std::string_view kind) {
  if (init.prefix.empty()) return std::string(kind);
  return init.prefix.substr(0, init.prefix.size() - 1);
}

std::string cell_suffix(std::int64_t layer, bool reverse) {
  return fmt::format("_l{}{}", layer, reverse ? "_reverse" : "");
}

void check_layer(const std::string& name, std::int64_t layers, std::vector<double> rates,
                 std::initializer_list<double> more_rates) {
  if (layers < 1) throw ShapeError(fmt::format("{}: layers is {}; it must be 1 or more", name, layers));
  rates.insert(rates.end(), more_rates);
  for (double rate : rates) check_rate(name, rate);
}

void refuse_recurrent_dropout(const std::string& name) {
  throw ShapeError(
      fmt::format("{}: recurrent_dropout needs a cell with step_from(h_in, x, state, where)", name));
}

void check_sequence(const std::string& name, Var xs, std::int64_t input, const Where& where) {
  const Shape& s = xs.shape(where);
  if (s.rank() != 3 || s[0] == 0 || s[2] != input)
    fail_shape(name.c_str(), fmt::format("xs must be [T, B, {}] with at least one step", input), {xs}, where);
}

}  // namespace spool::detail
