// Var: a handle on one node of a tape. Operand: what ops take, a Var or a plain number, together with the
// line of the program that wrote it, so that an error can point there.
#pragma once

#include <spool/graph/shape.hpp>

#include <boost/container/small_vector.hpp>

#include <cstdint>

namespace spool {

class Tape;

/// A line of the program. `Where where = Where::current()` as a default argument is the caller's line.
/// (std::source_location would be this, but clang 14 cannot compile libstdc++'s.)
class Where {
 public:
  static constexpr Where current(const char* file = __builtin_FILE(), std::uint32_t line = __builtin_LINE()) {
    return Where(file, line);
  }

  /// No line, where none is known.
  static constexpr Where none() { return Where(nullptr, 0); }

  constexpr const char* file_name() const { return file_; }
  constexpr std::uint32_t line() const { return line_; }

 private:
  constexpr Where(const char* file, std::uint32_t line) : file_(file), line_(line) {}
  const char* file_;
  std::uint32_t line_;
};

class Var {
 public:
  Var() = default;  ///< Refers to nothing; using it is a TapeError.

  bool valid() const { return tape_ != nullptr; }
  /// Throws TapeError when the handle is empty or older than the tape's clear().
  Tape& tape(Where where = Where::current()) const;
  const Shape& shape(Where where = Where::current()) const;  ///< Likewise.
  std::uint32_t id() const { return id_; }
  std::uint32_t epoch() const { return epoch_; }
  Tape* tape_or_null() const { return tape_; }

  friend bool operator==(const Var&, const Var&) = default;

 private:
  friend class Tape;
  Var(Tape* tape, std::uint32_t id, std::uint32_t epoch) : tape_(tape), id_(id), epoch_(epoch) {}
  Tape* tape_ = nullptr;
  std::uint32_t id_ = 0;
  std::uint32_t epoch_ = 0;
};

/// A list of Vars; short ones take no memory from the heap.
using Vars = boost::container::small_vector<Var, 8>;

/// An op's argument. Made by implicit conversion at the caller's line.
class Operand {
 public:
  Operand(Var v, Where where = Where::current()) : var_(v), where_(where) {}  // NOLINT
  Operand(double number, Where where = Where::current())                      // NOLINT
      : is_number_(true), number_(number), where_(where) {}
  // Not trivial, so that calls pass the address of an operand and not a copy of it.
  Operand(const Operand& o) : var_(o.var_), is_number_(o.is_number_), number_(o.number_), where_(o.where_) {}
  Operand& operator=(const Operand&) = default;

  bool is_number() const { return is_number_; }  ///< An empty Var is none: it is a mistake.
  const Var& var() const { return var_; }
  double number() const { return number_; }
  const Where& where() const { return where_; }

 private:
  Var var_;
  bool is_number_ = false;
  double number_ = 0;
  Where where_;
};

}  // namespace spool
