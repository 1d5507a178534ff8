// Whole numbers held in floating point: indices, classes and lengths travel in the tape's own dtype and are
// checked where they are used.
#pragma once

#include <cstdint>

namespace spool::detail {

/// Throws the std::domain_error that says what is wrong with an index, where it stands and what is allowed.
[[noreturn]] void refuse_whole(const char* what, double value, std::int64_t position, std::int64_t first,
                               std::int64_t last);

/// The number as an integer in first..last, or refuse_whole(). `what` names it: "index", "length".
template <class T>
std::int64_t whole(const char* what, const T& number, std::int64_t position, std::int64_t first,
                   std::int64_t last) {
  const auto v = static_cast<double>(number);
  if (v >= static_cast<double>(first) && v <= static_cast<double>(last)) {
    const auto i = static_cast<std::int64_t>(v);
    if (static_cast<double>(i) == v) return i;
  }
  refuse_whole(what, v, position, first, last);
}

/// An index into `size` elements.
template <class T>
std::int64_t index(const T& number, std::int64_t position, std::int64_t size) {
  return whole("index", number, position, 0, size - 1);
}

}  // namespace spool::detail
