// The first values of parameters: their distributions, their reproducibility, their names.
#include <spool/spool.hpp>

#include <cmath>
#include <set>

#include <fmt/format.h>

#include "catch.hpp"

using namespace spool;

namespace {

struct Moments {
  double mean = 0, variance = 0, largest = 0;
};

Moments moments(const Tensor& t) {
  Moments m;
  const auto n = static_cast<double>(t.size());
  for (double v : t.doubles()) {
    m.mean += v / n;
    m.largest = std::max(m.largest, std::abs(v));
  }
  for (double v : t.doubles()) m.variance += (v - m.mean) * (v - m.mean) / n;
  return m;
}

// Numbers of the given bound and variance within what chance allows some thousands of them.
void check_uniform(const Tensor& t, double bound) {
  const Moments m = moments(t);
  CHECK(m.largest <= bound);
  CHECK(m.largest > 0.98 * bound);
  CHECK(m.variance == Approx(bound * bound / 3).epsilon(0.08));
  CHECK(std::abs(m.mean) < 5 * bound / std::sqrt(3 * static_cast<double>(t.size())));
}

void check_normal(const Tensor& t, double deviation) {
  const Moments m = moments(t);
  CHECK(m.variance == Approx(deviation * deviation).epsilon(0.1));
  CHECK(m.largest > 3 * deviation);
  CHECK(std::abs(m.mean) < 5 * deviation / std::sqrt(static_cast<double>(t.size())));
}

Tensor filled(const Fill& fill, const Shape& shape) {
  return Init{.seed = 3, .dtype = DType::f64}.param("p", shape, fill).value();
}

// The largest element of |m^T m - gain^2 I|, or of |m m^T - gain^2 I| for a wide one.
double not_orthonormal(const Tensor& t, double gain) {
  const std::int64_t rows = t.shape()[0], columns = static_cast<std::int64_t>(t.size()) / rows;
  Tape tape(DType::f64);
  const Var m = reshape(tape.input(t), {rows, columns});
  const Var product = rows >= columns ? matmul(transpose(m), m) : matmul(m, transpose(m));
  const std::int64_t n = std::min(rows, columns);
  double worst = 0;
  for (std::int64_t i = 0; i < n * n; ++i)
    worst = std::max(worst, std::abs(tape.read(product).at(static_cast<std::size_t>(i)) -
                                     (i % (n + 1) == 0 ? gain * gain : 0)));
  return worst;
}

Tensor value(const Params& params, const std::string& name) {
  for (const Param& p : params)
    if (p.name() == name) return p.value();
  FAIL("no parameter " << name);
  return {};
}

template <class Model>
std::int64_t count(const Model& model) {
  std::int64_t n = 0;
  for (const Param& p : model.parameters()) n += p.shape().size();
  return n;
}

}  // namespace

TEST_CASE("fills have the variance of their papers") {
  const Shape s{60, 40, 2};  // fan-in 80, fan-out 120
  check_uniform(filled(fill::uniform(-0.3, 0.3), s), 0.3);
  check_uniform(filled(fill::xavier_uniform(), s), std::sqrt(6.0 / 200));
  check_uniform(filled(fill::xavier_uniform(2), s), 2 * std::sqrt(6.0 / 200));
  check_uniform(filled(fill::kaiming_uniform(), s), std::sqrt(6.0 / 80));
  check_uniform(filled(fill::kaiming_uniform(std::sqrt(5)), s), 1 / std::sqrt(80));
  check_normal(filled(fill::normal(0, 2), s), 2);
  check_normal(filled(fill::xavier_normal(), s), std::sqrt(2.0 / 200));
  check_normal(filled(fill::kaiming_normal(1), s), std::sqrt(1.0 / 80));
  CHECK(moments(filled(fill::normal(5, 0.1), s)).mean == Approx(5).epsilon(0.01));
  CHECK(filled(fill::constant(0.5), {2}) == Tensor({2}, {0.5, 0.5}, DType::f64));
  CHECK(filled(fill::stacked({fill::zeros(), fill::constant(1)}), {4}) ==
        Tensor({4}, {0, 0, 1, 1}, DType::f64));
}

TEST_CASE("orthogonal matrices are, tall, wide and folded") {
  CHECK(not_orthonormal(filled(fill::orthogonal(), {48, 12}), 1) < 1e-14);
  CHECK(not_orthonormal(filled(fill::orthogonal(), {5, 12}), 1) < 1e-14);
  CHECK(not_orthonormal(filled(fill::orthogonal(3), {20, 20}), 3) < 1e-13);
  CHECK(not_orthonormal(filled(fill::orthogonal(), {6, 2, 2}), 1) < 1e-14);
  CHECK_THROWS_WITH(filled(fill::orthogonal(), {4}), "orthogonal: needs at least two axes, not shape [4]");
}

