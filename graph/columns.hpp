// The columns of a tape: one entry a node, and what nodes refer to. Shared by the files that implement Tape;
// nobody else includes it.
#pragma once

#include <spool/graph/error.hpp>
#include <spool/graph/tape.hpp>

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include <algorithm>
#include <deque>

namespace spool {

namespace detail {

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

inline std::size_t hash_of(const Row& row) {
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

// Appends a range that may lie in the vector itself: a gradient rule passes on the attributes of its op.
inline void append(std::vector<std::int64_t>& to, Attrs from) {
  const boost::container::small_vector<std::int64_t, 8> copy(from.begin(), from.end());
  to.insert(to.end(), copy.begin(), copy.end());
}

}  // namespace detail

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

  std::deque<Shape>
      shape_store;  // a deque: references stay good while recording goes on, and clear() keeps it
  std::vector<const Shape*> shapes;  // those in use
  boost::unordered_flat_map<Shape, std::uint32_t, detail::ShapeHash> shape_ids;
  std::vector<detail::ScopeRow> scopes{{0, "", -1}};  // 0 is the root
  boost::unordered_flat_map<detail::ScopeRow, std::uint32_t, detail::ScopeHash> scope_ids;
  std::vector<detail::InputSlot> inputs;
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
    std::size_t operator()(const std::pair<detail::Row, std::size_t>& row) const { return row.second; }
  };
  struct Equal {
    using is_transparent = void;
    const Columns* c;
    bool operator()(std::uint32_t a, std::uint32_t b) const { return a == b; }
    bool operator()(const std::pair<detail::Row, std::size_t>& row, std::uint32_t id) const {
      const auto ids = c->operands_of(id);
      return c->op[id] == row.first.op && std::ranges::equal(ids, row.first.in, {}, {}, &Var::id) &&
             std::ranges::equal(c->attrs_of(id), row.first.attrs);
    }
    bool operator()(std::uint32_t id, const std::pair<detail::Row, std::size_t>& row) const {
      return (*this)(row, id);
    }
  };
  boost::unordered_flat_set<std::uint32_t, Hash, Equal> index;

  std::uint32_t intern(const Shape& s) {
    const auto [it, added] = shape_ids.try_emplace(s, static_cast<std::uint32_t>(shapes.size()));
    if (added) {
      if (shapes.size() == shape_store.size()) shape_store.emplace_back();
      Shape& kept = shape_store[shapes.size()];
      kept = s;
      shapes.push_back(&kept);
    }
    return it->second;
  }

  template <class ShapeOf>
  std::uint32_t find_or_append(const detail::Row& row, const Where& where, ShapeOf&& shape_of) {
    const std::pair probe{row, detail::hash_of(row)};
    if (const auto it = index.find(probe); it != index.end()) return *it;
    const Shape result = shape_of();
    if (op.size() >= 0xfffffff0U) throw TapeError("a tape holds at most 2^32 nodes");
    const auto id = static_cast<std::uint32_t>(op.size());
    op.push_back(row.op);
    for (const Var& v : row.in) operands.push_back(v.id());
    detail::append(attrs, row.attrs);
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

}  // namespace spool
