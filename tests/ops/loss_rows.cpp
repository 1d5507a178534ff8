// Rows of ops/loss and ops/ctc. Golden values are PyTorch 1.13's in double; what only differs at infinite
// logits is in loss_test.cpp, since no gradient can be checked by differences there.
#include <cmath>

#include "../op_table.hpp"

namespace spool::test {

namespace {

constexpr Reduction none = Reduction::none;

// whole() for a list, even one of a single number.
In ids(const Shape& shape, std::vector<double> numbers) { return whole(shape, std::move(numbers)); }

// Both operands of a loss whose formula is given element by element.
std::vector<Sample> pairs(double low, double high, double target_low, double target_high) {
  std::vector<Sample> all;
  for (const Shape& s : {Shape{}, Shape{5}, Shape{2, 3}, Shape{2, 1, 2}, Shape{0}, Shape{3, 0}})
    all.push_back({{real(s, low, high), real(s, target_low, target_high)}});
  return all;
}

Sample classes_sample(std::vector<double> golden) {
  return {{values({3, 3}, {20, -20, 0, -20, 20, 3, 5, 5, 5}), ids({3}, {0, 0, 1})}, std::move(golden)};
}

OpRow cross_entropy_row(const char* name, std::vector<double> golden, CrossEntropyOptions options,
                        bool with_weight) {
  return {.name = name,
          .f =
              [=](Tape& t, const Vars& in) {
                CrossEntropyOptions o = options;
                if (with_weight) o.weight = t.input(Tensor({3}, {0.5, 2, 3}));
                return cross_entropy(in[0], in[1], o);
              },
          .samples = {classes_sample(std::move(golden)),
                      {{real({4, 3}), ids({4}, {2, -100, 0, 1})}},
                      {{real({2, 2, 3}), ids({2, 2}, {2, -100, 0, 1})}},
                      {{real({3}), ids({}, {1})}},
                      {{real({2, 3}), ids({2}, {-100, -100})}},
                      {{real({0, 3}), whole({0}, 3)}}},
          .ulps = 16};
}

std::vector<OpRow> class_rows() {
  using Options = CrossEntropyOptions;
  OpRow plain = cross_entropy_row(
      "cross_entropy", {std::log1p(std::exp(-20) + std::exp(-40)), 40.000000041399375, 1.0986122886681098},
      {.reduction = none}, false);
  plain.errors = {
      error(
          [](Tape& t) {
            cross_entropy(t.input(Tensor({2, 3})), t.input(Tensor({3})));
          },
          "cross_entropy: targets must have the shape of the scores without their last axis, the classes\n"
          "  a  input  [2, 3]\n  b  input  [3]"),
      error([](Tape& t) { cross_entropy(t.input(Tensor()), t.input(Tensor())); },
            "cross_entropy: needs a last axis of classes\n  a  input  []"),
      error(
          [](Tape& t) {
            const Var weight = t.input(Tensor({2}), "w");
            cross_entropy(t.input(Tensor({2, 3})), t.input(Tensor({2})), {.weight = weight});
          },
          "cross_entropy: weight must be [3], one for each class\n"
          "  a  input      [2, 3]\n  b  input      [2]\n  c  input \"w\"  [2]"),
      error(
          [](Tape& t) {
            cross_entropy(t.input(Tensor({2, 3})), t.input(Tensor({2})), {.label_smoothing = 1.5});
          },
          "cross_entropy: label_smoothing is 1.5, outside 0..1"),
      error(
          [](Tape& t) {
            t.run({cross_entropy(t.input(Tensor({1, 3}), "logits"), t.tokens({1}, std::vector{3}, "y"))});
          },
          "class_index: target 3 at position 0 is outside 0..2\n  a  input \"y\"  [1]")};
  OpRow nll{
      .name = "nll_loss",
      .f = [](Tape&, const Vars& in) { return nll_loss(in[0], in[1], {.weight = in[2], .reduction = none}); },
      .samples = {{{values({2, 2}, {-1, -2, -3, -4}), ids({2}, {1, 0}), values({2}, {0.5, 3})}, {6, 1.5}},
                  {{real({3, 2}), ids({3}, {0, -100, 1}), real({2}, 0.5, 2)}},
                  {{real({0, 2}), whole({0}, 2), real({2}, 0.5, 2)}}}};
  OpRow nll_mean = nll;
  nll_mean.name = "nll_loss, mean over weights";
  nll_mean.f = [](Tape&, const Vars& in) { return nll_loss(in[0], in[1], {.weight = in[2]}); };
  nll_mean.samples[0].golden = {7.5 / 3.5};
  return {plain,
          cross_entropy_row("cross_entropy, sum", {41.09861233212864}, {.reduction = Reduction::sum}, false),
          cross_entropy_row("cross_entropy, mean", {13.69953744404288}, {}, false),
          cross_entropy_row("cross_entropy, smoothed",
                            {4.666666667972064, 20.366666692886273, 2.1789143725250844},
                            Options{.label_smoothing = 0.1, .reduction = none}, true),
          cross_entropy_row("cross_entropy, smoothed mean", {9.07074924446114},
                            Options{.label_smoothing = 0.1}, true),
          nll,
          nll_mean};
}

std::vector<OpRow> regression_rows() {
  return {
      {.name = "mse_loss",
       .f = [](Tape&, const Vars& in) { return mse_loss(in[0], in[1], none); },
       .samples = pairs(-2, 2, -1, 3),
       .reference = each([](double x, double y) { return (x - y) * (x - y); }),
       .errors = {error(
           [](Tape& t) {
             mse_loss(t.input(Tensor({2, 1})), t.input(Tensor({2})));
           },
           "mse_loss: operand and target differ in shape\n  a  input  [2, 1]\n  b  input  [2]")}},
      {.name = "l1_loss",
       .f = [](Tape&, const Vars& in) { return l1_loss(in[0], in[1], none); },
       .samples = pairs(-2, -0.5, 0, 2),
       .reference = each([](double x, double y) { return std::abs(x - y); })},
      {.name = "huber_loss",
       .f = [](Tape&, const Vars& in) { return huber_loss(in[0], in[1], {.delta = 1.5, .reduction = none}); },
       .samples = {{{values({4}, {0, 0.5, 3, -3}), values({4}, {0, 0, 1, -1})}, {0, 0.125, 1.875, 1.875}},
                   {{real({2, 3}), real({2, 3}, 3, 8)}},
                   {{real({0}), real({0})}}},
       .errors = {error([](Tape& t) { huber_loss(t.input(Tensor({2})), 0, {.delta = 0}); },
                        "huber_loss: delta is 0; it must be above 0")}},
      {.name = "smooth_l1_loss",
       .f = [](Tape&,
               const Vars& in) { return smooth_l1_loss(in[0], in[1], {.beta = 0.5, .reduction = none}); },
       .samples = {{{values({4}, {0, 0.2, 3, -3}), values({4}, {0, 0, 1, -1})}, {0, 0.04, 1.75, 1.75}},
                   {{real({0}), real({0})}}},
       .errors = {error([](Tape& t) { smooth_l1_loss(t.input(Tensor({2})), 0, {.beta = -1}); },
                        "smooth_l1_loss: beta is -1; it must not be negative")}},
      {.name = "smooth_l1_loss without a parabola",
       .f = [](Tape&,
               const Vars& in) { return smooth_l1_loss(in[0], in[1], {.beta = 0, .reduction = none}); },
       .samples = pairs(-2, -0.5, 0, 2),
       .reference = each([](double x, double y) { return std::abs(x - y); })},
  };
}

std::vector<OpRow> distribution_rows() {
  return {
      {.name = "binary_cross_entropy",
       .f = [](Tape&, const Vars& in) { return binary_cross_entropy(in[0], in[1], {.reduction = none}); },
       .samples = pairs(0.05, 0.95, 0, 1),
       .reference = each([](double x, double y) { return (y - 1) * std::log1p(-x) - y * std::log(x); }),
       .errors = {error(
           [](Tape& t) { t.run({binary_cross_entropy(t.input(Tensor({1}, {1.5})), 1)}); },
           "binary_cross_entropy: probability 1.5 is outside 0..1; logits go to bce_with_logits\n"
           "  a  input     [1]\n  b  constant  [1]")}},
      {.name = "bce_with_logits",
       .f = [](Tape&, const Vars& in) { return bce_with_logits(in[0], in[1], {.reduction = none}); },
       .samples = {{{values({4}, {1e4, 1e4, -1e4, -1e4}), values({4}, {0, 1, 0, 1})}, {1e4, 0, 0, 1e4}},
                   {{values({4}, {0, 30, -30, 0.7}), values({4}, {0.5, 1, 0, 0.3})},
                    {0.6931471805599453, 9.357622968839e-14, 9.357622968839e-14, 0.8931860488854577}},
                   {{real({2, 3}), real({2, 3}, 0, 1)}},
                   {{real({0}), real({0})}}}},
      {.name = "bce_with_logits, weighted",
       .f =
           [](Tape&, const Vars& in) {
             return bce_with_logits(in[0], in[1], {.weight = in[2], .pos_weight = in[3], .reduction = none});
           },
       .samples = {{{values({2}, {1e4, -1e4}), values({2}, {0, 1}), values({}, {0.5}), values({1}, {2.5})},
                    {5000, 12500}},
                   {{values({2}, {0, 0.7}), values({2}, {0.5, 0.3}), values({}, {0.5}), values({1}, {2.5})},
                    {0.6065037829899521, 0.5373098854419569}},
                   {{real({2, 3}), real({2, 3}, 0, 1), real({3}, 0.5, 2), real({2, 1}, 0.5, 2)}},
                   {{real({0, 3}), real({0, 3}), real({3}), real({3})}}}},
      {.name = "kl_div",
       .f = [](Tape&, const Vars& in) { return kl_div(in[0], in[1], {.reduction = none}); },
       .samples = pairs(-4, -0.1, 0.05, 1),
       .reference = each([](double x, double p) { return p * (std::log(p) - x); })},
      {.name = "kl_div, log_target",
       .f = [](Tape&,
               const Vars& in) { return kl_div(in[0], in[1], {.log_target = true, .reduction = none}); },
       .samples = pairs(-4, -0.1, -5, -0.2),
       .reference = each([](double x, double t) { return std::exp(t) * (t - x); })},
      {.name = "reduced by batch_mean",
       .f = [](Tape&, const Vars& in) { return reduced(in[0], Reduction::batch_mean); },
       .samples = {{{values({2, 2}, {1, 2, 3, 5})}, {5.5}}, {{values({}, {3})}, {3}}, {{real({0, 2})}, {0}}}},
  };
}

std::vector<OpRow> ctc_rows() {
  return {{.name = "ctc_loss",
           .f =
               [](Tape&, const Vars& in) {
                 return ctc_loss(in[0], in[1], in[2], in[3], {.reduction = Reduction::mean});
               },
           // One frame of probabilities 1/2, 1/4, 1/4, and the label 1.
           .samples = {{{values({1, 1, 3}, {std::log(0.5), std::log(0.25), std::log(0.25)}), ids({1, 1}, {1}),
                         ids({1}, {1}), ids({1}, {1})},
                        {std::log(4)}},
                       {{real({4, 3, 3}, -4, -0.1), ids({3, 2}, {1, 2, 2, 2, -1, -1}), ids({3}, {4, 3, 2}),
                         ids({3}, {2, 2, 0})}},
                       {{real({2, 0, 3}), whole({0, 2}, 3), whole({0}, 2), whole({0}, 2)}}}}};
}

}  // namespace

std::vector<OpRow> loss_rows() {
  std::vector<OpRow> all;
  for (const auto& rows : {class_rows(), regression_rows(), distribution_rows(), ctc_rows()})
    all.insert(all.end(), rows.begin(), rows.end());
  return all;
}

}  // namespace spool::test
