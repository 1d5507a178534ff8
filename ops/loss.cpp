#include <spool/graph/error.hpp>
#include <spool/ops/activation.hpp>
#include <spool/ops/elementwise.hpp>
#include <spool/ops/index.hpp>
#include <spool/ops/loss.hpp>
#include <spool/ops/movement.hpp>
#include <spool/ops/record.hpp>
#include <spool/ops/reduce.hpp>
#include <spool/ops/softmax.hpp>
#include <spool/ops/whole.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace spool {

namespace {

// The sum over the count, or over 1 where there is nothing: its sum is 0 then.
Var average(Var losses, std::int64_t count) {
  return sum(losses) * (1.0 / static_cast<double>(std::max<std::int64_t>(count, 1)));
}

// Attributes: the number of classes V, the target to ignore. Gives 0 where it is, an index for gather.
constexpr OpDef class_index_op{
    .name = "class_index",
    .arity = 1,
    .kind = Kind::other,
    .shape = shapes::same,
    .eval = eval_of([]<class T>(const Args<T>& a) {
      const std::int64_t classes = a.attrs[0];
      const auto ignored = static_cast<T>(a.attrs[1]);
      for (std::int64_t i = 0; i < a.size(); ++i) {
        const T target = a.in[0][i];
        if (target != ignored) detail::whole("target", target, i, 0, classes - 1);
        a.out[i] = target == ignored ? T(0) : target;
      }
    }),
    .divides = divides::always<1>,
};

// Checks what the class losses are given. log_probs or logits [..., V], targets [...], weight [V].
void check_classes(const char* op, const Operand& x, const Operand& targets,
                   const std::optional<Var>& weight) {
  const Var scores = var_of(op, x), classes = var_of(op, targets, scores.tape());
  const int last = scores.shape().rank() - 1;
  if (last < 0) fail_shape(op, "needs a last axis of classes", {scores}, x.where());
  if (classes.shape() != scores.shape().without(last))
    fail_shape(op, "targets must have the shape of the scores without their last axis, the classes",
               {scores, classes}, x.where());
  if (weight && var_of(op, {*weight, x.where()}, scores.tape()).shape() != Shape{scores.shape()[last]})
    fail_shape(op, fmt::format("weight must be [{}], one for each class", scores.shape()[last]),
               {scores, classes, *weight}, x.where());
}

// The loss of log-probabilities, after the checks.
Var class_loss(Var log_probs, Var targets, const CrossEntropyOptions& o) {
  const std::int64_t classes = log_probs.shape().back(), n = targets.shape().size();
  const Var rows = reshape(log_probs, {n, classes});
  const Var flat = reshape(targets, {n});
  const Var counted = ne(flat, static_cast<double>(o.ignore_index));
  const Var index = record(class_index_op, {flat}, {classes, o.ignore_index});

  Var loss = -reshape(gather(rows, reshape(index, {n, 1}), 1), {n});
  Var weight = counted;
  if (o.weight) {
    const Var each = gather(*o.weight, index, 0);
    weight = where(counted, each, 0);
    loss = loss * each;
  }
  if (o.label_smoothing > 0) {
    const Var spread = -sum(o.weight ? rows * *o.weight : rows, 1);
    loss = loss * (1 - o.label_smoothing) + spread * (o.label_smoothing / static_cast<double>(classes));
  }
  loss = where(counted, loss, 0);

  if (o.reduction != Reduction::mean) return reduced(reshape(loss, targets.shape()), o.reduction);
  const Var total = sum(weight);
  return sum(loss) / where(eq(total, 0), 1, total);
}

// x, once the target is known to have its shape (or to be a number).
Var same_shape(const char* op, const Operand& x, const Operand& target) {
  const Var v = var_of(op, x);
  if (!target.is_number() && var_of(op, target, v.tape()).shape() != v.shape())
    fail_shape(op, "operand and target differ in shape", {v, target.var()}, x.where());
  return v;
}

// d^2 / 2 inside, a line outside. Without abs, whose gradient would lose the curvature at 0.
Var huber(Var d, double delta) {
  const Var inner = clamp(d, -delta, delta);
  return inner * (d - 0.5 * inner);
}

// The losses times weights that broadcast to them, if there are any.
Var weighted(const char* op, Var losses, const std::optional<Var>& weight) {
  if (!weight) return losses;
  return losses * broadcast_to(var_of(op, *weight, losses.tape()), losses.shape());
}

// Operands: probabilities, targets. Both limits are PyTorch's.
Var bce(Operand x, Operand target);
constexpr OpDef binary_cross_entropy_op{
    .name = "binary_cross_entropy",
    .arity = 2,
    .kind = Kind::elementwise,
    .shape = shapes::same,
    .eval = map([](auto x, auto y) {
      using std::log;
      using std::log1p;
      if (x < 0 || x > 1)
        throw std::domain_error(fmt::format("probability {} is outside 0..1; logits go to bce_with_logits",
                                            static_cast<double>(x)));
      const auto limited = [](auto v) { return v < -100 ? decltype(v)(-100) : v; };
      return (y - 1) * limited(log1p(-x)) - y * limited(log(x));
    }),
    .vjp = [](const Step& s, Var g) -> Grads {
      const Var x = s.in(0), y = s.in(1);
      return {s.needs(0) ? g * (x - y) / maximum(x * (1 - x), 1e-12) : Var{},
              s.needs(1) ? g * (bce(x, 1) - bce(x, 0)) : Var{}};
    },
};
Var bce(Operand x, Operand target) { return record_broadcast(binary_cross_entropy_op, {x, target}); }

}  // namespace

