#include <spool/graph/plan/cache.hpp>

#include <algorithm>

namespace spool::plan {

namespace {

std::uint32_t top_of(std::span<const Var> wanted) {
  std::uint32_t top = 0;
  for (const Var& v : wanted) top = std::max(top, v.id() + 1);
  return top;
}

template <class T>
bool starts_with(std::span<const T> all, const std::vector<T>& start) {
  return all.size() >= start.size() && std::equal(start.begin(), start.end(), all.begin());
}

}  // namespace

void Key::assign(const Tape& tape, std::span<const Var> wanted) {
  const Tape::Rows r = tape.rows();
  const std::uint32_t top = top_of(wanted);
  op_.assign(r.op.begin(), r.op.begin() + top);
  operand_end_.assign(r.operand_end.begin(), r.operand_end.begin() + top);
  attr_end_.assign(r.attr_end.begin(), r.attr_end.begin() + top);
  shape_id_.assign(r.shape_id.begin(), r.shape_id.begin() + top);
  operands_.clear(), attrs_.clear(), shapes_.clear(), numbers_.clear(), wanted_.clear();
  if (top > 0) {
    operands_.assign(r.operands.begin(), r.operands.begin() + operand_end_.back());
    attrs_.assign(r.attrs.begin(), r.attrs.begin() + attr_end_.back());
    const std::uint32_t shapes = std::ranges::max(shape_id_) + 1;
    for (std::uint32_t s = 0; s < shapes; ++s) shapes_.push_back(*r.shapes[s]);
  }
  for (std::uint32_t i = 0; i < top; ++i)
    if (is_constant(*op_[i])) numbers_.push_back(i == 0 ? 0 : attr_end_[i - 1]);
  for (const Var& v : wanted) wanted_.push_back(v.id());
}

bool Key::matches(const Tape& tape, std::span<const Var> wanted) const {
  const Tape::Rows r = tape.rows();
  if (!std::ranges::equal(wanted_, wanted, {}, {}, &Var::id)) return false;
  if (!starts_with(r.op, op_) || !starts_with(r.operand_end, operand_end_) ||
      !starts_with(r.attr_end, attr_end_) || !starts_with(r.shape_id, shape_id_) ||
      !starts_with(r.operands, operands_) || r.shapes.size() < shapes_.size())
    return false;
  for (std::size_t i = 0; i < shapes_.size(); ++i)
    if (*r.shapes[i] != shapes_[i]) return false;
  return same_attrs(r.attrs);
}

bool Key::same_attrs(std::span<const std::int64_t> attrs) const {
  std::size_t from = 0;
  for (const std::uint32_t number : numbers_) {
    if (!std::equal(attrs_.begin() + static_cast<std::ptrdiff_t>(from), attrs_.begin() + number,
                    attrs.begin() + static_cast<std::ptrdiff_t>(from)))
      return false;
    from = number + 1;
  }
  return std::equal(attrs_.begin() + static_cast<std::ptrdiff_t>(from), attrs_.end(),
                    attrs.begin() + static_cast<std::ptrdiff_t>(from));
}

}  // namespace spool::plan
