// Rnn, Lstm, Gru: layers of cells over whole sequences, made of unroll() and the wrappers alone. Recurrent<C>
// does the same for a user's cell that is a RecurrentCell, and has step_from where there is to be recurrent
// dropout.
//
// Whatever drops values at random must know whether it trains, and there is no default: unroll() of such a
// layer throws until {.training = true} or {.training = false} is said. So it can't be forgotten, and one
// model can train on one tape while it is evaluated on another.
#pragma once

#include <spool/layers/gru_cell.hpp>
#include <spool/layers/lstm_cell.hpp>
#include <spool/layers/rnn_cell.hpp>
#include <spool/layers/unroll.hpp>
#include <spool/layers/wrap.hpp>

#include <concepts>
#include <optional>
#include <string>
#include <string_view>

namespace spool {

namespace detail {
std::string layer_name(const Init& init, std::string_view kind);  ///< "encoder" of the prefix, or the kind.
std::string cell_suffix(std::int64_t layer, bool reverse);        ///< "_l0", "_l1_reverse".
/// The checks of a Recurrent; each throws the error that says what to do.
void check_layer(const std::string& name, std::int64_t layers, std::vector<double> rates,
                 std::initializer_list<double> more_rates);
[[noreturn]] void refuse_recurrent_dropout(const std::string& name);
void check_sequence(const std::string& name, Var xs, std::int64_t input, const Where& where);

template <class C>
concept StepsFromMasked = requires(const C& c, Var v, const typename C::State& s, const Where& w) {
  c.step_from(v, v, s, w);
};

/// What RecurrentDropout costs, without its mask: to choose a recomputation on other tapes.
template <class C>
struct AnyMask {
  C cell;

  template <class S>
  auto step(Var x, const S& s, const Where& where = Where::current()) const {
    const Var h = output_of(cell, s);
    return cell.step_from(h * detach(h), x, s, where);
  }
  template <class S>
  Var output(const S& s) const {
    return output_of(cell, s);
  }
};
}  // namespace detail

/// What Recurrent needs of a cell, as LstmCell has it.
template <class C>
concept RecurrentCell = StatefulCell<C> && requires(const Init& init, std::int64_t size) {
  C(init, size, size, typename C::Options{});
};

namespace detail {
/// The types that Recurrent uses of a cell. Of another class it stops the compilation with a sentence.
template <class C>
struct PartsOf {
  static_assert(RecurrentCell<C>,
                "the cell of a Recurrent needs the types State and Options, a constructor "
                "(init, input, hidden, options), step(x, state), zero_state(tape, batch), parameters() and "
                "output_size(); docs/training.md shows one");
  using State = Var;
  struct Options {};
};
template <RecurrentCell C>
struct PartsOf<C> {
  using State = typename C::State;
  using Options = typename C::Options;
};
}  // namespace detail

template <class C>
struct RecurrentOptions {
  std::int64_t input = 0, hidden = 0, layers = 1;
  bool bidirectional = false;
  double dropout = 0;                ///< of the outputs of every layer but the last
  double recurrent_dropout = 0;      ///< one mask for each sequence and layer; see RecurrentDropout
  std::vector<double> zoneout = {};  ///< rates for h (and c); see Zoneout
  /// Layers whose input and output have one size add the two (both directions together).
  bool residual = false;
  /// The initial state is learnt: parameters initial_0_l0, ... (h, then c), first 0.
  bool learn_initial_state = false;
  typename detail::PartsOf<C>::Options cell = {};  ///< of every cell, such as .cell = {.peepholes = true}
};

struct LayerCall {
  Var lengths = {};                   ///< [B]; see UnrollOptions
  std::optional<bool> training = {};  ///< needed by layers that drop values at random
  Recomputation recomputation = {};   ///< of each layer and direction; see UnrollOptions
  Budget budget = {};                 ///< of all of them, each of which has an equal part
};

template <class C>
class Recurrent {
 public:
  using Options = RecurrentOptions<C>;
  /// One state for each cell: layer 0, layer 0 reversed, layer 1, ...
  using State = States<typename detail::PartsOf<C>::State>;

  /// Parameters are named as PyTorch's: weight_ih_l0, weight_hh_l0_reverse, ... ShapeError for sizes below 1
  /// and probabilities outside 0..1.
  Recurrent(const Init& init, Options options) : options_(std::move(options)), name_(name_of(init)) {
    detail::check_layer(name_, options_.layers, options_.zoneout,
                        {options_.dropout, options_.recurrent_dropout});
    if (options_.recurrent_dropout > 0 && !detail::StepsFromMasked<C>)
      detail::refuse_recurrent_dropout(name_);
    for (std::int64_t l = 0; l < options_.layers; ++l)
      for (int d = 0; d < directions(); ++d) {
        const Init here = init.suffixed(detail::cell_suffix(l, d == 1));
        const std::int64_t input = l == 0 ? options_.input : output_size();
        cells_.emplace_back(here, input, options_.hidden, options_.cell);
        if (options_.learn_initial_state) initial_.push_back(make_initial(here, cells_.back()));
      }
  }