TEST_CASE("PyTorch's scheme is the default") {
  const Init init{.seed = 1, .dtype = DType::f64};
  for (const Param& p : Lstm(init, {.input = 30, .hidden = 64, .cell = {.proj = 50}}).parameters()) {
    if (p.shape().size() > 1000) check_uniform(p.value(), 1 / std::sqrt(64));
    CHECK(moments(p.value()).largest <= 1 / std::sqrt(64));
  }
  const Params linear = Linear(init, 100, 60).parameters();
  check_uniform(linear[0].value(), 0.1);
  CHECK(moments(linear[1].value()).largest <= 0.1);
  CHECK(moments(linear[1].value()).largest > 0.08);
  check_normal(Embedding(init, 70, 40).parameters()[0].value(), 1);
}

TEST_CASE("Keras's scheme by choice") {
  const Init init{.seed = 1, .dtype = DType::f64, .scheme = Scheme::keras};
  const Params lstm = LstmCell(init, 30, 24).parameters();
  check_uniform(value(lstm, "weight_ih"), std::sqrt(6.0 / (30 + 4 * 24)));
  CHECK(not_orthonormal(value(lstm, "weight_hh"), 1) < 1e-13);
  CHECK(moments(value(lstm, "bias_hh")).largest == 0);
  const std::vector<double> bias = value(lstm, "bias_ih").doubles();
  for (std::size_t i = 0; i < bias.size(); ++i)
    CHECK(bias[i] == (i / 24 == 1 ? 1 : 0));  // gate order i f g o
  const Params gru = GruCell(init, 30, 24).parameters();
  CHECK(not_orthonormal(value(gru, "weight_hh"), 1) < 1e-13);
  CHECK(moments(value(gru, "bias_ih")).largest == 0);
  const Params linear = Linear(init, 50, 70).parameters();
  check_uniform(linear[0].value(), std::sqrt(6.0 / 120));
  CHECK(moments(linear[1].value()).largest == 0);
  check_uniform(Embedding(init, 60, 50).parameters()[0].value(), 0.05);
}

TEST_CASE("the forget gate's bias starts where it is told, both biases together") {
  const Init init{.seed = 1, .dtype = DType::f64};
  const Params p = LstmCell(init, 3, 4, {.forget_bias = 1.5}).parameters();
  const std::vector<double> ih = value(p, "bias_ih").doubles(), hh = value(p, "bias_hh").doubles();
  for (std::size_t i = 4; i < 8; ++i) CHECK(ih[i] + hh[i] == 1.5);
  CHECK(ih[3] + hh[3] != 1.5);
  CHECK(std::set<double>(ih.begin(), ih.begin() + 4).size() == 4);
  const char* text =
      "LstmCell: forget_bias is given, but there is no such bias; drop it, or .coupled or .bias = false";
  CHECK_THROWS_WITH(LstmCell(init, 3, 4, {.coupled = true, .forget_bias = 1}), text);
  CHECK_THROWS_WITH(LstmCell(init, 3, 4, {.bias = false, .forget_bias = 1}), text);
}

TEST_CASE("the padding row of an embedding starts at 0") {
  const Init init{.seed = 1};
  for (std::int64_t row : {2, -3}) {
    const Tensor table = Embedding(init, 5, 4, {.padding_idx = row}).parameters()[0].value();
    for (std::size_t i = 0; i < 20; ++i) CHECK((table.at(i) == 0) == (i / 4 == 2));
  }
  CHECK_THROWS_WITH(Embedding(init, 5, 4, {.padding_idx = 5}),
                    "Embedding: padding_idx 5 is no row of a table of 5");
}

TEST_CASE("one seed gives one model; no number comes twice") {
  const auto all = [](const Init& init) {
    const Init copy = init;  // goes on with the same stream
    std::vector<double> values;
    const Gru gru(init, {.input = 5, .hidden = 6, .layers = 2, .bidirectional = true});
    for (const Param& p : parameters(gru, Linear(copy, 4, 3), Linear(init.named("again"), 4, 3)))
      for (double v : p.value().doubles()) values.push_back(v);
    return values;
  };
  const auto once = all({.seed = 1, .dtype = DType::f64});
  CHECK(all({.seed = 1, .dtype = DType::f64}) == once);
  CHECK(all({.seed = 2, .dtype = DType::f64}) != once);
  CHECK(std::set<double>(once.begin(), once.end()).size() == once.size());
  const auto single = all({.seed = 1, .dtype = DType::f32});
  for (std::size_t i = 0; i < once.size(); ++i) CHECK(single[i] == static_cast<float>(once[i]));
}

