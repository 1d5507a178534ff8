// A recurrent layer whose cell is chosen when the program runs: rnn, lstm or gru. It is no part of the
// library, where the cell is a type.
#pragma once

#include <spool/spool.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <variant>
#include <vector>

namespace examples {

struct AnyRecurrentOptions {
  std::string cell = "lstm";
  std::int64_t input = 0, hidden = 0, layers = 1;
  bool bidirectional = false;
  double dropout = 0;
  /// First weights: those of PyTorch ("torch") or of Keras ("keras": orthogonal from state to state), or
  /// PyTorch's but for gates that keep the state for 1..`remember` steps ("chrono": Tallec and Ollivier 2018,
  /// section 2, with T_max one more), or for a tanh RNN's from state to state, normal with deviation
  /// 2/sqrt(H) ("wide").
  std::string start = "torch";
  std::int64_t remember = 2;
};

class AnyRecurrent {
 public:
  static const std::vector<std::string>& cells() {
    static const std::vector<std::string> all{"rnn", "lstm", "gru"};
    return all;
  }

  AnyRecurrent(const spool::Init& init, const AnyRecurrentOptions& o) : layer_(make(init, o)) {
    if (o.start == "wide" || o.start == "chrono") start_as(o, init.seed);
  }

  struct Output {
    spool::Var ys;  ///< [T,B,output_size()]
    spool::Var
        last;  ///< [B,output_size()], of the last layer after each sequence; both directions side by side
  };
  /// xs [T,B,input], from zeros.
  Output operator()(spool::Var xs, const spool::LayerCall& call) const {
    return std::visit(
        [&](const auto& layer) -> Output {
          const auto [ys, state] = layer.unroll(xs, call);
          const spool::Vars all = spool::flatten(state);  // of each cell h, and c where there is one
          const std::size_t per_cell = all.size() / state.size();
          const std::size_t directions = layer.output_size() > layer.cells().back().output_size() ? 2 : 1;
          spool::Vars last;
          for (std::size_t k = state.size() - directions; k < state.size(); ++k)
            last.push_back(all[k * per_cell]);
          return {ys, spool::concat(last, -1)};
        },
        layer_);
  }

  /// The same from the state that zero_state() gives, or that was there after the last step; and the state
  /// after these. Not for both directions.
  spool::Unrolled<spool::Vars> operator()(spool::Var xs, const spool::Vars& state,
                                          const spool::LayerCall& call) const {
    return std::visit(
        [&](const auto& layer) -> spool::Unrolled<spool::Vars> {
          const auto like = layer.initial_state(xs.tape(), xs.shape()[1]);
          const auto [ys, last] = layer.unroll(xs, spool::rebuild(like, state), call);
          return {ys, spool::flatten(last)};
        },
        layer_);
  }
  spool::Carried<spool::Vars> zero_state(std::int64_t batch) const {
    spool::Tape scratch;
    return std::visit(
        [&](const auto& layer) {
          return spool::Carried(spool::flatten(layer.initial_state(scratch, batch)));
        },
        layer_);
  }

  std::int64_t output_size() const {
    return std::visit([](const auto& layer) { return layer.output_size(); }, layer_);
  }
  spool::Params parameters() const {
    return std::visit([](const auto& layer) { return layer.parameters(); }, layer_);
  }

 private:
  using Layer = std::variant<spool::Rnn, spool::Lstm, spool::Gru>;

  static Layer make(spool::Init init, const AnyRecurrentOptions& o) {
    const auto check = [](const char* option, const std::string& value,
                          const std::vector<std::string>& choices) {
      if (std::ranges::find(choices, value) == choices.end())
        throw spool::ShapeError(std::string("AnyRecurrent: there is no ") + option + " \"" + value + "\"");
    };
    check("cell", o.cell, cells());
    check("start", o.start, {"torch", "keras", "chrono", "wide"});
    if (o.start == "keras") init.scheme = spool::Scheme::keras;
    const auto made = [&]<class R>(std::type_identity<R>) {
      return R(init, {.input = o.input,
                      .hidden = o.hidden,
                      .layers = o.layers,
                      .bidirectional = o.bidirectional,
                      .dropout = o.dropout});
    };
    if (o.cell == "rnn") return made(std::type_identity<spool::Rnn>{});
    if (o.cell == "gru") return made(std::type_identity<spool::Gru>{});
    return made(std::type_identity<spool::Lstm>{});
  }

  void start_as(const AnyRecurrentOptions& o, std::uint64_t seed) {
    spool::Philox random(seed, /*stream=*/1);
    for (spool::Param p : parameters()) {
      const auto H = static_cast<std::size_t>(o.hidden), gates = static_cast<std::size_t>(p.shape()[0]) / H;
      const auto is = [&](const char* kind) { return p.name().find(kind) != std::string::npos; };
      if (o.start == "wide" && gates == 1 && is("weight_hh")) {
        const double deviation = 2 / std::sqrt(static_cast<double>(H));
        p.assign({p.shape(), spool::fill::normal(0, deviation)(p.shape(), random)});
      }
      if (o.start != "chrono" || gates == 1 || !is("bias")) continue;
      // The second gate keeps the state in both cells: f of an LSTM, z of a GRU. An LSTM's i starts as 1 - f.
      spool::Tensor bias(p.shape());
      for (std::size_t i = 0; i < H && is("bias_ih"); ++i) {
        bias.set(H + i, std::log(random.uniform(1, static_cast<double>(o.remember))));
        if (gates == 4) bias.set(i, -bias.at(H + i));
      }
      p.assign(bias);
    }
  }

  Layer layer_;
};

}  // namespace examples