  /// xs [T,B,input] -> ys [T,B,output_size()], from the given state. ShapeError for other shapes and for a
  /// state of another layer; TapeError when `training` is needed and not said. (A template only so that
  /// braces after xs, as in unroll(xs, {.training = true}), are never taken for a state.)
  template <std::same_as<State> S>
  Unrolled<State> unroll(Var xs, S state, const LayerCall& call = {}, Where where = Where::current()) const {
    Tape& tape = xs.tape(where);
    const CalledFrom from(tape, where);
    check_call(xs, state, call, where);
    const Scope scope(tape, name_);
    const bool training = call.training.value_or(false);
    const auto cells = static_cast<std::int64_t>(cells_.size());
    std::int64_t budget = call.budget.bytes / cells;
    if (budget == 0 && call.budget.bytes != 0) budget = call.budget.bytes;  // 0 would be no limit
    for (std::int64_t l = 0; l < options_.layers; ++l) {
      Vars outputs;
      for (int d = 0; d < directions(); ++d) {
        const Scope layer(tape, detail::cell_suffix(l, d == 1).substr(1));
        const auto k = static_cast<std::size_t>(l * directions() + d);
        const UnrollOptions options{.lengths = call.lengths,
                                    .reverse = d == 1,
                                    .recomputation = call.recomputation,
                                    .budget = {budget}};
        auto [ys, last] = run(cells_[k], xs, state[k], options, training, where);
        outputs.push_back(ys);
        state[k] = std::move(last);
      }
      Var ys = concat(outputs, -1, where);
      if (options_.residual && ys.shape() == xs.shape())
        ys = ys + (call.lengths.valid() ? mask_past_end(xs, call.lengths, where) : xs);
      xs = l + 1 < options_.layers ? dropout(ys, options_.dropout, training) : ys;
    }
    return {xs, std::move(state)};
  }

  /// The same from initial_state().
  Unrolled<State> unroll(Var xs, const LayerCall& call = {}, Where where = Where::current()) const {
    const CalledFrom from(xs.tape(where), where);
    detail::check_sequence(name_, xs, options_.input, where);
    return unroll(xs, initial_state(xs.tape(), xs.shape()[1], where), call, where);
  }

  /// Zeros, or what was learnt.
  State initial_state(Tape& tape, std::int64_t batch, Where where = Where::current()) const {
    const CalledFrom from(tape, where);
    State state;
    for (std::size_t k = 0; k < cells_.size(); ++k) {
      state.push_back(cells_[k].zero_state(tape, batch));
      if (!options_.learn_initial_state) continue;
      std::size_t i = 0;
      state[k] = map_state(
          state[k], [&](Var zero) { return broadcast_to(tape.param(initial_[k][i++]), zero.shape()); });
    }
    return state;
  }

  /// Zeros to start from where the state is carried from one recording to the next.
  Carried<State> zero_state(std::int64_t batch) const {
    Tape scratch;
    State state;
    for (const C& cell : cells_) state.push_back(cell.zero_state(scratch, batch));
    return Carried<State>(state);
  }

  Params parameters() const {
    Params all;
    for (const C& cell : cells_) {
      const Params some = cell.parameters();
      all.insert(all.end(), some.begin(), some.end());
    }
    for (const Params& some : initial_) all.insert(all.end(), some.begin(), some.end());
    return all;
  }

  const std::vector<C>& cells() const { return cells_; }  ///< In the order of State.
  std::int64_t output_size() const { return directions() * cells_.front().output_size(); }

 private:
  int directions() const { return options_.bidirectional ? 2 : 1; }

  static std::string name_of(const Init& init) {
    if constexpr (requires { C::layer_name; })
      return detail::layer_name(init, C::layer_name);
    else
      return detail::layer_name(init, "recurrent");
  }

  static Params make_initial(const Init& init, const C& cell) {
    Tape scratch;
    Params params;
    for (Var v : flatten(cell.zero_state(scratch, 1)))
      params.push_back(
          init.param("initial_" + std::to_string(params.size()), v.shape().without(0), fill::zeros()));
    return params;
  }

  void check_call(Var xs, const State& state, const LayerCall& call, const Where& where) const {
    detail::check_sequence(name_, xs, options_.input, where);
    detail::check_cells(name_, state.size(), cells_.size());
    const bool random = options_.dropout > 0 || options_.recurrent_dropout > 0 || !options_.zoneout.empty();
    if (random) detail::check_training(name_, "unroll", call.training);
  }

  Unrolled<typename C::State> run(const C& cell, Var xs, const typename C::State& state,
                                  const UnrollOptions& options, bool training, const Where& where) const {
    const auto zoned = [&](const auto& inner, const auto& use) {
      return options_.zoneout.empty() ? use(inner) : use(Zoneout{inner, options_.zoneout, training});
    };
    UnrollOptions how = options;
    const auto choose = [&](const auto& c) { return plan_budget(c, xs, state, options).recomputation; };
    const auto unrolled = [&](const auto& c) { return spool::unroll(c, xs, state, how, where); };
    if constexpr (detail::StepsFromMasked<C>) {
      if (options_.recurrent_dropout > 0 && training) {
        const Shape shape{xs.shape()[1], cell.output_size()};
        if (options.budget.bytes != 0) {
          how.recomputation = zoned(detail::AnyMask<C>{cell}, choose);
          how.budget = {};
        }
        return zoned(
            RecurrentDropout{cell, dropout_mask(xs.tape(), shape, options_.recurrent_dropout, where)},
            unrolled);
      }
    }
    return zoned(cell, unrolled);
  }

  Options options_;
  std::string name_;
  std::vector<C> cells_;
  std::vector<Params> initial_;  // for each cell, where they are learnt
};

using Rnn = Recurrent<RnnCell>;
using Lstm = Recurrent<LstmCell>;
using Gru = Recurrent<GruCell>;

}  // namespace spool
