// What op functions share when they record: finding the tape of mixed operands, broadcasting two of them,
// normalising axes. Not for users of ops; useful to those who write them.
#pragma once

#include <spool/graph/op.hpp>
#include <spool/graph/tape.hpp>

#include <initializer_list>
#include <string_view>

namespace spool {

/// An element-wise op, made short: a family has dozens.
constexpr OpDef elementwise(const char* name, int arity, Eval eval, Grads (*vjp)(const Step&, Var) = nullptr,
                            std::string (*describe)(Attrs) = nullptr) {
  return {.name = name,
          .arity = arity,
          .kind = Kind::elementwise,
          .shape = shapes::same,
          .eval = eval,
          .vjp = vjp,
          .describe = describe};
}

// For OpDef::divides: what most ops say.
namespace divides {
/// The attributes are axes that the op works along. Rows stand alone unless the first axis is among them.
std::uint32_t unless_along_rows(Attrs axes);
/// The first attribute is such an axis, and the others are not.
template <std::uint32_t operands>
constexpr std::uint32_t unless_axis_0(Attrs attrs) {
  return attrs[0] != 0 ? operands : 0;
}
template <std::uint32_t operands>
constexpr std::uint32_t always(Attrs) {
  return operands;
}
}  // namespace divides

/// Attributes that are packed numbers, as text: "0.01, 20".
std::string describe_numbers(Attrs attrs);

/// See tape_of in graph/op.hpp.
inline Tape& tape_of(const char* op, std::initializer_list<Operand> in) {
  return tape_of(op, std::span(in.begin(), in.size()));
}

/// The operand itself, or its number as a constant of the given shape.
Var as_var(Tape& tape, const Operand& o, const Shape& shape = {});

/// An operand that must be a Var; TapeError for a number.
Var var_of(const char* op, const Operand& o);
/// The same of one that must be on this tape.
Var var_of(const char* op, const Operand& o, const Tape& tape);

/// An axis counted from the end when negative, as 0..rank-1. ShapeError when out of range.
int axis_of(const char* op, Var x, int axis, const Where& where);

/// Throws the ShapeError of an op function's own checks, in the form of all others; the TapeError of operands
/// of different tapes, should they be.
[[noreturn]] void fail_shape(const char* op, std::string_view what, std::initializer_list<Var> operands,
                             const Where& where);

/// Records an element-wise op of two or three operands after broadcasting them to one shape.
Var record_broadcast(const OpDef& op, std::initializer_list<Operand> in, Attrs attrs = {});

}  // namespace spool
