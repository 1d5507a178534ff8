// The text of an error, so that tests can hold it word for word.
#pragma once

#include <spool/graph/error.hpp>

#include <regex>
#include <string>
#include <string_view>

/// What f throws, which must be of exactly this kind of error to count: others pass through.
template <class E, class F>
std::string text_of(F&& f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  }
  return "nothing was thrown";
}

template <class F>
std::string tape_error(F&& f) {
  return text_of<spool::TapeError>(f);
}
template <class F>
std::string shape_error(F&& f) {
  return text_of<spool::ShapeError>(f);
}

/// The text of an error with the line that it names, which must be in the caller's file, as "here".
inline std::string here(const std::string& text, std::string_view file = __builtin_FILE()) {
  const std::string name(file.substr(file.find_last_of('/') + 1));
  return std::regex_replace(text, std::regex("(recorded|used) at " + name + ":\\d+"), "$1 here");
}
