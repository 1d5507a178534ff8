// The text of an error, so that tests can hold it word for word.
#pragma once

#include <spool/graph/error.hpp>

#include <string>

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
