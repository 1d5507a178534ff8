#include <spool/graph/error.hpp>
#include <spool/layers/unroll.hpp>
#include <spool/ops/elementwise.hpp>
#include <spool/ops/record.hpp>
#include <spool/ops/whole.hpp>

#include <fmt/format.h>

namespace spool {

namespace {

// The lengths themselves, refused when one does not fit. Attribute: the number of steps.
constexpr OpDef lengths_op{
    .name = "lengths",
    .arity = 1,
    .kind = Kind::elementwise,
    .shape = shapes::same,
    .eval = eval_of([]<class T>(const Args<T>& a) {
      for (std::int64_t i = 0; i < a.size(); ++i)
        a.out[i] = static_cast<T>(static_cast<double>(detail::whole("length", a.in[0][i], i, 0, a.attrs[0])));
    }),
};

Var checked_lengths(Var xs, Var lengths, const Where& where) {
  if (xs.shape(where).rank() < 2) fail_shape("lengths", "the steps must be [T, B, ...]", {xs}, where);
  if (lengths.shape(where) != Shape{xs.shape()[1]})
    fail_shape("lengths", fmt::format("must be [{}], one for each sequence of the batch", xs.shape()[1]),
               {lengths, xs}, where);
  return record(lengths_op, {{lengths, where}}, {xs.shape()[0]});
}

// [...] -> [..., 1, 1] of the given rank, so that it broadcasts over what follows.
Var with_rank(Var mask, int rank) {
  Shape s = mask.shape();
  while (s.rank() < rank) s = s.inserted(s.rank(), 1);
  return reshape(mask, s);
}

// 1 for sequences that step t belongs to: [B].
Var goes_on(Var lengths, std::int64_t t) { return lt(static_cast<double>(t), lengths); }

}  // namespace

Var mask_past_end(Var xs, Var lengths, Where where) {
  const CalledFrom from(xs.tape(where), where);
  const Var checked = checked_lengths(xs, lengths, where);
  Vars steps;
  for (std::int64_t t = 0; t < xs.shape()[0]; ++t) steps.push_back(goes_on(checked, t));
  if (steps.empty()) return xs;
  return spool::where(with_rank(stack(steps, 0, where), xs.shape().rank()), xs, 0.0);
}

namespace detail {

Ends::Ends(Var xs, Var lengths, const Where& where)
    : lengths_(lengths.valid() ? checked_lengths(xs, lengths, where) : lengths), where_(where) {}

Vars Ends::kept(std::int64_t t, const Vars& now, const Vars& before) const {
  check_kept("unroll with lengths", before, now, where_);
  const std::int64_t batch = lengths_.shape()[0];
  Vars kept;
  for (std::size_t i = 0; i < now.size(); ++i) {
    const Shape& s = now[i].shape(where_);
    if (s.rank() == 0 || s[0] != batch)
      fail_shape("unroll with lengths", fmt::format("each part of the state must be [{}, ...]", batch),
                 {now[i]}, where_);
    kept.push_back(spool::where(with_rank(goes_on(lengths_, t), s.rank()), now[i], before[i]));
  }
  return kept;
}

Var rows_of_steps(Var xs, const Where& where) {
  const Shape s = xs.shape().without(0);
  return reshape({xs, where}, s.with(0, xs.shape()[0] * s[0]));
}

void check_steps(Var xs, const Where& where) {
  if (xs.shape(where).rank() < 2 || xs.shape()[0] == 0)
    fail_shape("unroll", "the steps must be [T, B, ...] with at least one step", {xs}, where);
}

}  // namespace detail

}  // namespace spool
