// Draft: a tape's live part while the passes turn it into a plan. Nodes first, one for each recorded op; then
// units of work, each made of nodes; then the order of the units and the storage of what they compute.
//
// Invariants: a node's operands are nodes of the draft, in any order of ids; `order` lists the live ones,
// operands first. Passes read the properties of ops and never name one.
#pragma once

#include <spool/graph/plan/layout.hpp>
#include <spool/graph/plan/options.hpp>
#include <spool/graph/tape.hpp>

#include <boost/container/small_vector.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include <deque>
#include <span>
#include <string>
#include <vector>

namespace spool::plan {

enum class Role : std::uint8_t {
  leaf,          ///< an input or a parameter
  uniform,       ///< one number in every element; its layout's offset is its place among the scalars
  view,          ///< no elements of its own: its layout says where they lie
  elementwise,   ///< part of a cluster
  product,       ///< a [M,K] times b, packed; a third operand is added, or of two more the third one's rows
                 ///< with the fourth one's numbers
  long_product,  ///< the sum of products of a, transposed, and b: operands a, b, a, b, ... A last one is
                 ///< added
  concat,        ///< the operands one after the other along an axis
  copy,          ///< the operand's elements side by side
  buffer,        ///< storage that other nodes are computed in
  eval           ///< any other op, run by its eval on dense operands
};

/// Small, since each pass goes over all of them: shapes and layouts are elsewhere, see Draft.
struct Node {
  Id tape = 0;  ///< the recorded node whose op, attributes and place in the program this one has
  std::uint32_t first = 0, count = 0;  ///< of its operands, in Draft::operands
  std::uint32_t shape = 0;             ///< number of it
  Id root = 0;                         ///< in whose storage its value lies: its own, unless it is a view
  std::uint32_t layout = none;         ///< number of it; none: the root's first elements, side by side
  Role role = Role::eval;
  std::uint8_t axis = 0;  ///< of a concat
};

/// A place inside the storage of another node: where a value is computed to spare a copy later.
struct Place {
  Id parent = none;
  std::uint32_t layout = 0;  ///< number of it: in the parent's own elements
};

/// Element-wise nodes that run together, tile by tile, with folds, slices and joins of their rows.
struct Cluster {
  std::vector<Id> nodes;            ///< operands first
  std::int64_t rows = 0, cols = 0;  ///< by which tiles are cut: how many rows, and the length of the longest
  std::uint32_t program = 0;
  std::vector<Layout> inputs;  ///< as so many rows
  std::vector<Id> outputs;     ///< the nodes that others read
};

/// What all clusters of a kind have in common: the ops to apply to each tile.
struct TileProgram {
  struct Op {
    Id tape;                     ///< a recorded node with this op and these attributes
    std::uint32_t first, count;  ///< of its operands
    Form form;
    std::int64_t cols;          ///< elements of each row that it goes through
    std::uint32_t into = none;  ///< the join in whose rows it stores its result
    std::int64_t at = 0;        ///< where a slice begins, or a part of a join
  };
  std::uint32_t inputs = 0;
  std::vector<Op> ops;
  std::vector<std::uint32_t> operands;  ///< inputs, then results of ops
  std::vector<std::uint32_t> outputs;   ///< which results are stored
};

/// A number that a plan computes afresh for each run from the numbers on the tape.
struct Scalar {
  Id tape;                              ///< none: the number is 1
  std::vector<std::uint32_t> operands;  ///< other scalars; empty for a constant
};

/// Work that runs as one step: a cluster or several of one program, products with one right operand, long
/// products of the same rows, ...
struct Unit {
  Role role;
  boost::container::small_vector<std::uint32_t, 1> members;  ///< nodes; clusters where role is elementwise
  Id last = 0;  ///< the latest recorded node in it; earlier ones run first
};

struct Draft {
  Draft(Tape& t, const Options& o) : tape(t), options(o) {
    for (const Shape* s : t.rows().shapes) add_shape(s);
  }

  Tape& tape;
  Options options;
  std::vector<Node> nodes;
  std::vector<Id> operands;
  std::vector<Id> wanted;
  std::vector<Scalar> scalars;

  std::vector<Id> order;
  std::vector<std::uint32_t> cluster_of;  ///< by node
  std::vector<Cluster> clusters;
  std::vector<TileProgram> programs;
  std::vector<std::uint32_t> unit_of;  ///< by node
  std::vector<Unit> units;             ///< in the order they run, once scheduled
  std::vector<Place> places;           ///< by node

