// Does grad_check bite? Breaks the gradient of every op of the table in every small way (off by a millionth,
// a term dropped, two terms swapped) and expects to be told. No library code is touched: a row's recording is
// recorded again, with one op replaced by a copy whose gradient rule is the broken one.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "catch.hpp"
#include "op_table.hpp"

using namespace spool;
using namespace spool::test;

namespace {

struct Mutation {
  enum Kind { scale, drop, swap } kind;
  const OpDef* op;
  std::size_t i, j = 0;

  std::string text() const {
    const char* what = kind == scale ? "scale" : kind == drop ? "drop" : "swap";
    return fmt::format("{}: {} {}{}", op->name, what, i, kind == swap ? fmt::format(" and {}", j) : "");
  }
};

// A gradient rule is a plain function, so the mutation at work is known to it from here only.
Mutation current;

// What grad() does with a slice without a rule, as a rule.
Grads rule(const Step& step, Var g) {
  if (current.op->vjp != nullptr) return current.op->vjp(step, g);
  const int axis = static_cast<int>(step.attr(0));
  return {place(g, axis, step.attr(1), step.shape(0)[axis])};
}

Grads broken(const Step& step, Var g) {
  Grads grads = rule(step, g);
  if (std::max(current.i, current.j) >= grads.size() || !grads[current.i].valid()) return grads;
  Var& at = grads[current.i];
  if (current.kind == Mutation::scale) at = at * (1 + 1e-6);
  if (current.kind == Mutation::drop) at = Var{};
  if (current.kind == Mutation::swap) {
    Var& other = grads[current.j];
    if (other.valid() && other.shape() == at.shape()) std::swap(at, other);
  }
  return grads;
}

// What a row records, recorded again with the mutant in the place of its op.
class Mutant {
 public:
  Mutant(const OpRow& row, const Mutation& m) : row_(row), mutation_(m), op_(*m.op) { op_.vjp = broken; }

  Var operator()(Tape& tape, const Vars& in) const {
    current = mutation_;
    Tape from(DType::f64);
    Vars nodes;
    for (const Var& v : in) from.input(v.shape());
    Vars inputs;
    for (std::uint32_t id = 0; id < in.size(); ++id) inputs.push_back(from.at(id));
    const Var out = row_.f(from, inputs);
    for (std::uint32_t id = 0; id < from.size(); ++id) {
      const OpDef& op = from.op(id);
      Vars operands;
      for (std::uint32_t o : from.operands(id)) operands.push_back(nodes[o]);
      if (id < in.size())
        nodes.push_back(in[id]);
      else if (is_input(op))
        nodes.push_back(tape.input(from.bound(id)));
      else if (is_constant(op))
        nodes.push_back(tape.constant(constant_value(from, id), from.shape(id)));
      else
        nodes.push_back(tape.add(&op == mutation_.op ? op_ : op, operands, from.attrs(id), Where::current()));
    }
    return nodes[out.id()];
  }

 private:
  const OpRow& row_;
  Mutation mutation_;
  OpDef op_;
};

std::vector<Tensor> tensors(const Sample& sample) {
  std::vector<Tensor> all;
  for (const In& i : sample.in) all.emplace_back(i.shape, std::span<const double>(i.values), DType::f64);
  return all;
}

std::vector<std::vector<double>> gradients(const std::function<Var(Tape&, const Vars&)>& f,
                                           const Sample& sample) {
  Tape tape(DType::f64);
  Vars in;
  for (const Tensor& t : tensors(sample)) in.push_back(tape.input(t));
  const Var out = f(tape, in);
  std::vector<double> weights;
  for (std::int64_t i = 0; i < out.shape().size(); ++i) weights.push_back(1 + 0.1 * static_cast<double>(i));
  return run_plain<double>(tape, grad(sum(out * tape.input(Tensor(out.shape(), weights))), in));
}

// All mutations of all ops on a row's tapes.
std::vector<Mutation> mutations(const OpRow& row) {
  std::map<const OpDef*, std::size_t> arities;
  for (const Sample& sample : row.samples) {
    Tape tape(DType::f64);
    Vars in;
    for (const Tensor& t : tensors(sample)) in.push_back(tape.input(t));
    row.f(tape, in);
    for (std::uint32_t id = 0; id < tape.size(); ++id)
      if (tape.op(id).vjp != nullptr || tape.op(id).kind == Kind::slice)
        arities[&tape.op(id)] = std::max(arities[&tape.op(id)], tape.operands(id).size());
  }
  std::vector<Mutation> all;
  for (const auto& [op, arity] : arities)
    for (std::size_t i = 0; i < arity; ++i) {
      all.push_back({Mutation::scale, op, i});
      all.push_back({Mutation::drop, op, i});
      for (std::size_t j = i + 1; j < arity; ++j) all.push_back({Mutation::swap, op, i, j});
    }
  return all;
}

// Whether grad_check sees the mutation on some sample; nothing where it changes no gradient.
std::optional<bool> caught(const OpRow& row, const Mutation& m) {
  std::optional<bool> result;
  const Mutant mutant(row, m);
  for (const Sample& sample : row.samples) {
    if (gradients(mutant, sample) == gradients(row.f, sample)) continue;
    GradCheckOptions options;
    for (std::size_t i = 0; i < sample.in.size(); ++i)
      if (sample.in[i].differentiable) options.wrt.push_back(i);
    const GradReport report = grad_check(mutant, tensors(sample), options);
    if (std::ranges::any_of(report.inputs,
                            [](const GradInput& i) { return i.worst.verdict == GradVerdict::wrong; }))
      return true;
    result = false;
  }
  return result;
}

}  // namespace

TEST_CASE("grad_check catches every broken gradient") {
  std::map<std::string, bool> seen;              // by mutation: whether some row catches it
  std::map<std::string, std::size_t> effective;  // by op: mutations that change a gradient
  for (const OpRow& row : all_rows()) {
    if (row.smooth == Smooth::no) continue;
    for (const Mutation& m : mutations(row)) {
      std::size_t& count = effective[m.op->name];
      if (const auto it = seen.find(m.text()); it != seen.end() && it->second) continue;
      if (const std::optional<bool> found = caught(row, m)) {
        seen[m.text()] = *found;
        ++count;
      }
    }
  }
  for (const auto& [mutation, known] : seen) {
    INFO(mutation);
    CHECK(known);
  }
  for (const auto& [op, count] : effective) {
    INFO("no mutation of " << op << " changes anything");
    CHECK(count > 0);
  }
  fmt::print("{} broken gradients of {} ops tried\n", seen.size(), effective.size());
}
