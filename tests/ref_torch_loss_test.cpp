// Losses, CTC and attention against PyTorch 1.13 in double: values and gradients to 1e-9.
#include <spool/spool.hpp>

#include "catch.hpp"
#include "reference.hpp"

#include <cmath>
#include <limits>

using namespace spool;

namespace {

Reduction reduction(const Reference& ref) {
  if (!ref.has("config/reduction")) return Reduction::mean;
  const std::string name = ref.text("config/reduction");
  return name == "none" ? Reduction::none : name == "sum" ? Reduction::sum : Reduction::mean;
}

// Records the loss of inputs/x, and compares it and its gradient.
void check_loss(const std::string& file, const std::string& x, Var (*record)(const Reference&, Var x)) {
  const auto ref = Reference::open("ref_torch/" + file + ".json");
  if (!ref) return;
  Tape tape(DType::f64);
  const Var in = tape.input(ref->tensor("inputs/" + x));
  const Var loss = record(*ref, in);
  const Var g = grad(sum(loss), in);
  tape.run({loss, g});
  const Tensor want = ref->tensor("outputs");
  check_close(file, tape.read(loss).reshaped(want.shape()), want);
  check_close(file + " gradient", tape.read(g), ref->tensor("grads/" + x));
}

Var input(const Reference& ref, Var like, const std::string& path) {
  return like.tape().input(ref.tensor(path));
}

Var record_cross_entropy(const Reference& ref, Var logits) {
  CrossEntropyOptions options{.ignore_index = static_cast<std::int64_t>(ref.number("ignore_index")),
                              .reduction = reduction(ref)};
  if (ref.has("config/weight")) options.weight = input(ref, logits, "config/weight");
  if (ref.has("config/label_smoothing")) options.label_smoothing = ref.number("config/label_smoothing");
  return cross_entropy(logits, input(ref, logits, "inputs/target"), options);
}

Var record_ctc(const Reference& ref, Var logits) {
  Tape& tape = logits.tape();
  const std::int64_t batch = logits.shape()[1];
  const auto lengths = [&](const std::string& path) { return tape.tokens({batch}, ref.integers(path)); };
  return ctc_loss(log_softmax(logits), input(ref, logits, "inputs/targets"), lengths("config/input_lengths"),
                  lengths("config/target_lengths"),
                  {.blank = static_cast<int>(ref.number("config/blank")),
                   .reduction = reduction(ref),
                   .zero_infinity = ref.flag("config/zero_infinity")});
}

}  // namespace

TEST_CASE("cross-entropy agrees with PyTorch") {
  for (const char* file : {"loss_ce_mean_ignore", "loss_ce_sum_ignore", "loss_ce_weighted",
                           "loss_ce_label_smoothing", "loss_ce_weighted_smoothing"})
    check_loss(file, "logits", record_cross_entropy);
}

TEST_CASE("CTC agrees with PyTorch") {
  for (const char* file : {"ctc_mean", "ctc_none_varlen_repeat", "ctc_sum_long"})
    check_loss(file, "logits", record_ctc);
}

TEST_CASE("element-wise losses agree with PyTorch") {
  check_loss("loss_mse", "x", [](const Reference& r, Var x) { return mse_loss(x, input(r, x, "inputs/y")); });
  check_loss("loss_l1", "x", [](const Reference& r, Var x) { return l1_loss(x, input(r, x, "inputs/y")); });
  check_loss("loss_huber_delta1", "x",
             [](const Reference& r, Var x) { return huber_loss(x, input(r, x, "inputs/y")); });
  check_loss("loss_smooth_l1_beta05", "x", [](const Reference& r, Var x) {
    return smooth_l1_loss(x, input(r, x, "inputs/y"), {.beta = 0.5});
  });
  check_loss("loss_bce_logits", "x",
             [](const Reference& r, Var x) { return bce_with_logits(x, input(r, x, "inputs/y_binary")); });
}

TEST_CASE("losses of distributions agree with PyTorch") {
  // The files leave out: pos_weight is one for each column; the Kullback-Leibler divergence is that of
  // softmax of both, over rows.
  check_loss("loss_bce_logits_posweight", "x", [](const Reference& r, Var x) {
    const Var pos_weight = x.tape().input(Tensor({5}, {1, 2, 3, 0.5, 1}, DType::f64));
    return bce_with_logits(x, input(r, x, "inputs/y_binary"), {.pos_weight = pos_weight});
  });
  check_loss("loss_kl_div_batchmean", "x", [](const Reference& r, Var x) {
    return kl_div(log_softmax(x), softmax(input(r, x, "inputs/y")), {.reduction = Reduction::batch_mean});
  });
  check_loss("loss_kl_div_batchmean", "x", [](const Reference& r, Var x) {
    return kl_div(log_softmax(x), log_softmax(input(r, x, "inputs/y")),
                  {.log_target = true, .reduction = Reduction::batch_mean});
  });
}

TEST_CASE("attention made of public ops agrees with PyTorch's MultiheadAttention") {
  const auto ref = Reference::open("ref_torch/mha_keypadding.json");
  if (!ref) return;
  Tape tape(DType::f64);
  const auto in = [&](const std::string& path) { return tape.input(ref->tensor(path)); };
  const Var q = in("inputs/q"), kv = in("inputs/kv");
  const Var w = in("params/in_proj_weight"), b = in("params/in_proj_bias");
  const Var out_w = in("params/out_proj.weight"), out_b = in("params/out_proj.bias");
  const auto heads = static_cast<std::int64_t>(ref->number("heads"));
  const std::int64_t batch = q.shape()[0], size = q.shape()[2] / heads;

  const auto [wq, wk, wv] = split<3>(w, 0);
  const auto [bq, bk, bv] = split<3>(b, 0);
  const auto by_head = [&](Var x, Var weight, Var bias) {  // [B,L,E] -> [B,heads,L,size]
    const Var y = matmul(x, transpose(weight)) + bias;
    return permute(reshape(y, {batch, -1, heads, size}), {0, 2, 1, 3});
  };
  const Var query = by_head(q, wq, bq), key = by_head(kv, wk, bk), value = by_head(kv, wv, bv);
  const Var masked = reshape(in("inputs/key_padding_mask"), {batch, 1, 1, -1});
  const Var scores = matmul(query, transpose(key)) / std::sqrt(static_cast<double>(size));
  const Var attention = softmax(where(masked, -std::numeric_limits<double>::infinity(), scores));
  const Var heard = reshape(permute(matmul(attention, value), {0, 2, 1, 3}), q.shape());
  const Var out = matmul(heard, transpose(out_w)) + out_b;

  const Vars wrt{q, kv, w, b, out_w, out_b};
  Vars wanted = grad(sum(out * in("loss_weights")), wrt);
  const Var attention_mean = mean(attention, 1);
  wanted.insert(wanted.end(), {out, attention_mean});
  tape.run(wanted);
  check_close("output", tape.read(out), ref->tensor("outputs"));
  check_close("attention", tape.read(attention_mean), ref->tensor("attention_mean"));
  const char* names[] = {"q", "kv", "in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"};
  for (std::size_t i = 0; i < wrt.size(); ++i)
    check_close(names[i], tape.read(wanted[i]), ref->tensor(std::string("grads/") + names[i]));
}