  std::span<const Id> in(Id n) const { return {operands.data() + nodes[n].first, nodes[n].count}; }
  std::span<Id> in(Id n) { return {operands.data() + nodes[n].first, nodes[n].count}; }
  Id root(Id n) const { return nodes[n].root; }
  Layout layout(Id n) const {
    const Node& node = nodes[n];
    return node.layout == none ? dense(node.root, size(n)) : layouts_[node.layout];
  }
  void set_layout(Id n, const Layout& l);
  const OpDef& op(Id n) const { return tape.op(nodes[n].tape); }
  Attrs attrs(Id n) const { return tape.attrs(nodes[n].tape); }
  const Shape& shape(Id n) const { return *shapes_[nodes[n].shape]; }
  std::int64_t size(Id n) const { return sizes_[nodes[n].shape]; }
  bool computed(Id root) const { return nodes[root].role != Role::leaf && nodes[root].role != Role::uniform; }
  /// Whether v is all of its root's elements, side by side.
  bool whole(Id v) const {
    const Node &node = nodes[v], &of = nodes[node.root];
    if (of.role == Role::uniform || size(v) != size(node.root)) return false;
    return node.layout == none || (layouts_[node.layout].offset == 0 && layouts_[node.layout].dense());
  }
  Id add_node(Id tape_id, Role role, const Shape& shape, std::span<const Id> in);
  void set_operands(Id n, std::span<const Id> in);
  /// How many barriers lie on the longest way to a node. Passes join only what has equal numbers here: what
  /// is computed again in the backward pass must not be kept for something later.
  std::uint32_t segment(Id n) const { return n < segments_.size() ? segments_[n] : 0; }
  std::uint32_t latest_segment(std::span<const Id> in) const;
  void set_segment(Id n, std::uint32_t segment) {
    if (segment == 0 && n >= segments_.size()) return;
    if (n >= segments_.size()) segments_.resize(n + 1);
    segments_[n] = segment;
  }
  /// Where operand i of n lies, as rows of the length that n needs.
  Layout read_layout(Id n, std::uint32_t i) const;
  /// The node in whose storage another is computed.
  Id storage(Id root) const {
    while (places[root].parent != none) root = places[root].parent;
    return root;
  }
  /// Whether a long product's left operands are all ones: it gives the sums of the others' columns.
  bool sums_columns(Id n) const;
  /// From now on v is computed in the elements `at` of the node at.root.
  void set_place(Id v, const Layout& at) {
    places[v] = {at.root, static_cast<std::uint32_t>(layouts_.size())};
    layouts_.push_back(at);
  }
  const Layout& place(Id v) const { return layouts_[places[v].layout]; }
  /// The same elements in terms of the storage that holds them.
  Layout stored(Layout l) const;
  /// A node with the elements of v side by side.
  Id copy_of(Id v);
  /// A node with the elements of v under another shape.
  Id view_as(Id v, const Shape& shape);
  /// A node with the rows of all these, one after the other; in any order if it is for a sum over rows.
  Id rows_of(const std::vector<Id>& parts, bool any_order);

 private:
  struct Joined {
    Id node;
    bool any_order;
  };
  void add_shape(const Shape* s) {
    shapes_.push_back(s);
    sizes_.push_back(s->size());
  }

  std::vector<std::uint32_t> segments_;  // by node; empty where there are no barriers
  std::vector<Layout> layouts_;
  std::vector<const Shape*> shapes_;
  std::vector<std::int64_t> sizes_;  // of each shape
  std::deque<Shape> new_shapes_;     // those that the tape does not have
  boost::unordered_flat_map<Id, Id> copies_;
  boost::unordered_flat_map<std::vector<Id>, Joined> joined_;  ///< by sorted parts
};

/// N of a product [M,K] [K,N], whatever shape its result has.
std::int64_t product_cols(const Draft& d, Id n);

// The passes, in the order they run. Each can be switched off (Options), except those that a plan can't do
// without: read and emit.
/// Live nodes, numbers folded, slices as layouts.
void read_tape(Draft& d, std::span<const Var> wanted, std::span<const Var> given = {});
void order_nodes(Draft& d);        ///< drops what nothing wanted depends on
void join_sums(Draft& d);          ///< sums of products, and of what is then summed
void change_selections(Draft& d);  ///< rows of a table, and products of them, at once
void add_selections(Draft& d);     ///< rows of a table that products add
void fuse_elementwise(Draft& d);   ///< clusters
void write_programs(Draft& d);     ///< what clusters do, and the copies that their operands need
void make_units(Draft& d);
void group_units(Draft& d);  ///< units that can run as one
void place_values(Draft& d);

/// One line a step; with reasons, a second one about what it joined and what it did not.
std::string to_text(const Draft& d, bool with_reasons);

}  // namespace spool::plan
