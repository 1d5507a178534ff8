// Cells that look at a memory at each step: wrappers of any cell (see wrap.hpp), and cells themselves. A
// decoder is one of these over embedded words; what it looks at belongs to the tape, so a wrapper is made for
// each recording.
#pragma once

#include <spool/layers/attention.hpp>
#include <spool/layers/cell.hpp>
#include <spool/layers/linear.hpp>
#include <spool/ops/elementwise.hpp>
#include <spool/ops/movement.hpp>

namespace spool {

/// Attends with the previous output as query, feeds [x; context] to the cell, and returns [y; context]
/// (Bahdanau et al. 2015, sections 3.1 and A.2.2, with any readout after it). The cell's input has the size
/// of x plus the memory's.
template <class C>
struct BahdanauCell {
  C cell;
  Attention attention;
  AttentionMemory memory;
  Vars* weights = nullptr;  ///< takes up the weights of each step, [B,S], where they are asked for

  template <class S>
  std::pair<Var, S> step(Var x, const S& s, const Where& where = Where::current()) const {
    const CalledFrom from(x.tape(where), where);
    const auto [context, looked] = attention(output_of(cell, s), memory, where);
    if (weights != nullptr) weights->push_back(looked);
    auto [y, next] = spool::step(cell, concat({x, context}, -1, where), s, where);
    return {concat({y, context}, -1, where), std::move(next)};
  }
};
template <class C>
BahdanauCell(C, Attention, AttentionMemory, Vars* = nullptr) -> BahdanauCell<C>;

/// The state of a LuongCell: the cell's, and the last output, which is fed back.
template <class S>
struct LuongState {
  S cell;
  Var fed;  ///< [B,A]
};

/// Steps first, looks by the new output, and joins the two: h~ = tanh(combine [context; y]), which is the
/// output and also stands beside the next x (Luong et al. 2015, eq. 5 and section 3.3, input feeding). The
/// cell's input has the size of x plus A; combine maps memory plus output size to A.
template <class C>
struct LuongCell {
  C cell;
  Attention attention;
  Linear combine;
  AttentionMemory memory;
  Vars* weights = nullptr;  ///< as of a BahdanauCell

  template <class S>
  std::pair<Var, LuongState<S>> step(Var x, const LuongState<S>& s,
                                     const Where& where = Where::current()) const {
    const CalledFrom from(x.tape(where), where);
    auto [y, next] = spool::step(cell, concat({x, s.fed}, -1, where), s.cell, where);
    const auto [context, looked] = attention(y, memory, where);
    if (weights != nullptr) weights->push_back(looked);
    const Var h = tanh(combine(concat({context, y}, -1, where), where));
    return {h, {std::move(next), h}};
  }
};
template <class C>
LuongCell(C, Attention, Linear, AttentionMemory, Vars* = nullptr) -> LuongCell<C>;

}  // namespace spool
