#include <spool/graph/error.hpp>
#include <spool/graph/run/plain.hpp>
#include <spool/ops/elementwise.hpp>
#include <spool/ops/grad.hpp>
#include <spool/ops/movement.hpp>
#include <spool/ops/reduce.hpp>
#include <spool/verify/grad_check.hpp>
#include <spool/verify/slope.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace spool {

namespace {

// Numbers in +-[0.5, 1.5] from a hash of seed and position (the finaliser of SplitMix64, Steele 2014).
class Scatter {
 public:
  explicit Scatter(std::uint64_t seed) : state_(seed) {}
  double next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    z ^= z >> 31;
    const double size = 0.5 + static_cast<double>(z >> 12) * 0x1p-52;
    return (z & 1) != 0 ? size : -size;
  }
  std::vector<double> next(const Shape& shape) {
    std::vector<double> all(static_cast<std::size_t>(shape.size()));
    std::ranges::generate(all, [&] { return next(); });
    return all;
  }

 private:
  std::uint64_t state_;
};

struct Leaf {
  Var node;
  std::string name;
};

std::string position_of(const Shape& shape, std::size_t flat) {
  std::array<std::int64_t, Shape::max_rank> at{};
  auto rest = static_cast<std::int64_t>(flat);
  for (int axis = shape.rank(); axis-- > 0; rest /= shape[axis])
    at[static_cast<std::size_t>(axis)] = rest % shape[axis];
  return Shape(std::span<const std::int64_t>(at.data(), static_cast<std::size_t>(shape.rank()))).text();
}

// Compares the gradients of one scalar node with its slopes, in T on both sides.
template <class T>
class Comparison {
 public:
  Comparison(Var loss, const GradCheckOptions& options, const GradReport& limits)
      : tape_(loss.tape()), loss_(loss), options_(options), limits_(limits) {
    constexpr bool quad = std::is_same_v<T, Quad>;
    const double first = options.step.value_or(quad ? 0x1p-20 : 0x1p-4);
    steps_ = {first, first * 0x1p-6, first * 0x1p-12};
    f0_ = run_plain<T>(tape_, {&loss_, 1})[0][0];
    const T again = run_plain<T>(tape_, {&loss_, 1})[0][0];
    using std::isnan;
    if (again != f0_ && !isnan(f0_))
      throw TapeError(
          "grad_check: two runs of the same recording differ; what an op computes may depend on its "
          "operands, "
          "its attributes and the random state only");
  }

  GradInput check(const Leaf& leaf, Var gradient, int order) {
    GradInput result{leaf.name, leaf.node.shape(), order, 0, 0, {}, false};
    const std::vector<T> base = run_plain<T>(tape_, {&leaf.node, 1})[0];
    const std::vector<T> analytic = run_plain<T>(tape_, {&gradient, 1})[0];
    Overrides<T> overrides{{leaf.node.id(), base}};
    std::vector<T>& x = overrides[leaf.node.id()];

    if (base.size() <= options_.entries) {
      for (std::size_t i = 0; i < base.size(); ++i) {
        const auto move = [&](const T& h) { x[i] = base[i] + h; };
        add(result, position_of(result.shape, i), analytic[i], scale(base[i]), overrides, move);
      }
      return result;
    }
    Scatter scatter(~options_.seed ^ leaf.node.id());  // not the weights' stream
    for (int d = 0; d < options_.directions; ++d) {
      const std::vector<double> u = scatter.next(result.shape);
      T along = T(0);
      for (std::size_t i = 0; i < u.size(); ++i) along += analytic[i] * T(u[i]);
      const auto move = [&](const T& h) {
        for (std::size_t i = 0; i < u.size(); ++i) x[i] = base[i] + h * T(u[i]);
      };
      add(result, fmt::format("direction {}", d), along, 1, overrides, move);
    }
    return result;
  }

 private:
  // Large values need larger steps than small ones, but functions rarely vary as slowly as they grow.
  static double scale(const T& x) {
    const double size = std::abs(static_cast<double>(x)) * 0x1p-10;
    return size > 1 && std::isfinite(size) ? std::exp2(std::floor(std::log2(size))) : 1;
  }

