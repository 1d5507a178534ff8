#include <spool/graph/print.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

namespace spool {

namespace {

std::string attributes(const Tape& tape, std::uint32_t id) {
  const OpDef& op = tape.op(id);
  const Attrs attrs = tape.attrs(id);
  if (is_input(op) || is_param(op) || attrs.empty()) return {};
  return op.describe != nullptr ? " " + op.describe(attrs) : fmt::format(" {{{}}}", fmt::join(attrs, ", "));
}

// A double-quoted Graphviz string.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

}  // namespace

std::string to_text(const Tape& tape) {
  std::string text;
  for (std::uint32_t id = 0; id < tape.size(); ++id) {
    std::string operands;
    for (std::uint32_t o : tape.operands(id))
      operands += fmt::format("{}%{}", operands.empty() ? "" : ", ", o);
    if (!operands.empty()) operands = "(" + operands + ")";
    const std::string call = tape.label(id) + operands + attributes(tape, id);
    const std::string scope = tape.scope(id);
    text += fmt::format("{:>5} = {:<40} {}", fmt::format("%{}", id), call, tape.shape(id).text());
    if (!scope.empty()) text += "  in " + scope;
    text += '\n';
  }
  return text;
}

std::string to_dot(const Tape& tape) {
  std::string edges;
  std::map<std::string, std::string> clusters;  // scope -> its nodes
  for (std::uint32_t id = 0; id < tape.size(); ++id) {
    const bool leaf = is_input(tape.op(id)) || is_param(tape.op(id));
    const std::string label = tape.label(id) + attributes(tape, id) + " " + tape.shape(id).text();
    clusters[tape.scope(id)] += fmt::format("    n{} [label={}{}];\n", id, quoted(label),
                                            leaf ? ", style=filled, fillcolor=lightblue" : "");
    for (std::uint32_t o : tape.operands(id)) edges += fmt::format("  n{} -> n{};\n", o, id);
  }
  std::string text = "digraph tape {\n  node [shape=box, fontname=\"sans-serif\"];\n";
  int number = 0;
  for (const auto& [scope, nodes] : clusters)
    text += scope.empty() ? nodes
                          : fmt::format("  subgraph cluster_{} {{\n    label={};\n{}  }}\n", number++,
                                        quoted(scope), nodes);
  return text + edges + "}\n";
}

TapeStats stats(const Tape& tape) {
  TapeStats s;
  s.nodes = tape.size();
  s.tape_bytes = tape.bytes();
  const std::size_t each = tape.dtype() == DType::f32 ? sizeof(float) : sizeof(double);
  for (std::uint32_t id = 0; id < tape.size(); ++id) {
    s.params += is_param(tape.op(id));
    s.inputs += is_input(tape.op(id));
    s.value_bytes += static_cast<std::size_t>(tape.shape(id).size()) * each;
  }
  return s;
}

std::string to_text(const TapeStats& s) {
  return fmt::format("{} nodes ({} parameters, {} inputs), {} bytes of tape, {} bytes of values", s.nodes,
                     s.params, s.inputs, s.tape_bytes, s.value_bytes);
}

}  // namespace spool
