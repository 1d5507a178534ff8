// Wrappers: cells made of other cells, the library's or a user's. Each is an aggregate of the cell inside and
// what it adds, and is itself a cell over the same kind of state, so that they nest:
// Zoneout{RecurrentDropout{cell, mask}, {0.05, 0.5}, training}.
#pragma once

#include <spool/layers/cell.hpp>
#include <spool/ops/elementwise.hpp>
#include <spool/ops/random.hpp>
#include <spool/ops/record.hpp>

#include <algorithm>
#include <vector>

namespace spool {

/// The recurrent products see h times a mask, one for the whole sequence, scaled to keep the mean (Gal and
/// Ghahramani 2016; see dropout_mask). Needs a cell with step_from(h_in, x, state, where).
template <class C>
struct RecurrentDropout {
  C cell;
  Var mask;  ///< [B,H]

  template <class S>
  auto step(Var x, const S& s, const Where& where = Where::current()) const {
    const CalledFrom from(x.tape(where), where);
    return cell.step_from(output_of(cell, s) * mask, x, s, where);
  }
  template <class S>
  Var output(const S& s) const {
    return output_of(cell, s);
  }
};
template <class C>
RecurrentDropout(C, Var) -> RecurrentDropout<C>;

/// Each element of the state keeps its last value with the given probability, drawn at each step; when not
/// training, the mean of both (Krueger et al. 2017, eq. 2). ShapeError for a state that changes its shape
/// and for rates outside 0..1. Of a cell that gives its output apart from the state, such as Residual, the
/// output is left as it is: put Residual around Zoneout.
template <class C>
struct Zoneout {
  C cell;
  std::vector<double> rates;  ///< for each Var of the state in order (h, c); the last one serves the rest
  bool training = false;

  template <class S>
  auto step(Var x, const S& s, const Where& where = Where::current()) const {
    auto [y, next] = spool::step(cell, x, s, where);
    const CalledFrom from(x.tape(where), where);
    const Vars before = flatten(s);
    detail::check_kept("Zoneout", before, flatten(next), where);
    for (double rate : rates) detail::check_rate("Zoneout", rate);
    std::size_t i = 0;
    S mixed = map_state(next, [&](Var now) {
      const double rate = rates.empty() ? 0 : rates[std::min(i, rates.size() - 1)];
      return mix(before[i++], now, rate);
    });
    if constexpr (detail::GivesPair<C, S>)
      return std::pair(y, mixed);
    else
      return mixed;
  }
  template <class S>
  Var output(const S& s) const {
    return output_of(cell, s);
  }

 private:
  Var mix(Var before, Var now, double rate) const {
    if (rate == 0) return now;
    if (training) return where(bernoulli(now.tape(), now.shape(), rate), before, now);
    const Var kept = before * rate;
    return kept + now * (1 - rate);
  }
};
template <class C>
Zoneout(C, std::vector<double>, bool) -> Zoneout<C>;

/// The output is x plus the cell's (He et al. 2016). ShapeError when their shapes differ.
template <class C>
struct Residual {
  C cell;

  template <class S>
  std::pair<Var, S> step(Var x, const S& s, const Where& where = Where::current()) const {
    auto [y, next] = spool::step(cell, x, s, where);
    if (x.shape() != y.shape())
      fail_shape("residual", "the cell's output must have the shape of x", {x, y}, where);
    const CalledFrom from(x.tape(where), where);
    return {x + y, std::move(next)};
  }
};
template <class C>
Residual(C) -> Residual<C>;

/// Cells one above the other, each taking the output of the one below, at every step. For decoders, whose
/// next input depends on the top; Recurrent has layers that run one after the other.
template <class C>
struct Stack {
  std::vector<C> cells;

  /// The states are a list with one for each cell: States, Vars or a std::vector.
  template <detail::ListLike List>
  std::pair<Var, List> step(Var x, List s, const Where& where = Where::current()) const {
    detail::check_cells("Stack", s.size(), cells.size());
    for (std::size_t i = 0; i < cells.size(); ++i) std::tie(x, s[i]) = spool::step(cells[i], x, s[i], where);
    return {x, std::move(s)};
  }
};
template <class C>
Stack(std::vector<C>) -> Stack<C>;

}  // namespace spool
