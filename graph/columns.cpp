#include <spool/graph/columns.hpp>

namespace spool {

using detail::Readers;

Tape::Columns::Columns(TapeOptions o)
    : options(o),
      random{o.seed, 0},
      others_(0, Hash{this}, Equal{this}),
      shape_ids_(0, ShapeHash{this}, ShapeEqual{this}) {
  grow(64, 64);
}

void Tape::Columns::clear() {
  others_.clear();
  shape_ids_.clear();
  shapes_.clear();
  size = 0;
}

std::size_t Tape::Columns::bytes() const {
  return op_.bytes() + operand_end_.bytes() + attr_end_.bytes() + shape_id_.bytes() + operands_.bytes() +
         attrs_.bytes() + origin.bytes() + readers_.bytes() +
         others_.bucket_count() * (sizeof(std::uint32_t) + 1);
}

// --- recording

std::uint32_t Tape::Columns::append(const detail::Row& row, std::uint32_t shape, const Where& where) {
  const std::uint32_t id = size;
  const std::size_t operands = operand_end_.data[id], operands_to = operands + row.in.size();
  const std::size_t attrs = attr_end_.data[id], attrs_to = attrs + row.attrs.size();
  if (id == op_.room || operands_to > operands_.room || attrs_to > attrs_.room) {
    // The attributes may be those of another node: a gradient rule passes on what its op has.
    const boost::container::small_vector<std::int64_t, 8> kept(row.attrs.begin(), row.attrs.end());
    grow(operands_to, attrs_to);
    return append({row.op, row.in, {kept.data(), kept.size()}}, shape, where);
  }
  for (std::size_t i = 0; i < row.in.size(); ++i) operands_.data[operands + i] = row.in[i].id();
  for (std::size_t i = 0; i < row.attrs.size(); ++i) attrs_.data[attrs + i] = row.attrs[i];
  operand_end_.data[id + 1] = static_cast<std::uint32_t>(operands_to);
  attr_end_.data[id + 1] = static_cast<std::uint32_t>(attrs_to);
  op_.data[id] = row.op;
  shape_id_.data[id] = shape;
  const bool marked = called_from_file != nullptr;
  origin.data[id] = {marked ? called_from_file : where.file_name(), marked ? called_from_line : where.line(),
                     current_scope};
  if (id % Readers::nodes == 0) readers_.data[id / Readers::nodes] = {};
  ++size;
  return id;
}

void Tape::Columns::grow(std::size_t operands_to, std::size_t attrs_to) {
  constexpr std::size_t most = 0xfffffff0U;
  if (size >= most || operands_to > most || attrs_to > most)
    throw TapeError("a tape holds at most 2^32 nodes");
  const auto enough = [](std::size_t room, std::size_t needed) { return std::max(2 * room, needed); };
  if (size == op_.room) {
    const std::size_t to = enough(op_.room, 64);
    op_.grow(size, to);
    shape_id_.grow(size, to);
    origin.grow(size, to);
    readers_.grow((size + Readers::nodes - 1) / Readers::nodes, to / Readers::nodes);
    for (auto* ends : {&operand_end_, &attr_end_}) {
      ends->grow(size == 0 ? 0 : size + 1, to + 1);
      ends->data[0] = 0;
    }
  }
  if (operands_to > operands_.room)
    operands_.grow(operand_end_.data[size], enough(operands_.room, operands_to));
  if (attrs_to > attrs_.room) attrs_.grow(attr_end_.data[size], enough(attrs_.room, attrs_to));
  rows.op = {op_.data.get(), op_.room};
  rows.operand_end = {operand_end_.data.get() + 1, op_.room};
  rows.attr_end = {attr_end_.data.get() + 1, op_.room};
  rows.shape_id = {shape_id_.data.get(), op_.room};
  rows.operands = {operands_.data.get(), operands_.room};
  rows.attrs = {attrs_.data.get(), attrs_.room};
}

// --- looking up

Tape::Columns::Key Tape::Columns::key_of(const detail::Row& row) {
  Key key{std::bit_cast<std::uintptr_t>(row.op), 0};
  for (const Var& v : row.in) {
    key.hash = detail::mix(key.hash, v.id());
    key.newest = std::max(key.newest, v.id());
  }
  for (std::int64_t a : row.attrs) key.hash = detail::mix(key.hash, static_cast<std::uint64_t>(a));
  return key;
}

std::size_t Tape::Columns::Hash::operator()(std::uint32_t id) const {
  std::uint64_t h = std::bit_cast<std::uintptr_t>(c->rows.op[id]);
  for (std::uint32_t o : c->operands(id)) h = detail::mix(h, o);
  for (std::int64_t a : c->attrs(id)) h = detail::mix(h, static_cast<std::uint64_t>(a));
  return h;
}

bool Tape::Columns::is(const detail::Row& row, std::uint32_t id) const {
  return rows.op[id] == row.op && std::ranges::equal(operands(id), row.in, {}, {}, &Var::id) &&
         std::ranges::equal(attrs(id), row.attrs);
}

std::uint32_t Tape::Columns::find(const detail::Row& row, Key key) const {
  if (!row.in.empty())
    for (const Readers::Slot& s : readers_.data[key.newest / Readers::nodes].slots) {
      if (s.id == 0) return none;
      if (s.tag == key.tag() && is(row, s.id)) return s.id;
    }
  const auto it = others_.find(std::pair{row, key});
  return it == others_.end() ? none : *it;
}

void Tape::Columns::insert(std::uint32_t id, Key key) {
  if (operands(id).size() > 0)
    for (Readers::Slot& s : readers_.data[key.newest / Readers::nodes].slots)
      if (s.id == 0) {
        s = {id, key.tag()};
        return;
      }
  others_.insert(id);
}

// --- shapes

std::size_t Tape::Columns::ShapeHash::operator()(const Shape& s) const {
  std::uint64_t h = static_cast<std::uint64_t>(s.rank());
  for (std::int64_t d : s.dims()) h = detail::mix(h, static_cast<std::uint64_t>(d));
  return h;
}

std::uint32_t Tape::Columns::intern(const Shape& s) {
  if (const auto it = shape_ids_.find(s); it != shape_ids_.end()) return *it;
  const auto id = static_cast<std::uint32_t>(shapes_.size());
  if (id == shape_store_.size()) shape_store_.emplace_back();
  shape_store_[id] = s;
  shapes_.push_back(&shape_store_[id]);
  rows.shapes = shapes_;
  shape_ids_.insert(id);
  return id;
}

}  // namespace spool
