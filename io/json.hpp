// JSON read strictly, on top of Boost.JSON: a key that stands twice in one object is an error, since the two
// readers of such a file may see different things. Only io/*.cpp include this.
#pragma once

#include <boost/json.hpp>

#include <string>
#include <string_view>

namespace spool {

/// Parses one JSON text. Throws FileError "origin: what ...: why", `what` being "the header" for instance.
boost::json::value parse_json(std::string_view text, const std::string& origin, std::string_view what);

}  // namespace spool
