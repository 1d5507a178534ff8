// The columns of a tape: one entry a node, and what nodes refer to. Shared by the files that implement Tape;
// nobody else includes it.
//
// Columns are plain arrays with room to grow: to record a node is to ask once whether there is room, and to
// write. Whether a row is on the tape already is looked up by its newest operand. Most nodes read what was
// recorded just before, so that this touches the memory of recent nodes only, however long the tape is.
#pragma once

#include <spool/graph/error.hpp>
#include <spool/graph/tape.hpp>

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include <algorithm>
#include <deque>
#include <memory>

namespace spool {

namespace detail {

constexpr std::uint64_t mix(std::uint64_t h, std::uint64_t v) {
  h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
  return h ^ (h >> 29);
}

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
  struct Slot {
    std::uint32_t id;  // 0 in a free slot: node 0 has no operands
    std::uint32_t tag;
  };
  Slot slots[8];
};

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
  boost::unordered_flat_map<detail::ScopeRow, std::uint32_t, detail::ScopeHash> scope_ids;
  std::vector<detail::InputSlot> inputs;
  std::vector<Param> params;
  boost::unordered_flat_map<const void*, std::uint32_t> param_ids;

  detail::Column<detail::Origin> origin;  // one a node, as the columns of Rows

  // The node of a row, which shape_of() numbers the shape of; recorded now if it was not yet.
  template <class ShapeOf>
  std::uint32_t find_or_append(const detail::Row& row, const Where& where, ShapeOf&& shape_of) {
    const Key key = key_of(row);
    const std::uint32_t found = find(row, key);
    if (found != none) return found;
    const std::uint32_t id = append(row, shape_of(), where);
    insert(id, key);
    return id;
  }
  // Records a row that can't be on the tape.
  std::uint32_t append(const detail::Row& row, std::uint32_t shape, const Where& where);
  std::uint32_t intern(const Shape& s);  // the number of a shape
  void clear();                          // forgets nodes and shapes
  std::size_t bytes() const;

 private:
  static constexpr std::uint32_t none = 0xffffffffU;

  struct Key {
    std::uint64_t hash;
    std::uint32_t newest;  // operand, where there are any
    std::uint32_t tag() const { return static_cast<std::uint32_t>(hash >> 32); }
  };
  struct Hash {
    using is_transparent = void;
    const Columns* c;
    std::size_t operator()(const std::pair<detail::Row, Key>& row) const { return row.second.hash; }
    std::size_t operator()(std::uint32_t id) const;
  };
  struct Equal {
    using is_transparent = void;
    const Columns* c;
    bool operator()(std::uint32_t a, std::uint32_t b) const { return a == b; }
    bool operator()(const std::pair<detail::Row, Key>& row, std::uint32_t id) const {
      return c->is(row.first, id);
    }
    bool operator()(std::uint32_t id, const std::pair<detail::Row, Key>& row) const {
      return c->is(row.first, id);
    }
  };
  struct ShapeHash {
    using is_transparent = void;
    const Columns* c;
    std::size_t operator()(const Shape& s) const;
    std::size_t operator()(std::uint32_t id) const { return (*this)(*c->rows.shapes[id]); }
  };
  struct ShapeEqual {
    using is_transparent = void;
    const Columns* c;
    bool operator()(std::uint32_t a, std::uint32_t b) const { return a == b; }
    bool operator()(const Shape& s, std::uint32_t id) const { return s == *c->rows.shapes[id]; }
    bool operator()(std::uint32_t id, const Shape& s) const { return s == *c->rows.shapes[id]; }
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
  boost::unordered_flat_set<std::uint32_t, Hash, Equal> others_;  // nodes that are not in readers_
  std::deque<Shape> shape_store_;  // references stay good while recording goes on, and clear() keeps it
  std::vector<const Shape*> shapes_;
  boost::unordered_flat_set<std::uint32_t, ShapeHash, ShapeEqual> shape_ids_;
};

}  // namespace spool