  double allowed(double a, double b) const {
    return limits_.atol + limits_.rtol * std::max(std::abs(a), std::abs(b));
  }

  template <class Move>
  void add(GradInput& input, std::string position, const T& analytic, double scale,
           const Overrides<T>& overrides, Move&& move) {
    const auto f = [&](const T& h) {
      move(h);
      return run_plain<T>(tape_, {&loss_, 1}, overrides)[0][0];
    };
    const double a = static_cast<double>(analytic);
    std::vector<double> steps = steps_;
    for (double& h : steps) h *= scale;
    const auto s = verify::slope<T>(
        f, f0_, steps, [&](const T& value) { return 0.1 * allowed(a, static_cast<double>(value)); });
    move(T(0));
    const double n = static_cast<double>(s.value);
    GradEntry entry{
        std::move(position), a, n, s.error, std::abs(static_cast<double>(analytic - s.value)), s.jump,
        GradVerdict::ok};
    entry.verdict = judge(entry, s.jump_error);
    ++input.checked;
    if (entry.verdict != GradVerdict::ok) ++input.failed;
    if (a != 0 || n != 0) input.reached = true;
    if (input.checked == 1 || badness(entry) > badness(input.worst)) input.worst = std::move(entry);
  }

  GradVerdict judge(const GradEntry& e, double jump_error) const {
    if (!std::isfinite(static_cast<double>(f0_)) || !std::isfinite(e.analytic) || !std::isfinite(e.numeric))
      return GradVerdict::not_finite;
    const double limit = allowed(e.analytic, e.numeric);
    if (std::abs(e.jump) > limit + 10 * jump_error) return GradVerdict::kink;
    if (e.error > limit + e.numeric_error) return GradVerdict::wrong;
    return e.numeric_error <= limit && e.error <= limit ? GradVerdict::ok : GradVerdict::inconclusive;
  }

  std::pair<GradVerdict, double> badness(const GradEntry& e) const {
    return {e.verdict, std::max(e.error, e.numeric_error) / allowed(e.analytic, e.numeric)};
  }

  Tape& tape_;
  Var loss_;
  const GradCheckOptions& options_;
  const GradReport& limits_;
  std::vector<double> steps_;
  T f0_;
};

template <class T>
void compare(Var loss, std::span<const Leaf> leaves, std::span<const Var> gradients, int order,
             const GradCheckOptions& options, GradReport& report) {
  Comparison<T> comparison(loss, options, report);
  for (std::size_t i = 0; i < leaves.size(); ++i)
    report.inputs.push_back(comparison.check(leaves[i], gradients[i], order));
}

// The sum of all elements of all parts under fixed weights.
Var weighted(const Vars& parts, const Vars& weights) {
  Var total = sum(parts[0] * weights[0]);
  for (std::size_t i = 1; i < parts.size(); ++i) total = total + sum(parts[i] * weights[i]);
  return total;
}

GradReport check_all(Var out, std::vector<Leaf> leaves, const GradCheckOptions& options) {
  Tape& tape = out.tape();
  if (options.order < 1) throw TapeError("grad_check: order counts from 1");
  GradReport report;
  report.quad = options.quad;
  report.rtol = options.rtol.value_or(options.quad ? 1e-14 : 1e-7);
  report.atol = options.atol.value_or(options.quad ? 1e-18 : 1e-10);

  Scatter scatter(options.seed);
  Vars parts{out};
  for (int order = 1; order <= options.order; ++order) {
    Vars weights, wrt;
    for (const Var& p : parts)
      weights.push_back(tape.input(Tensor(p.shape(), scatter.next(p.shape())), "weights"));
    const Var loss = weighted(parts, weights);
    for (const Leaf& leaf : leaves) wrt.push_back(leaf.node);
    parts = grad(loss, wrt);
    (options.quad ? compare<Quad> : compare<double>)(loss, leaves, parts, order, options, report);
    if (order == 1) leaves.push_back({weights[0], "incoming gradient"});
  }
  return report;
}

}  // namespace

