#include <spool/graph/columns.hpp>

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace spool {

namespace {

constexpr OpDef input_op{.name = "input", .arity = 0, .kind = Kind::leaf, .shape = nullptr, .eval = {}};
constexpr OpDef param_op{.name = "param", .arity = 0, .kind = Kind::leaf, .shape = nullptr, .eval = {}};
constexpr OpDef constant_op{
    .name = "constant",
    .arity = 0,
    .kind = Kind::constant,
    .shape = nullptr,
    .eval = eval_of([]<class T>(const Args<T>& a) {
      const T v = static_cast<T>(unpack(a.attrs[0]));
      for (std::int64_t i = 0; i < a.size(); ++i) a.out[i] = v;
    }),
    .describe = [](Attrs a) { return fmt::format("{}", unpack(a[0])); },
};

std::string base_name(std::string_view path) {
  const auto slash = path.find_last_of('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

std::string line_text(const char* file, std::uint32_t line) {
  return file == nullptr ? "unknown" : fmt::format("{}:{}", base_name(file), line);
}

[[noreturn]] void refuse_var(std::string_view use, std::string_view what, const Where& where) {
  throw TapeError(
      fmt::format("{}{}the Var {}{}", use, use.empty() ? "" : ": ", what, detail::line_of("used", where)));
}

}  // namespace

std::string detail::line_of(std::string_view what_happened, const Where& where) {
  if (where.file_name() == nullptr) return {};
  return fmt::format("\n  {} at {}", what_happened, line_text(where.file_name(), where.line()));
}

void detail::refuse_empty(std::string_view use, const Where& where) {
  refuse_var(use, "is empty; it refers to no tape", where);
}

bool is_input(const OpDef& op) { return &op == &input_op; }
bool is_param(const OpDef& op) { return &op == &param_op; }
bool is_constant(const OpDef& op) { return &op == &constant_op; }
double constant_value(const Tape& tape, std::uint32_t id) { return unpack(tape.attrs(id)[0]); }

Tape::Tape(TapeOptions options) : c_(std::make_unique<Columns>(options)), r_(c_.get()) {}
Tape::~Tape() = default;

DType Tape::dtype() const { return c_->options.dtype; }
const TapeOptions& Tape::options() const { return c_->options; }
bool Tape::checks_finite() const { return c_->options.check_finite; }
RandomState Tape::random() const { return c_->random; }
std::int64_t Tape::next_random_call() { return c_->random_calls++; }
std::pmr::memory_resource& Tape::scratch() { return c_->scratch; }
std::uint64_t Tape::bindings() const { return c_->bindings; }

void Tape::set_random(RandomState state) {
  c_->random = state;
  ++c_->bindings;
}

void Tape::next_draw() {
  ++c_->random.draw;
  ++c_->bindings;
}

void Tape::clear() {
  Columns& c = *c_;
  c.clear();
  c.inputs_used = 0;
  c.params.clear();
  c.param_ids.clear();
  if (c.current_scope == 0 && c.scopes.size() > 4096) {
    c.scopes.resize(1);
    c.scope_ids.clear();
  }
  c.segments.clear();
  c.segments_begun = 0;
  c.random_calls = 0;
  next_draw();
}

// --- recording

Var Tape::add(const OpDef& op, std::span<const Var> in, Attrs attrs, const Where& where) {
  for (const Var& v : in) check(v, op.name, where);
  if (op.arity != OpDef::variadic && static_cast<std::size_t>(op.arity) != in.size())
    throw TapeError(fmt::format("{}: takes {} operands, not {}", op.name, op.arity, in.size()));
  if (op.shape == nullptr) throw TapeError(fmt::format("{}: its OpDef has no shape rule", op.name));
  // The usual rules give the shape of an operand, and that has a number already.
  const auto shape_of = [&] {
    const std::uint32_t* ids = r_->rows.shape_id.data();
    const auto alike = [&](const Var& v) { return ids[v.id()] == ids[in[0].id()]; };
    if (op.shape == shapes::same && !in.empty() && std::ranges::all_of(in, alike)) return ids[in[0].id()];
    const Shape result = op.shape(Call(op, in, attrs, *this, where));
    return !in.empty() && result == shape(in[0].id()) ? ids[in[0].id()] : c_->intern(result);
  };
  return Var(this, c_->find_or_append({&op, in, attrs}, where, shape_of), c_->epoch);
}

Var Tape::add_copy(std::uint32_t id, std::span<const Var> in) {
  return Var(this, c_->append_copy({&op(id), in, attrs(id)}, r_->rows.shape_id[id], Where::current()),
             c_->epoch);
}

std::span<const SegmentRange> Tape::segments() const { return c_->segments; }

Var Tape::input(const Shape& shape, std::string_view name, Where where) {
  const auto slot = static_cast<std::int64_t>(c_->inputs_used++);
  if (c_->inputs_used > c_->inputs.size()) c_->inputs.push_back({{}, Tensor(Shape{0}, dtype())});
  c_->inputs[c_->inputs_used - 1].name = name;
  c_->inputs[c_->inputs_used - 1].bound = false;
  const auto id = c_->append({&input_op, {}, Attrs(&slot, 1)}, c_->intern(shape), where);
  return Var(this, id, c_->epoch);
}

Var Tape::input(const Tensor& value, std::string_view name, Where where) {
  const Var v = input(value.shape(), name, where);
  set(v, value);
  return v;
}

Var Tape::tokens(const Shape& shape, std::span<const int> ids, std::string_view name, Where where) {
  if (static_cast<std::int64_t>(ids.size()) != shape.size())
    throw ShapeError(
        fmt::format("tokens: shape {} holds {} numbers, not {}", shape.text(), shape.size(), ids.size()));
  const Var v = input(shape, name, where);
  set(v, ids);
  return v;
}

Var Tape::constant(double value, const Shape& shape, Where where) {
  boost::container::small_vector<std::int64_t, 9> attrs{pack(value)};
  attrs.insert(attrs.end(), shape.dims().begin(), shape.dims().end());
  const auto id = c_->find_or_append({&constant_op, {}, Attrs(attrs.data(), attrs.size())}, where,
                                     [&] { return c_->intern(shape); });
  return Var(this, id, c_->epoch);
}

Var Tape::param(const Param& p, Where where) {
  const auto next = static_cast<std::uint32_t>(c_->params.size());
  const auto [it, added] = c_->param_ids.try_emplace(p.identity(), next);
  if (added) c_->params.push_back(p);
  const std::int64_t slot = it->second;
  const auto id =
      c_->find_or_append({&param_op, {}, Attrs(&slot, 1)}, where, [&] { return c_->intern(p.shape()); });
  return Var(this, id, c_->epoch);
}

void Tape::set(Var v, const Tensor& value) {
  check(v, "set");
  if (!is_input(op(v.id()))) throw TapeError(fmt::format("set: {} is not an input", label(v.id())));
  if (value.shape() != shape(v.id()))
    throw ShapeError(fmt::format("set: {} is {}; it can't take data of shape {}", label(v.id()),
                                 shape(v.id()).text(), value.shape().text()));
  c_->bind(v.id()).assign(value);
}

void Tape::set(Var v, std::span<const int> ids) {
  check(v, "set");
  const int limit = dtype() == DType::f32 ? 1 << 24 : std::numeric_limits<int>::max();
  for (int id : ids)
    if (std::abs(static_cast<std::int64_t>(id)) > limit)
      throw TapeError(fmt::format("set: {} is too large for a float to hold exactly; use a tape of f64", id));
  if (static_cast<std::int64_t>(ids.size()) != v.shape().size())
    throw ShapeError(
        fmt::format("set: {} is {}; it can't take {} numbers", label(v.id()), v.shape().text(), ids.size()));
  if (!is_input(op(v.id()))) throw TapeError(fmt::format("set: {} is not an input", label(v.id())));
  Tensor& value = c_->bind(v.id());
  value.resize(shape(v.id()));
  value.visit([&]<class T>(std::span<T> to) {
    std::ranges::transform(ids, to.begin(), [](int id) { return static_cast<T>(id); });
  });
}

Tensor& Tape::edit(Var v) {
  check(v, "edit");
  if (!is_input(op(v.id()))) throw TapeError(fmt::format("edit: {} is not an input", label(v.id())));
  const bool bound = c_->inputs[static_cast<std::size_t>(attrs(v.id())[0])].bound;
  Tensor& value = c_->bind(v.id());
  if (!bound) {
    value.resize(shape(v.id()));
    value.visit([](auto elements) { std::ranges::fill(elements, 0); });
  }
  return value;
}

// --- reading

std::size_t Tape::bytes() const { return c_->bytes(); }

Var Tape::at(std::uint32_t id) {
  if (id >= size()) throw TapeError(fmt::format("node %{} of a tape of {} nodes", id, size()));
  return Var(this, id, c_->epoch);
}

std::span<const Param> Tape::params() const { return c_->params; }
const Param& Tape::param_at(std::uint32_t id) const {
  return c_->params[static_cast<std::size_t>(attrs(id)[0])];
}

const Tensor& Tape::bound(std::uint32_t id) const {
  const detail::InputSlot& slot = c_->inputs[static_cast<std::size_t>(attrs(id)[0])];
  if (!slot.bound)
    throw TapeError(fmt::format("{} {} has no data; call set() before running\n  recorded at {}", label(id),
                                shape(id).text(), where(id)));
  return slot.value;
}

std::string Tape::scope(std::uint32_t id) const {
  std::string text;
  for (std::uint32_t s = c_->origin.data[id].scope; s != 0; s = c_->scopes[s].parent) {
    const detail::ScopeRow& row = c_->scopes[s];
    const std::string part = row.index < 0 ? row.name : fmt::format("{}={}", row.name, row.index);
    text = text.empty() ? part : part + "/" + text;
  }
  return text;
}

std::string Tape::where(std::uint32_t id) const {
  return line_text(c_->origin.data[id].file, c_->origin.data[id].line);
}

std::string Tape::label(std::uint32_t id) const {
  const OpDef& o = op(id);
  if (is_param(o)) return fmt::format("param \"{}\"", param_at(id).name());
  if (is_input(o)) {
    const std::string& name = c_->inputs[static_cast<std::size_t>(attrs(id)[0])].name;
    return name.empty() ? "input" : fmt::format("input \"{}\"", name);
  }
  return o.name;
}

std::string Tape::explain(std::string_view op, std::string_view what, std::span<const Var> operands,
                          const Where& where) const {
  std::size_t label_width = 0, shape_width = 0;
  for (const Var& v : operands) {
    check(v, std::string(op).c_str(), where);
    label_width = std::max(label_width, label(v.id()).size());
    shape_width = std::max(shape_width, shape(v.id()).text().size());
  }
  std::string text = fmt::format("{}: {}", op, what);
  constexpr std::size_t most = 8;  // a concat may have thousands
  for (std::size_t i = 0; i < std::min(operands.size(), most); ++i) {
    const std::uint32_t id = operands[i].id();
    std::string row = fmt::format("  {}  {:{}}  {:{}}", static_cast<char>('a' + i), label(id), label_width,
                                  shape(id).text(), shape_width);
    if (const std::string s = scope(id); !s.empty()) row += "  in " + s;
    row.erase(row.find_last_not_of(' ') + 1);
    text += "\n" + row;
  }
  if (operands.size() > most) text += fmt::format("\n  ... and {} more", operands.size() - most);
  return text + detail::line_of("recorded", line_for(where));
}

Where Tape::line_for(const Where& where) const {
  return c_->called_from_file != nullptr ? Where::current(c_->called_from_file, c_->called_from_line) : where;
}

void Tape::refuse(Var v, const char* use, const Where& where) const {
  const Where line = line_for(where);
  if (!v.valid()) detail::refuse_empty(use, line);
  if (v.tape_ != this) refuse_var(use, "belongs to another tape", line);
  refuse_var(use, "is stale; it was recorded before clear()", line);
}

}  // namespace spool
