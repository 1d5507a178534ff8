// The columns of a tape: one entry a node, and what nodes refer to. Shared by the files that implement Tape;
// nobody else includes it.
//
// Columns are plain arrays with room to grow: to record a node is to ask once whether there is room, and to
// write. Whether a row is on the tape already is looked up by its newest operand. Most nodes read what was
// recorded just before, so that this touches the memory of recent nodes only, however long the tape is.
#pragma once

#include <spool/graph/error.hpp>
#include <spool/graph/id_table.hpp>
#include <spool/graph/tape.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <deque>
#include <memory>

namespace spool {

namespace detail {

// An array whose elements are not initialised before they are written.
template <class T>
struct Column {
  std::unique_ptr<T[]> data;
  std::size_t room = 0;

  void grow(std::size_t used, std::size_t to) {
    std::unique_ptr<T[]> larger(new T[to]);
    std::copy_n(data.get(), used, larger.get());
    data = std::move(larger);
    room = to;
  }
  std::size_t bytes() const { return room * sizeof(T); }
};

// What a node was recorded for.
struct Origin {
  const char* file;
  std::uint32_t line, scope;
};

// A row that may be on the tape already.
struct Row {
  const OpDef* op;
  std::span<const Var> in;
  Attrs attrs;
};

// For `nodes` nodes in a row, those whose newest operand they are: as many as fit into one line of the cache.
struct alignas(64) Readers {
  static constexpr std::uint32_t nodes = 4;
  IdSlot slots[8];
};

// A scope is its parent, a name, and an index that is -1 where there is none.
struct ScopeRow {
  std::uint32_t parent;
  std::string name;
  std::int64_t index;
};

struct InputSlot {
  std::string name;
  Tensor value;
  bool bound = false;
};

}  // namespace detail

struct Tape::Columns : Tape::Recorded {
  explicit Columns(TapeOptions o);

  TapeOptions options;
  RandomState random;
  std::int64_t random_calls = 0;
  std::uint64_t bindings = 0;  // grows when an input or the draw changes
  std::uint32_t current_scope = 0;
  const char* called_from_file = nullptr;
  std::uint32_t called_from_line = 0;

  std::vector<detail::ScopeRow> scopes{{0, "", -1}};  // 0 is the root
  detail::IdTable scope_ids;
  std::vector<detail::InputSlot> inputs;  // more than are in use, after clear()
  std::size_t inputs_used = 0;
  std::vector<Param> params;
  boost::unordered_flat_map<const void*, std::uint32_t> param_ids;

  std::vector<SegmentRange> segments;
  std::int64_t segments_begun = 0;

  std::pmr::unsynchronized_pool_resource scratch{{.largest_required_pool_block = std::size_t{1} << 22}};

  detail::Column<detail::Origin> origin;  // one a node, as the columns of Rows

  // The node of a row, which shape_of() numbers the shape of; recorded now if it was not yet.
  template <class ShapeOf>
  std::uint32_t find_or_append(const detail::Row& row, const Where& where, ShapeOf&& shape_of) {
    const Key key = key_of(row);
    const std::uint32_t found = find(row, key);
    if (found != detail::no_id) return found;
    const std::uint32_t id = append(row, shape_of(), where);
    insert(id, key);
    return id;
  }
  // Records a row even where it is on the tape already: that one goes on to be found.
  std::uint32_t append_copy(const detail::Row& row, std::uint32_t shape, const Where& where) {
    const Key key = key_of(row);
    const bool known = find(row, key) != detail::no_id;
    const std::uint32_t id = append(row, shape, where);
    if (!known) insert(id, key);
    return id;
  }
  // Records a row that can't be on the tape.
  std::uint32_t append(const detail::Row& row, std::uint32_t shape, const Where& where);
  std::uint32_t intern(const Shape& s);  // the number of a shape
  Tensor& bind(std::uint32_t id);        // the data of an input, about to be set
  void clear();                          // forgets nodes and shapes
  std::size_t bytes() const;

 private:
  struct Key {
    std::uint64_t hash;
    std::uint32_t newest;  // operand, where there are any
  };
  static Key key_of(const detail::Row& row);
  bool is(const detail::Row& row, std::uint32_t id) const;
  std::uint32_t find(const detail::Row& row, Key key) const;
  void insert(std::uint32_t id, Key key);
  void grow(std::size_t operands_to, std::size_t attrs_to);

  detail::Column<const OpDef*> op_;
  detail::Column<std::uint32_t> operand_end_, attr_end_, shape_id_, operands_;  // ends: the first is a 0
  detail::Column<std::int64_t> attrs_;
  detail::Column<detail::Readers> readers_;
  detail::IdTable others_;         // nodes that are not in readers_
  std::deque<Shape> shape_store_;  // references stay good while recording goes on, and clear() keeps it
  std::vector<const Shape*> shapes_;
  detail::IdTable shape_ids_;
};

// --- what every recorded op goes through

inline std::uint32_t Tape::Columns::append(const detail::Row& row, std::uint32_t shape, const Where& where) {
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
  if (id % detail::Readers::nodes == 0) readers_.data[id / detail::Readers::nodes] = {};
  ++size;
  return id;
}

inline Tape::Columns::Key Tape::Columns::key_of(const detail::Row& row) {
  Key key{std::bit_cast<std::uintptr_t>(row.op), 0};
  for (const Var& v : row.in) {
    key.hash = detail::mix(key.hash, v.id());
    key.newest = std::max(key.newest, v.id());
  }
  for (std::int64_t a : row.attrs) key.hash = detail::mix(key.hash, static_cast<std::uint64_t>(a));
  return key;
}

inline bool Tape::Columns::is(const detail::Row& row, std::uint32_t id) const {
  return rows.op[id] == row.op &&
         std::ranges::equal(operands(id), row.in,
                            [](std::uint32_t o, const Var& v) { return o == v.id(); }) &&
         std::ranges::equal(attrs(id), row.attrs);
}

inline std::uint32_t Tape::Columns::find(const detail::Row& row, Key key) const {
  if (!row.in.empty())
    for (const detail::IdSlot& s : readers_.data[key.newest / detail::Readers::nodes].slots) {
      if (s.id == detail::no_id) return s.id;
      if (s.tag == detail::tag_of(key.hash) && is(row, s.id)) return s.id;
    }
  return others_.find(key.hash, [&](std::uint32_t id) { return is(row, id); });
}

inline void Tape::Columns::insert(std::uint32_t id, Key key) {
  if (!operands(id).empty())
    for (detail::IdSlot& s : readers_.data[key.newest / detail::Readers::nodes].slots)
      if (s.id == detail::no_id) {
        s = {id, detail::tag_of(key.hash)};
        return;
      }
  others_.insert(key.hash, id);
}

}  // namespace spool
