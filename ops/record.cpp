#include <spool/graph/error.hpp>
#include <spool/ops/movement.hpp>
#include <spool/ops/record.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace spool {

std::uint32_t divides::unless_along_rows(Attrs axes) {
  return std::ranges::find(axes, 0) == axes.end() ? 1 : 0;
}

std::string describe_numbers(Attrs attrs) {
  std::string text;
  for (const std::int64_t bits : attrs) text += fmt::format("{}{}", text.empty() ? "" : ", ", unpack(bits));
  return text;
}

Var as_var(Tape& tape, const Operand& o, const Shape& shape) {
  return o.is_number() ? tape.constant(o.number(), shape, o.where()) : o.var();
}

Var var_of(const char* op, const Operand& o) {
  tape_of(op, std::span(&o, 1));
  return o.var();
}

Var var_of(const char* op, const Operand& o, const Tape& tape) {
  if (o.is_number()) return var_of(op, o);
  tape.check(o.var(), op, o.where());
  return o.var();
}

int axis_of(const char* op, Var x, int axis, const Where& where) {
  const int rank = tape_of(op, {Operand(x, where)}).shape(x.id()).rank();
  if (axis < -rank || axis >= rank)
    fail_shape(op, fmt::format("axis {} does not exist in an array of rank {}", axis, rank), {x}, where);
  return axis < 0 ? axis + rank : axis;
}

void fail_shape(const char* op, std::string_view what, std::initializer_list<Var> operands,
                const Where& where) {
  Tape& tape = operands.begin()->tape(where);
  throw ShapeError(tape.explain(op, what, std::span(operands.begin(), operands.size()), where));
}

namespace {

using FewVars = boost::container::small_vector<Var, 3>;

// The shape that all operands broadcast to.
Shape joint_shape(const char* op, Tape& tape, std::initializer_list<Operand> in) {
  std::optional<Shape> joint;
  for (const Operand& o : in) {
    if (o.is_number()) continue;
    const Shape& s = tape.shape(o.var().id());
    joint = joint ? broadcast_shapes(*joint, s) : s;
    if (joint) continue;
    FewVars vars;
    for (const Operand& p : in) vars.push_back(as_var(tape, p));
    throw ShapeError(
        tape.explain(op, "shapes do not broadcast", {vars.data(), vars.size()}, in.begin()->where()));
  }
  return *joint;
}

}  // namespace

Var record_broadcast(const OpDef& op, std::initializer_list<Operand> in, Attrs attrs) {
  Tape& tape = tape_of(op.name, in);
  const Where& where = in.begin()->where();
  const Shape* shape = nullptr;
  bool equal = true;
  for (const Operand& o : in) {
    if (o.is_number()) continue;
    tape.check(o.var(), op.name, o.where());
    const Shape* s = &tape.shape(o.var().id());
    equal = equal && (shape == nullptr || s == shape);  // equal shapes of one tape are one object
    shape = s;
  }
  FewVars vars;
  if (equal) {
    for (const Operand& o : in) vars.push_back(as_var(tape, o, *shape));
  } else {
    const Shape joint = joint_shape(op.name, tape, in);
    for (const Operand& o : in) vars.push_back(broadcast_to({as_var(tape, o, joint), where}, joint));
  }
  return tape.add(op, {vars.data(), vars.size()}, attrs, where);
}

}  // namespace spool
