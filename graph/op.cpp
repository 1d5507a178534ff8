#include <spool/graph/error.hpp>
#include <spool/graph/op.hpp>
#include <spool/graph/tape.hpp>

#include <fmt/format.h>

namespace spool {

Tape& Var::tape(Where where) const {
  if (tape_ == nullptr) detail::refuse_empty("", where);
  tape_->check(*this, "", where);
  return *tape_;
}

const Shape& Var::shape(Where where) const { return tape(where).shape(id_); }

const Shape& Call::shape(int i) const { return tape_.shape(in_[static_cast<std::size_t>(i)].id()); }
void Call::fail(std::string_view what) const { throw ShapeError(tape_.explain(op_.name, what, in_, where_)); }

int Step::arity() const { return static_cast<int>(tape_.operands(id_).size()); }
Var Step::in(int i) const { return tape_.at(tape_.operands(id_)[static_cast<std::size_t>(i)]); }
const Shape& Step::shape(int i) const {
  return tape_.shape(tape_.operands(id_)[static_cast<std::size_t>(i)]);
}
Var Step::out() const { return tape_.at(id_); }
std::int64_t Step::attr(int i) const { return attrs()[static_cast<std::size_t>(i)]; }
Attrs Step::attrs() const { return tape_.attrs(id_); }
Grads Step::grads() const { return Grads(Grads::allocator_type(&tape_.scratch())); }
bool Step::needs(int i) const { return needed_[tape_.operands(id_)[static_cast<std::size_t>(i)]] != 0; }

namespace {

Tape& tape_of_first(const char* op, std::span<const Operand> in) {
  for (const Operand& o : in) {
    if (o.is_number()) continue;
    Tape* tape = o.var().tape_or_null();
    if (tape == nullptr) detail::refuse_empty(op, o.where());
    tape->check(o.var(), op, o.where());
    return *tape;
  }
  throw TapeError(fmt::format("{}: no operand belongs to a tape{}", op,
                              in.empty() ? "" : detail::line_of("recorded", in[0].where())));
}

}  // namespace

Tape& tape_of(const char* op, std::span<const Operand> in) { return tape_of_first(op, in); }

Var record(const OpDef& op, std::span<const Operand> in, Attrs attrs) {
  Tape& tape = tape_of_first(op.name, in);
  boost::container::small_vector<Var, 4> vars;
  for (const Operand& o : in)
    vars.push_back(o.is_number() ? tape.constant(o.number(), {}, o.where()) : o.var());
  return tape.add(op, std::span(vars.data(), vars.size()), attrs, in[0].where());
}

Var record(const OpDef& op, std::initializer_list<Operand> in, std::initializer_list<std::int64_t> attrs) {
  return record(op, std::span(in.begin(), in.size()), Attrs(attrs.begin(), attrs.size()));
}

Shape shapes::same(const Call& call) {
  for (int i = 1; i < call.arity(); ++i)
    if (call.shape(i) != call.shape(0)) call.fail("shapes differ");
  return call.shape(0);
}

}  // namespace spool