Var reduced(Operand losses, Reduction reduction) {
  const Var v = var_of("reduced", losses);
  const CalledFrom from(v.tape(), losses.where());
  const Shape shape = v.shape();
  switch (reduction) {
    case Reduction::none:
      return v;
    case Reduction::sum:
      return sum(v);
    case Reduction::mean:
      return average(v, shape.size());
    case Reduction::batch_mean:
      return average(v, shape.rank() == 0 ? 1 : shape[0]);
  }
  throw TapeError("reduced: this Reduction does not exist");
}

Var nll_loss(Operand log_probs, Operand targets, const NllOptions& o) {
  check_classes("nll_loss", log_probs, targets, o.weight);
  const CalledFrom from(log_probs.var().tape(), log_probs.where());
  return class_loss(log_probs.var(), targets.var(), {o.weight, o.ignore_index, 0, o.reduction});
}

Var cross_entropy(Operand logits, Operand targets, const CrossEntropyOptions& o) {
  check_classes("cross_entropy", logits, targets, o.weight);
  if (!(o.label_smoothing >= 0 && o.label_smoothing <= 1))
    throw TapeError(fmt::format("cross_entropy: label_smoothing is {}, outside 0..1", o.label_smoothing));
  const CalledFrom from(logits.var().tape(), logits.where());
  return class_loss(log_softmax(logits), targets.var(), o);
}

Var mse_loss(Operand x, Operand target, Reduction reduction) {
  const CalledFrom from(same_shape("mse_loss", x, target).tape(), x.where());
  const Var d = x - target;
  return reduced(d * d, reduction);
}

Var l1_loss(Operand x, Operand target, Reduction reduction) {
  const CalledFrom from(same_shape("l1_loss", x, target).tape(), x.where());
  return reduced(abs(x - target), reduction);
}

Var huber_loss(Operand x, Operand target, const HuberOptions& o) {
  const CalledFrom from(same_shape("huber_loss", x, target).tape(), x.where());
  if (!(o.delta > 0)) throw TapeError(fmt::format("huber_loss: delta is {}; it must be above 0", o.delta));
  return reduced(huber(x - target, o.delta), o.reduction);
}

Var smooth_l1_loss(Operand x, Operand target, const SmoothL1Options& o) {
  const CalledFrom from(same_shape("smooth_l1_loss", x, target).tape(), x.where());
  if (!(o.beta >= 0))
    throw TapeError(fmt::format("smooth_l1_loss: beta is {}; it must not be negative", o.beta));
  const Var d = x - target;
  return reduced(o.beta == 0 ? abs(d) : huber(d, o.beta) / o.beta, o.reduction);
}

Var binary_cross_entropy(Operand x, Operand target, const BceOptions& o) {
  const CalledFrom from(same_shape("binary_cross_entropy", x, target).tape(), x.where());
  return reduced(weighted("binary_cross_entropy", bce(x, target), o.weight), o.reduction);
}

Var bce_with_logits(Operand x, Operand target, const BceWithLogitsOptions& o) {
  const CalledFrom from(same_shape("bce_with_logits", x, target).tape(), x.where());
  // Both logarithms rather than one and a difference: no digits cancel, for logits of either sign.
  const Var positive = weighted("bce_with_logits", target * log_sigmoid(x), o.pos_weight);
  return reduced(weighted("bce_with_logits", (target - 1) * log_sigmoid(-x) - positive, o.weight),
                 o.reduction);
}

Var kl_div(Operand x, Operand target, const KlDivOptions& o) {
  const Var q = same_shape("kl_div", x, target);
  const CalledFrom from(q.tape(), x.where());
  const Var t = as_var(q.tape(), target, q.shape());
  // Where p is 0 nothing of the term is computed, so that 0 log 0 and its gradient are 0 even if x is -inf.
  const Var p = o.log_target ? exp(t) : t;
  const Var none = eq(p, 0);
  const Var log_p = o.log_target ? where(none, 0, t) : log(where(none, 1, t));
  return reduced(p * (log_p - where(none, 0, q)), o.reduction);
}

}  // namespace spool
