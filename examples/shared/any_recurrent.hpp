// A recurrent layer whose cell is chosen when the program runs: rnn, lstm or gru. It is no part of the
// library, where the cell is a type.
#pragma once

#include <spool/spool.hpp>

#include <string>
#include <variant>
#include <vector>

namespace examples {

struct AnyRecurrentOptions {
  std::string cell = "lstm";
  std::int64_t input = 0, hidden = 0, layers = 1;
  bool bidirectional = false;
  double dropout = 0;
};

class AnyRecurrent {
 public:
  static const std::vector<std::string>& cells() {
    static const std::vector<std::string> all{"rnn", "lstm", "gru"};
    return all;
  }

  AnyRecurrent(const spool::Init& init, const AnyRecurrentOptions& o) : layer_(make(init, o)) {}

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

  std::int64_t output_size() const {
    return std::visit([](const auto& layer) { return layer.output_size(); }, layer_);
  }
  spool::Params parameters() const {
    return std::visit([](const auto& layer) { return layer.parameters(); }, layer_);
  }

 private:
  using Layer = std::variant<spool::Rnn, spool::Lstm, spool::Gru>;

  static Layer make(const spool::Init& init, const AnyRecurrentOptions& o) {
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

  Layer layer_;
};

}  // namespace examples
