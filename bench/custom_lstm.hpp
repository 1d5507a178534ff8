// An LSTM as a user writes it, with the equations of LstmCell and nothing but public ops: the benchmark that
// a cell of one's own is as fast as the library's.
#pragma once

#include <spool/spool.hpp>

#include <cmath>

class CustomLstm {
 public:
  static constexpr const char* layer_name = "custom";
  struct State {
    spool::Var h, c;  // [B,H]
  };
  struct Options {};

  CustomLstm(const spool::Init& init, std::int64_t input, std::int64_t hidden, Options)
      : hidden_(hidden),
        w_x_(init.param("w_x", {4 * hidden, input}, bounded())),
        w_h_(init.param("w_h", {4 * hidden, hidden}, bounded())),
        b_x_(init.param("b_x", {4 * hidden}, bounded())),
        b_h_(init.param("b_h", {4 * hidden}, bounded())) {}

  // x [B,D]
  State step(spool::Var x, State s) const {
    using namespace spool;
    Tape& tape = x.tape();
    const Var from_x = matmul(x, transpose(tape.param(w_x_)));
    const Var from_h = matmul(s.h, transpose(tape.param(w_h_)));
    const Var bias = tape.param(b_x_) + tape.param(b_h_);
    const auto [i, f, g, o] = split<4>((from_x + from_h) + bias);
    const Var kept = sigmoid(f) * s.c;
    const Var c = kept + sigmoid(i) * tanh(g);
    return {sigmoid(o) * tanh(c), c};
  }

  State zero_state(spool::Tape& tape, std::int64_t batch) const {
    return {tape.constant(0, {batch, hidden_}), tape.constant(0, {batch, hidden_})};
  }
  spool::Params parameters() const { return {w_x_, w_h_, b_x_, b_h_}; }
  std::int64_t output_size() const { return hidden_; }

 private:
  spool::Fill bounded() const {
    const double bound = 1 / std::sqrt(static_cast<double>(hidden_));
    return spool::fill::uniform(-bound, bound);
  }

  std::int64_t hidden_;
  spool::Param w_x_, w_h_, b_x_, b_h_;
};
