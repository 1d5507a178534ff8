// The exceptions Spool throws. ShapeError, TapeError and FileError are for mistakes that the caller can
// mend; each names what to do. InternalError is a bug in Spool: no input should ever reach one.
#pragma once

#include <stdexcept>
#include <string>

namespace spool {

/// Base of every error that a user can cause.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Shapes, axes or sizes that do not fit. Thrown while recording, at the line that records.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// A tape, variable, parameter or value used in a way that has no meaning (stale handle, unbound input, ...).
class TapeError : public Error {
 public:
  using Error::Error;
};

/// A file that is missing, unreadable, malformed, or that holds something else than what was asked for.
class FileError : public Error {
 public:
  using Error::Error;
};

/// A broken invariant inside Spool. Please report it.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

}  // namespace spool