TEST_CASE("parameters are named, shaped and ordered as PyTorch's") {
  // torch.nn.LSTM(3, 4, num_layers=2, bidirectional=True, proj_size=2).named_parameters()
  const std::vector<std::string> torch{"weight_ih_l0 [16, 3]",
                                       "weight_hh_l0 [16, 2]",
                                       "bias_ih_l0 [16]",
                                       "bias_hh_l0 [16]",
                                       "weight_hr_l0 [2, 4]",
                                       "weight_ih_l0_reverse [16, 3]",
                                       "weight_hh_l0_reverse [16, 2]",
                                       "bias_ih_l0_reverse [16]",
                                       "bias_hh_l0_reverse [16]",
                                       "weight_hr_l0_reverse [2, 4]",
                                       "weight_ih_l1 [16, 4]",
                                       "weight_hh_l1 [16, 2]",
                                       "bias_ih_l1 [16]",
                                       "bias_hh_l1 [16]",
                                       "weight_hr_l1 [2, 4]",
                                       "weight_ih_l1_reverse [16, 4]",
                                       "weight_hh_l1_reverse [16, 2]",
                                       "bias_ih_l1_reverse [16]",
                                       "bias_hh_l1_reverse [16]",
                                       "weight_hr_l1_reverse [2, 4]"};
  const Init init{.seed = 1};
  std::vector<std::string> ours;
  const Lstm lstm(init, {.input = 3, .hidden = 4, .layers = 2, .bidirectional = true, .cell = {.proj = 2}});
  for (const Param& p : lstm.parameters()) ours.push_back(p.name() + " " + p.shape().text());
  CHECK(ours == torch);
  const Lstm named(init.named("model").named("encoder"), {.input = 3, .hidden = 4});
  CHECK(named.parameters()[1].name() == "model.encoder.weight_hh_l0");
  CHECK(Linear(init.named("head"), 2, 3).parameters()[1].name() == "head.bias");
}

TEST_CASE("models have as many parameters as PyTorch's") {
  const Init init{.seed = 1};
  const auto sized = [&](auto options, bool bias) {
    options.input = 5, options.hidden = 7, options.layers = 3, options.bidirectional = true;
    options.cell.bias = bias;
    return options;
  };
  CHECK(count(Rnn(init, sized(Rnn::Options{}, true))) == 840);
  CHECK(count(Rnn(init, sized(Rnn::Options{}, false))) == 756);
  CHECK(count(Gru(init, sized(Gru::Options{}, true))) == 2520);
  CHECK(count(Gru(init, sized(Gru::Options{}, false))) == 2268);
  CHECK(count(Lstm(init, sized(Lstm::Options{}, true))) == 3360);
  CHECK(count(Lstm(init, sized(Lstm::Options{}, false))) == 3024);
  // What PyTorch has no counterpart of: D = 5, H = 7.
  const std::int64_t plain = count(LstmCell(init, 5, 7));
  CHECK(plain == 4 * 7 * (5 + 7 + 2));
  CHECK(count(LstmCell(init, 5, 7, {.coupled = true})) == 3 * 7 * (5 + 7 + 2));
  CHECK(count(LstmCell(init, 5, 7, {.peepholes = true})) == plain + 3 * 7);
  CHECK(count(LstmCell(init, 5, 7, {.peepholes = true, .coupled = true})) == 3 * 7 * (5 + 7 + 2) + 2 * 7);
  CHECK(count(LstmCell(init, 5, 7, {.layer_norm = true})) == plain + 2 * (4 + 4 + 1) * 7);
  CHECK(count(Lstm(init, {.input = 5, .hidden = 7, .layers = 2, .learn_initial_state = true})) ==
        plain + count(LstmCell(init, 7, 7)) + 2 * (7 + 7));
}

TEST_CASE("sizes that make no layer are refused") {
  const Init init{.seed = 1};
  CHECK_THROWS_WITH(Linear(init, 0, 3),
                    "parameter \"weight\" would be [3, 0]; set the layer's sizes above 0");
  CHECK_THROWS_WITH(Lstm(init.named("encoder"), {.hidden = 4}),
                    "parameter \"encoder.weight_ih_l0\" would be [16, 0]; set the layer's sizes above 0");
  CHECK_THROWS_AS(GruCell(init, 3, 0), ShapeError);
  CHECK_THROWS_AS(Embedding(init, -1, 3), ShapeError);
  CHECK_THROWS_WITH(LstmCell(init, 3, 4, {.proj = 5}), "LstmCell: proj is 5; it must lie in 0..4 (hidden)");
  CHECK_THROWS_WITH(LstmCell(init, 3, 4, {.cell_clip = -1}),
                    "LstmCell: cell_clip is -1; it must not be negative");
}
