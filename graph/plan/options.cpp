#include <spool/graph/error.hpp>
#include <spool/graph/plan/options.hpp>

#include <fmt/format.h>

#include <cstdlib>
#include <utility>

namespace spool::plan {

Options parse_options(std::string_view text) {
  Options o;
  const std::pair<std::string_view, bool*> passes[] = {
      {"sums", &o.sums},   {"select", &o.select}, {"fuse", &o.fuse},  {"sink", &o.sink},
      {"group", &o.group}, {"place", &o.place},   {"reuse", &o.reuse}};
  if (text == "plain") {
    o.plain = true;
    return o;
  }
  while (!text.empty()) {
    const auto comma = text.find(',');
    const std::string_view word = text.substr(0, comma);
    bool known = false;
    for (const auto& [name, on] : passes)
      if (word.substr(0, 1) == "-" && word.substr(1) == name) *on = false, known = true;
    if (!known)
      throw TapeError(
          fmt::format("passes (SPOOL_PLAN, TapeOptions::plan): \"{}\" is neither plain nor one of -sums, "
                      "-select, -fuse, -sink, "
                      "-group, -place, -reuse",
                      word));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return o;
}

Options chosen_options(std::string_view text) {
  const char* variable = std::getenv("SPOOL_PLAN");
  return parse_options(!text.empty() ? text : variable != nullptr ? variable : "");
}

}  // namespace spool::plan
