#include <spool/graph/error.hpp>
#include <spool/ops/ctc.hpp>
#include <spool/ops/elementwise.hpp>
#include <spool/ops/index.hpp>
#include <spool/ops/movement.hpp>
#include <spool/ops/record.hpp>
#include <spool/ops/reduce.hpp>
#include <spool/ops/whole.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace spool {

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

// Operands: targets [B,S], their lengths, the lengths of the inputs. Attributes: T, C, blank.
// Result [B,2S+1]: each label between blanks, blanks past the end. The one place that checks this data.
constexpr OpDef ctc_labels_op{
    .name = "ctc_labels",
    .arity = 3,
    .kind = Kind::other,
    .shape = [](const Call& c) -> Shape {
      return {c.shape(0)[0], 2 * c.shape(0)[1] + 1};
    },
    .eval = eval_of([]<class T>(const Args<T>& a) {
      const std::int64_t batch = (*a.in_shapes[0])[0], most = (*a.in_shapes[0])[1];
      const std::int64_t frames = a.attrs[0], classes = a.attrs[1];
      const auto blank = static_cast<T>(a.attrs[2]);
      std::fill_n(a.out, a.size(), blank);
      for (std::int64_t b = 0; b < batch; ++b) {
        detail::whole("input length", a.in[2][b], b, 0, frames);
        const std::int64_t count = detail::whole("target length", a.in[1][b], b, 0, most);
        for (std::int64_t s = 0; s < count; ++s) {
          const std::int64_t position = b * most + s;
          const T label = a.in[0][position];
          detail::whole("target", label, position, 0, classes - 1);
          if (label == blank)
            throw std::domain_error(
                fmt::format("target {} at position {} is the blank", a.attrs[2], position));
          a.out[b * (2 * most + 1) + 2 * s + 1] = label;
        }
      }
    }),
};

// x [B,L] moved n places to the right, the gap filled.
Var shifted(Var x, std::int64_t n, double fill) {
  const Var gap = x.tape().constant(fill, x.shape().with(1, n));
  return slice(concat({gap, x}, 1), 1, 0, x.shape()[1]);
}

void check_shapes(Var log_probs, Var targets, Var input_lengths, Var target_lengths, int blank,
                  const Where& line) {
  const Shape& p = log_probs.shape();
  const auto fail = [&](std::string_view what) {
    fail_shape("ctc_loss", what, {log_probs, targets, input_lengths, target_lengths}, line);
  };
  if (p.rank() != 3) fail("log_probs must be [T, B, C]");
  if (targets.shape().rank() != 2 || targets.shape()[0] != p[1]) fail("targets must be [B, S]");
  if (input_lengths.shape() != Shape{p[1]} || target_lengths.shape() != Shape{p[1]})
    fail("lengths must be [B]");
  if (blank < 0 || blank >= p[2]) fail(fmt::format("blank {} is no class of {}", blank, p[2]));
}

}  // namespace

Var ctc_loss(Operand log_probs, Operand targets, Operand input_lengths, Operand target_lengths,
             const CtcOptions& o) {
  const Var p = var_of("ctc_loss", log_probs), frames = var_of("ctc_loss", input_lengths),
            counts = var_of("ctc_loss", target_lengths);
  check_shapes(p, var_of("ctc_loss", targets), frames, counts, o.blank, log_probs.where());
  Tape& tape = p.tape();
  const CalledFrom from(tape, log_probs.where());
  const Scope scope(tape, "ctc_loss");

  const std::int64_t steps = p.shape()[0], batch = p.shape()[1];
  const Var labels = record(ctc_labels_op, {targets, counts, frames}, {steps, p.shape()[2], o.blank});
  const std::int64_t width = labels.shape()[1];
  const Var emitted = gather(p, broadcast_to(labels, {steps, batch, width}), 2);  // [T,B,L]
  // A label may follow the one two places before, over a blank, unless it repeats it (or is a blank).
  const Var skip = where(eq(labels, shifted(labels, 2, o.blank)), -inf, 0);
  const Var ends = reshape(frames, {batch, 1});

  // alpha[s]: log p(all alignments of the frames so far that end in label s). Before the first frame all of
  // it stands on the first blank, and the recurrence itself gives the paper's initial values.
  Var alpha = concat({tape.constant(0, {batch, 1}), tape.constant(-inf, {batch, width - 1})}, 1);
  for (std::int64_t t = 0; t < steps; ++t) {
    const Scope frame(tape, "t", t);
    const Var ways = stack({alpha, shifted(alpha, 1, -inf), shifted(alpha, 2, -inf) + skip});
    const Var next = logsumexp(ways, 0) + select(emitted, 0, t);
    alpha = where(gt(ends, static_cast<double>(t)), next, alpha);
  }

  // An alignment ends in the last label or the blank after it: alpha[2n-1] or alpha[2n], where n = 0 has the
  // second only. One place of -inf in front makes that 2n and 2n+1.
  const Var last = concat({tape.constant(-inf, {batch, 1}), alpha}, 1);
  const Var places = stack({2 * counts, 2 * counts + 1}, 1);
  Var loss = -logsumexp(gather(last, places, 1), 1);
  if (o.zero_infinity) loss = where(eq(loss, inf), 0, loss);
  if (o.reduction == Reduction::mean) loss = loss / maximum(detach(counts), 1);
  return reduced(loss, o.reduction);
}

std::vector<std::vector<int>> ctc_greedy_decode(const Tensor& log_probs, std::span<const int> input_lengths,
                                                int blank) {
  const Shape& shape = log_probs.shape();
  if (shape.rank() != 3 || shape[2] == 0)
    throw ShapeError(fmt::format("ctc_greedy_decode: needs [T, B, C], C > 0, not {}", shape.text()));
  const auto steps = static_cast<std::size_t>(shape[0]), batch = static_cast<std::size_t>(shape[1]);
  const auto classes = static_cast<std::size_t>(shape[2]);
  if (!input_lengths.empty() && input_lengths.size() != batch)
    throw ShapeError(
        fmt::format("ctc_greedy_decode: {} lengths for {} sequences", input_lengths.size(), batch));
  std::vector<std::vector<int>> decoded(batch);
  log_probs.visit([&](auto p) {
    for (std::size_t b = 0; b < batch; ++b) {
      const std::int64_t length = input_lengths.empty() ? shape[0] : input_lengths[b];
      if (length < 0 || length > shape[0])
        throw ShapeError(fmt::format("ctc_greedy_decode: length {} is outside 0..{}", length, steps));
      int before = blank;
      for (std::size_t t = 0; t < static_cast<std::size_t>(length); ++t) {
        const auto frame = p.subspan((t * batch + b) * classes, classes);
        const int best = static_cast<int>(std::ranges::max_element(frame) - frame.begin());
        if (best != before && best != blank) decoded[b].push_back(best);
        before = best;
      }
    }
  });
  return decoded;
}

}  // namespace spool