double GradEntry::relative() const {
  const double size = std::max(std::abs(analytic), std::abs(numeric));
  return size > 0 ? error / size : 0;
}

GradReport::operator bool() const {
  return std::ranges::all_of(inputs, [](const GradInput& i) { return i.failed == 0; });
}

namespace {

std::string line(const GradInput& i) {
  const GradEntry& w = i.worst;
  const std::string head = fmt::format("  {} {}, order {}: ", i.name, i.shape.text(), i.order);
  const std::string at =
      fmt::format("analytic {:.10g}, numeric {:.10g} +- {:.1e}, off by {:.1e} (relative {:.1e})", w.analytic,
                  w.numeric, w.numeric_error, w.error, w.relative());
  if (i.checked == 0) return head + "ok, it has no elements\n";
  if (i.failed == 0 && !i.reached) return head + "ok, the output does not depend on it\n";
  if (i.failed == 0)
    return head + fmt::format("ok, {} checked\n    worst at {}: {}\n", i.checked, w.position, at);
  const auto what = [&]() -> std::string {
    switch (w.verdict) {
      case GradVerdict::kink:
        return fmt::format("KINK, the slope jumps by {:.3g}", w.jump);
      case GradVerdict::not_finite:
        return "NOT FINITE";
      case GradVerdict::inconclusive:
        return "INCONCLUSIVE, the numeric slope is too inaccurate";
      default:
        return "WRONG";
    }
  }();
  return head + fmt::format("{} of {} failed\n    {} at {}: {}\n", i.failed, i.checked, what, w.position, at);
}

}  // namespace

std::string GradReport::text() const {
  const auto failed = std::ranges::count_if(inputs, [](const GradInput& i) { return i.failed > 0; });
  std::string text = fmt::format("grad_check {} (in {}, rtol {:g}, atol {:g})\n",
                                 failed == 0 ? "passed" : "FAILED", quad ? "113 bits" : "double", rtol, atol);
  for (const GradInput& i : inputs) text += line(i);
  return text;
}

GradReport grad_check(const std::function<Var(Tape&, const Vars&)>& f, const std::vector<Tensor>& inputs,
                      const GradCheckOptions& options) {
  if (inputs.empty()) throw TapeError("grad_check: there are no inputs to differentiate");
  Tape tape(DType::f64);
  const auto name = [&](std::size_t i) {
    return i < options.names.size() ? options.names[i] : fmt::format("x{}", i);
  };
  Vars in;
  for (std::size_t i = 0; i < inputs.size(); ++i) in.push_back(tape.input(inputs[i], name(i)));
  std::vector<std::size_t> wrt = options.wrt;
  for (std::size_t i = 0; options.wrt.empty() && i < inputs.size(); ++i) wrt.push_back(i);
  std::vector<Leaf> leaves;
  for (std::size_t i : wrt) {
    if (i >= inputs.size())
      throw TapeError(fmt::format("grad_check: wrt names input {} of {}", i, inputs.size()));
    leaves.push_back({in[i], name(i)});
  }
  const Var out = f(tape, in);
  tape.check(out, "grad_check");
  return check_all(out, std::move(leaves), options);
}

GradReport grad_check(const std::function<Var(Tape&)>& loss, const Params& params,
                      const GradCheckOptions& options) {
  if (params.empty()) throw TapeError("grad_check: there are no parameters to differentiate");
  Tape tape(DType::f64);
  const Var out = loss(tape);
  tape.check(out, "grad_check");
  std::vector<Leaf> leaves;
  for (const Param& p : params) leaves.push_back({tape.param(p), p.name()});
  return check_all(out, std::move(leaves), options);
}

Var verify::joined(const Vars& parts) {
  Vars rows;
  for (const Var& p : parts) rows.push_back(reshape(p, {p.shape().size()}));
  return concat(rows, 0);
}

}  // namespace spool
