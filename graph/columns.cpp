#include <spool/graph/columns.hpp>

#include <atomic>

namespace spool {

namespace {

// No two recordings of the program have the same, so that a Var is known to be of none but its own.
std::uint32_t next_epoch() {
  static std::atomic<std::uint32_t> last{0};
  return ++last;
}

}  // namespace

Tape::Columns::Columns(TapeOptions o) : options(o), random{o.seed, 0} {
  grow(64, 64);
  clear();
}

void Tape::Columns::clear() {
  others_.clear();
  shape_ids_.clear();
  shapes_.clear();
  size = 0;
  epoch = next_epoch();
}

Tensor& Tape::Columns::bind(std::uint32_t id) {
  detail::InputSlot& slot = inputs[static_cast<std::size_t>(attrs(id)[0])];
  slot.bound = true;
  ++bindings;
  return slot.value;
}

std::size_t Tape::Columns::bytes() const {
  return op_.bytes() + operand_end_.bytes() + attr_end_.bytes() + shape_id_.bytes() + operands_.bytes() +
         attrs_.bytes() + origin.bytes() + readers_.bytes() + others_.bytes();
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
    readers_.grow((size + detail::Readers::nodes - 1) / detail::Readers::nodes, to / detail::Readers::nodes);
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

std::uint32_t Tape::Columns::intern(const Shape& s) {
  std::uint64_t hash = static_cast<std::uint64_t>(s.rank());
  for (std::int64_t d : s.dims()) hash = detail::mix(hash, static_cast<std::uint64_t>(d));
  const std::uint32_t found = shape_ids_.find(hash, [&](std::uint32_t id) { return *shapes_[id] == s; });
  if (found != detail::no_id) return found;
  const auto id = static_cast<std::uint32_t>(shapes_.size());
  if (id == shape_store_.size()) shape_store_.emplace_back();
  shape_store_[id] = s;
  shapes_.push_back(&shape_store_[id]);
  rows.shapes = shapes_;
  shape_ids_.insert(hash, id);
  return id;
}

}  // namespace spool
