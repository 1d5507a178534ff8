#include <spool/graph/error.hpp>
#include <spool/graph/tape.hpp>

#include <fmt/format.h>
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include <cmath>
#include <deque>

namespace spool {

namespace {

constexpr std::size_t mix(std::size_t h, std::uint64_t v) {
  h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
  return h ^ (h >> 29);
}

struct ShapeHash {
  std::size_t operator()(const Shape& s) const {
    std::size_t h = static_cast<std::size_t>(s.rank());
    for (std::int64_t d : s.dims()) h = mix(h, static_cast<std::uint64_t>(d));
    return h;
  }
};

// A row that may be on the tape already.
struct Row {
  const OpDef* op;
  std::span<const Var> in;
  Attrs attrs;
};

std::size_t hash_of(const Row& row) {
  std::size_t h = std::bit_cast<std::uintptr_t>(row.op);
  for (const Var& v : row.in) h = mix(h, v.id());
  for (std::int64_t a : row.attrs) h = mix(h, static_cast<std::uint64_t>(a));
  return h;
}

// A scope is its parent, a name, and an index that is -1 where there is none.
struct ScopeRow {
  std::uint32_t parent;
  std::string name;
  std::int64_t index;
  friend bool operator==(const ScopeRow&, const ScopeRow&) = default;
};
struct ScopeHash {
  std::size_t operator()(const ScopeRow& s) const {
    return mix(mix(std::hash<std::string>{}(s.name), s.parent), static_cast<std::uint64_t>(s.index));
  }
};

struct InputSlot {
  std::string name;
  Tensor value;
  bool bound = false;
};

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

// Appends a range that may lie in the vector itself: a gradient rule passes on the attributes of its op.
void append(std::vector<std::int64_t>& to, Attrs from) {
  const boost::container::small_vector<std::int64_t, 8> copy(from.begin(), from.end());
  to.insert(to.end(), copy.begin(), copy.end());
}

std::string base_name(std::string_view path) {
  const auto slash = path.find_last_of('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

std::string line_text(const char* file, std::uint32_t line) {
  return file == nullptr ? "unknown" : fmt::format("{}:{}", base_name(file), line);
}

}  // namespace

bool is_input(const OpDef& op) { return &op == &input_op; }
bool is_param(const OpDef& op) { return &op == &param_op; }
bool is_constant(const OpDef& op) { return &op == &constant_op; }
double constant_value(const Tape& tape, std::uint32_t id) { return unpack(tape.attrs(id)[0]); }

struct Tape::Columns {
  explicit Columns(TapeOptions o) : options(o), random{o.seed, 0}, index(16, Hash{this}, Equal{this}) {}

  // One entry a node, except the two pools; operands and attributes of node i end at *_end[i].
  std::vector<const OpDef*> op;
  std::vector<std::uint32_t> operand_end, attr_end, shape, scope, line;
  std::vector<const char*> file;
  std::vector<std::size_t> hash;
  std::vector<std::uint32_t> operands;
  std::vector<std::int64_t> attrs;

  TapeOptions options;
  RandomState random;
  std::int64_t random_calls = 0;
  std::uint32_t epoch = 1;
  std::uint64_t bindings = 0;  // grows when an input or the draw changes
  std::uint32_t current_scope = 0;
  const char* called_from_file = nullptr;
  std::uint32_t called_from_line = 0;

  std::deque<Shape> shapes;  // a deque: references stay good while recording goes on
  boost::unordered_flat_map<Shape, std::uint32_t, ShapeHash> shape_ids;
  std::vector<ScopeRow> scopes{{0, "", -1}};  // 0 is the root
  boost::unordered_flat_map<ScopeRow, std::uint32_t, ScopeHash> scope_ids;
  std::vector<InputSlot> inputs;
  std::vector<Param> params;
  boost::unordered_flat_map<const void*, std::uint32_t> param_ids;

  std::span<const std::uint32_t> operands_of(std::uint32_t id) const {
    const std::uint32_t begin = id == 0 ? 0 : operand_end[id - 1];
    return {operands.data() + begin, operand_end[id] - begin};
  }
  Attrs attrs_of(std::uint32_t id) const {
    const std::uint32_t begin = id == 0 ? 0 : attr_end[id - 1];
    return {attrs.data() + begin, attr_end[id] - begin};
  }

  struct Hash {
    using is_transparent = void;
    const Columns* c;
    std::size_t operator()(std::uint32_t id) const { return c->hash[id]; }
    std::size_t operator()(const std::pair<Row, std::size_t>& row) const { return row.second; }
  };
  struct Equal {
    using is_transparent = void;
    const Columns* c;
    bool operator()(std::uint32_t a, std::uint32_t b) const { return a == b; }
    bool operator()(const std::pair<Row, std::size_t>& row, std::uint32_t id) const {
      const auto ids = c->operands_of(id);
      return c->op[id] == row.first.op && std::ranges::equal(ids, row.first.in, {}, {}, &Var::id) &&
             std::ranges::equal(c->attrs_of(id), row.first.attrs);
    }
    bool operator()(std::uint32_t id, const std::pair<Row, std::size_t>& row) const {
      return (*this)(row, id);
    }
  };
  boost::unordered_flat_set<std::uint32_t, Hash, Equal> index;

  std::uint32_t intern(const Shape& s) {
    const auto [it, added] = shape_ids.try_emplace(s, static_cast<std::uint32_t>(shapes.size()));
    if (added) shapes.push_back(s);
    return it->second;
  }

  template <class ShapeOf>
  std::uint32_t find_or_append(const Row& row, const Where& where, ShapeOf&& shape_of) {
    const std::pair probe{row, hash_of(row)};
    if (const auto it = index.find(probe); it != index.end()) return *it;
    const Shape result = shape_of();
    if (op.size() >= 0xfffffff0U) throw TapeError("a tape holds at most 2^32 nodes");
    const auto id = static_cast<std::uint32_t>(op.size());
    op.push_back(row.op);
    for (const Var& v : row.in) operands.push_back(v.id());
    append(attrs, row.attrs);
    operand_end.push_back(static_cast<std::uint32_t>(operands.size()));
    attr_end.push_back(static_cast<std::uint32_t>(attrs.size()));
    shape.push_back(intern(result));
    scope.push_back(current_scope);
    file.push_back(called_from_file != nullptr ? called_from_file : where.file_name());
    line.push_back(called_from_file != nullptr ? called_from_line : where.line());
    hash.push_back(probe.second);
    index.insert(id);
    return id;
  }
};

Tape::Tape(TapeOptions options) : c_(std::make_unique<Columns>(options)) {}
Tape::~Tape() = default;

DType Tape::dtype() const { return c_->options.dtype; }
bool Tape::checks_finite() const { return c_->options.check_finite; }
RandomState Tape::random() const { return c_->random; }
std::int64_t Tape::next_random_call() { return c_->random_calls++; }
std::uint32_t Tape::epoch() const { return c_->epoch; }
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
  c.index.clear();
  for (auto* column : {&c.operand_end, &c.attr_end, &c.shape, &c.scope, &c.line, &c.operands})
    column->clear();
  c.op.clear();
  c.file.clear();
  c.hash.clear();
  c.attrs.clear();
  c.inputs.clear();
  c.params.clear();
  c.param_ids.clear();
  if (c.shapes.size() > 4096) {
    c.shapes.clear();
    c.shape_ids.clear();
  }
  if (c.current_scope == 0 && c.scopes.size() > 4096) {
    c.scopes.resize(1);
    c.scope_ids.clear();
  }
  c.random_calls = 0;
  ++c.epoch;
  next_draw();
}

// --- recording
// ----------------------------------------------------------------------------------------------

Var Tape::add(const OpDef& op, std::span<const Var> in, Attrs attrs, const Where& where) {
  for (const Var& v : in) check(v, op.name);
  if (op.arity != OpDef::variadic && static_cast<std::size_t>(op.arity) != in.size())
    throw TapeError(fmt::format("{}: takes {} operands, not {}", op.name, op.arity, in.size()));
  if (op.shape == nullptr) throw TapeError(fmt::format("{}: its OpDef has no shape rule", op.name));
  const auto shape_of = [&] { return op.shape(Call(op, in, attrs, *this, where)); };
  return Var(this, c_->find_or_append({&op, in, attrs}, where, shape_of), c_->epoch);
}

Var Tape::input(const Shape& shape, std::string_view name, Where where) {
  const std::int64_t slot = static_cast<std::int64_t>(c_->inputs.size());
  c_->inputs.push_back({std::string(name), Tensor(Shape{0}, dtype()), false});
  const auto id = c_->find_or_append({&input_op, {}, Attrs(&slot, 1)}, where, [&] { return shape; });
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
  const auto id =
      c_->find_or_append({&constant_op, {}, Attrs(attrs.data(), attrs.size())}, where, [&] { return shape; });
  return Var(this, id, c_->epoch);
}

Var Tape::param(const Param& p, Where where) {
  const auto next = static_cast<std::uint32_t>(c_->params.size());
  const auto [it, added] = c_->param_ids.try_emplace(p.identity(), next);
  if (added) c_->params.push_back(p);
  const std::int64_t slot = it->second;
  const auto id = c_->find_or_append({&param_op, {}, Attrs(&slot, 1)}, where, [&] { return p.shape(); });
  return Var(this, id, c_->epoch);
}

void Tape::set(Var v, const Tensor& value) {
  check(v, "set");
  if (!is_input(op(v.id()))) throw TapeError(fmt::format("set: {} is not an input", label(v.id())));
  if (value.shape() != shape(v.id()))
    throw ShapeError(fmt::format("set: {} is {}; it can't take data of shape {}", label(v.id()),
                                 shape(v.id()).text(), value.shape().text()));
  InputSlot& slot = c_->inputs[static_cast<std::size_t>(attrs(v.id())[0])];
  slot.value = value.to(dtype());
  slot.bound = true;
  ++c_->bindings;
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
  set(v, Tensor(v.shape(), std::vector<double>(ids.begin(), ids.end())));
}

// --- reading
// ------------------------------------------------------------------------------------------------

std::uint32_t Tape::size() const { return static_cast<std::uint32_t>(c_->op.size()); }

std::size_t Tape::bytes() const {
  const Columns& c = *c_;
  const std::size_t ids = c.operand_end.capacity() + c.attr_end.capacity() + c.shape.capacity() +
                          c.scope.capacity() + c.line.capacity() + c.operands.capacity();
  return ids * sizeof(std::uint32_t) + c.attrs.capacity() * sizeof(std::int64_t) +
         c.op.capacity() * sizeof(void*) + c.file.capacity() * sizeof(void*) +
         c.hash.capacity() * sizeof(std::size_t) + c.index.bucket_count() * (sizeof(std::uint32_t) + 1);
}

Var Tape::at(std::uint32_t id) {
  if (id >= size()) throw TapeError(fmt::format("node %{} of a tape of {} nodes", id, size()));
  return Var(this, id, c_->epoch);
}

const OpDef& Tape::op(std::uint32_t id) const { return *c_->op[id]; }
std::span<const std::uint32_t> Tape::operands(std::uint32_t id) const { return c_->operands_of(id); }
Attrs Tape::attrs(std::uint32_t id) const { return c_->attrs_of(id); }
const Shape& Tape::shape(std::uint32_t id) const { return c_->shapes[c_->shape[id]]; }
std::span<const Param> Tape::params() const { return c_->params; }
const Param& Tape::param_at(std::uint32_t id) const {
  return c_->params[static_cast<std::size_t>(attrs(id)[0])];
}

const Tensor& Tape::bound(std::uint32_t id) const {
  const InputSlot& slot = c_->inputs[static_cast<std::size_t>(attrs(id)[0])];
  if (!slot.bound)
    throw TapeError(fmt::format("{} {} has no data; call set() before running\n  recorded at {}", label(id),
                                shape(id).text(), where(id)));
  return slot.value;
}

std::string Tape::scope(std::uint32_t id) const {
  std::string text;
  for (std::uint32_t s = c_->scope[id]; s != 0; s = c_->scopes[s].parent) {
    const ScopeRow& row = c_->scopes[s];
    const std::string part = row.index < 0 ? row.name : fmt::format("{}={}", row.name, row.index);
    text = text.empty() ? part : part + "/" + text;
  }
  return text;
}

std::string Tape::where(std::uint32_t id) const { return line_text(c_->file[id], c_->line[id]); }

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
    check(v, std::string(op).c_str());
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
  const bool marked = c_->called_from_file != nullptr;
  text += "\n  recorded at " + line_text(marked ? c_->called_from_file : where.file_name(),
                                         marked ? c_->called_from_line : where.line());
  return text;
}

void Tape::check(Var v, const char* use) const {
  if (!v.valid()) throw TapeError(fmt::format("{}: the Var is empty; it refers to no tape", use));
  if (v.tape_ != this) throw TapeError(fmt::format("{}: the Var belongs to another tape", use));
  if (v.epoch_ != c_->epoch)
    throw TapeError(fmt::format("{}: the Var is stale; it was recorded before clear()", use));
}

// --- scopes and marks
// ---------------------------------------------------------------------------------------

Scope::Scope(Tape& tape, std::string_view name) : Scope(tape, name, -1) {}

Scope::Scope(Tape& tape, std::string_view name, std::int64_t index) : tape_(tape) {
  Tape::Columns& c = *tape.c_;
  outer_ = c.current_scope;
  ScopeRow row{outer_, std::string(name), index};
  const auto [it, added] = c.scope_ids.try_emplace(row, static_cast<std::uint32_t>(c.scopes.size()));
  if (added) c.scopes.push_back(std::move(row));
  c.current_scope = it->second;
}

Scope::~Scope() { tape_.c_->current_scope = outer_; }

CalledFrom::CalledFrom(Tape& tape)
    : tape_(tape), file_(tape.c_->called_from_file), line_(tape.c_->called_from_line) {
  tape.c_->called_from_file = nullptr;
}

CalledFrom::CalledFrom(Tape& tape, const Where& where) : CalledFrom(tape) {
  tape.c_->called_from_file = file_ != nullptr ? file_ : where.file_name();
  tape.c_->called_from_line = file_ != nullptr ? line_ : where.line();
}

CalledFrom::~CalledFrom() {
  tape_.c_->called_from_file = file_;
  tape_.c_->called_from_line = line_;
}

Tape::As::As(Tape& tape, std::uint32_t id)
    : tape_(tape),
      scope_(tape.c_->current_scope),
      file_(tape.c_->called_from_file),
      line_(tape.c_->called_from_line) {
  tape.c_->current_scope = tape.c_->scope[id];
  tape.c_->called_from_file = tape.c_->file[id];
  tape.c_->called_from_line = tape.c_->line[id];
}

Tape::As::~As() {
  tape_.c_->current_scope = scope_;
  tape_.c_->called_from_file = file_;
  tape_.c_->called_from_line = line_;
}

}  // namespace spool
