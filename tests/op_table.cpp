#include "op_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <random>
#include <set>
#include <span>

#include "catch.hpp"
#include "quick_kernels.hpp"

namespace spool::test {

// --- inputs -----------------------------------------------------------------------------------------------

In real(const Shape& shape, double low, double high, std::vector<double> away_from) {
  // One number from each of n equal cells, shuffled: distinct, so that a maximum has no ties by accident.
  const auto n = static_cast<std::size_t>(shape.size());
  std::mt19937 random(static_cast<std::uint32_t>(n) * 31 + static_cast<std::uint32_t>(shape.rank()));
  const double cell = (high - low) / static_cast<double>(std::max<std::size_t>(n, 1));
  std::vector<double> v(n);
  for (std::size_t i = 0; i < n; ++i) {
    const double within = 0.25 + 0.5 * static_cast<double>(random()) * 0x1p-32;
    v[i] = low + cell * (static_cast<double>(i) + within);
    for (double bad : away_from)
      if (const double gap = 0.02 * (high - low); std::abs(v[i] - bad) < gap)
        v[i] = bad + (v[i] < bad ? -gap : gap) * (1 + within);
    v[i] = static_cast<float>(v[i]);  // the same numbers in every precision
  }
  for (std::size_t i = n; i > 1; --i) std::swap(v[i - 1], v[random() % i]);
  return {shape, std::move(v)};
}

In values(const Shape& shape, std::vector<double> numbers) { return {shape, std::move(numbers)}; }

In whole(const Shape& shape, int below) {
  std::mt19937 random(static_cast<std::uint32_t>(shape.size()));
  std::vector<double> v(static_cast<std::size_t>(shape.size()));
  for (double& x : v) x = static_cast<double>(random() % static_cast<std::uint32_t>(below));
  return {shape, std::move(v), false};
}

In whole(const Shape& shape, std::vector<double> numbers) { return {shape, std::move(numbers), false}; }

std::vector<Sample> unary(double low, double high, std::vector<double> away_from) {
  std::vector<Sample> all;
  for (const Shape& s : {Shape{}, Shape{5}, Shape{1}, Shape{2, 3}, Shape{2, 1, 3}, Shape{0}, Shape{2, 0}})
    all.push_back({{real(s, low, high, away_from)}});
  return all;
}

std::vector<Sample> binary(In (*left)(const Shape&), In (*right)(const Shape&)) {
  using Two = std::pair<Shape, Shape>;
  std::vector<Sample> all;
  for (const auto& [a, b] : {Two{{}, {}}, Two{{4}, {4}}, Two{{2, 3}, {3}}, Two{{3}, {2, 3}},
                             Two{{2, 1}, {1, 3}}, Two{{2, 1, 2}, {3, 1}}, Two{{}, {2, 2}}, Two{{3}, {}},
                             Two{{0}, {0}}, Two{{2, 0}, {1, 1}}, Two{{0, 1}, {3}}})
    all.push_back({{left(a), right(b)}});
  return all;
}

std::vector<Sample> binary(double low, double high) {
  std::vector<Sample> all =
      binary([](const Shape& s) { return real(s); }, [](const Shape& s) { return real(s); });
  for (Sample& s : all) {
    s.in[0] = real(s.in[0].shape, low, high);
    s.in[1] = real(s.in[1].shape, low + 0.07 * (high - low), high);
  }
  return all;
}

// --- references -------------------------------------------------------------------------------------------

namespace {

// Calls f with the operands' elements under numpy's broadcasting, by plain index arithmetic.
template <class F>
std::vector<double> broadcast_each(const std::vector<Tensor>& in, F&& f) {
  int rank = 0;
  for (const Tensor& t : in) rank = std::max(rank, t.shape().rank());
  std::vector<std::int64_t> dims(static_cast<std::size_t>(rank), 1);
  const auto dim = [&](const Tensor& t, int axis) {
    const int own = axis - (rank - t.shape().rank());
    return own < 0 ? 1 : t.shape()[own];
  };
  for (int a = 0; a < rank; ++a)
    for (const Tensor& t : in)
      if (dim(t, a) != 1) dims[static_cast<std::size_t>(a)] = dim(t, a);
  std::int64_t count = 1;
  for (std::int64_t d : dims) count *= d;
  std::vector<double> out;
  for (std::int64_t i = 0; i < count; ++i) {
    std::vector<double> x;
    for (const Tensor& t : in) {
      std::int64_t rest = i, offset = 0, step = 1;
      for (int a = rank; a-- > 0; rest /= dims[static_cast<std::size_t>(a)]) {
        const std::int64_t at = rest % dims[static_cast<std::size_t>(a)];
        if (dim(t, a) != 1) offset += at * step;
        step *= dim(t, a);
      }
      x.push_back(t.at(static_cast<std::size_t>(offset)));
    }
    out.push_back(f(x));
  }
  return out;
}

}  // namespace

Reference each(double (*f)(double)) {
  return [f](const std::vector<Tensor>& in) {
    return broadcast_each(in, [f](const auto& x) { return f(x.at(0)); });
  };
}
Reference each(double (*f)(double, double)) {
  return [f](const std::vector<Tensor>& in) {
    return broadcast_each(in, [f](const auto& x) { return f(x.at(0), x.at(1)); });
  };
}
Reference each(double (*f)(double, double, double)) {
  return [f](const std::vector<Tensor>& in) {
    return broadcast_each(in, [f](const auto& x) { return f(x.at(0), x.at(1), x.at(2)); });
  };
}

Refusal error(std::function<void(Tape&)> act, std::string text, Where where) {
  return {std::move(act), std::move(text), where};
}

// --- the checks -------------------------------------------------------------------------------------------

namespace {

// A row's recording on one sample.
struct Recording {
  Recording(const OpRow& row, const Sample& sample, DType dtype) : tape(dtype) {
    for (const In& i : sample.in) in.push_back(tape.input(Tensor(i.shape, i.values)));
    out = row.f(tape, in);
    forward_size = tape.size();
  }
  // The gradient of the sum of the result under some weights.
  Vars gradients() {
    std::vector<double> weights;
    for (std::int64_t i = 0; i < out.shape().size(); ++i)
      weights.push_back(1 + 0.25 * static_cast<double>(i % 7));
    return grad(sum(out * tape.input(Tensor(out.shape(), weights))), in);
  }
  Tape tape;
  Vars in;
  Var out;
  std::uint32_t forward_size = 0;
};

// What rounding the inputs can do to each element of the result: |y| + sum |x dy/dx|, in units of epsilon.
std::vector<double> conditions(const OpRow& row, const Sample& sample) {
  Recording r(row, sample, DType::f64);
  std::vector<double> scale;
  const Var flat = reshape(r.out, {r.out.shape().size()});
  for (std::int64_t j = 0; j < flat.shape().size(); ++j) {
    double s = std::abs(r.tape.read(flat).at(static_cast<std::size_t>(j)));
    const Vars g = grad(select(flat, 0, j), r.in);
    for (std::size_t i = 0; i < g.size(); ++i)
      for (std::size_t k = 0; k < sample.in[i].values.size(); ++k) {
        const double part = std::abs(sample.in[i].values[k] * r.tape.read(g[i]).at(k));
        if (std::isfinite(part)) s += part;
      }
    scale.push_back(s);
  }
  return scale;
}

void check_close(const char* what, const auto& got, const auto& expected, const std::vector<double>& scale,
                 double bound) {
  INFO(what);
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double a = static_cast<double>(got[i]), b = static_cast<double>(expected[i]);
    INFO("element " << i << ": " << fmt::format("{:.17g}", a) << " against " << fmt::format("{:.17g}", b));
    if (!std::isfinite(a) || !std::isfinite(b)) {
      CHECK((a == b || (std::isnan(a) && std::isnan(b))));
      continue;
    }
    const double error = std::abs(static_cast<double>(Quad(static_cast<double>(got[i])) - Quad(expected[i])));
    CHECK(error <= bound * scale[i]);
  }
}

template <class T>
std::vector<T> run(Recording& r) {
  return run_plain<T>(r.tape, {&r.out, 1})[0];
}

void check_values(const OpRow& row, const Sample& sample) {
  Recording wide(row, sample, DType::f64), narrow(row, sample, DType::f32);
  const auto exact = run<Quad>(wide);
  const auto f64 = run<double>(wide);
  const auto f32 = run<float>(narrow);
  const std::vector<double> scale = conditions(row, sample);
  check_close("double against 113 bits", f64, exact, scale, row.ulps * 0x1p-53);
  check_close("float against 113 bits", f32, exact, scale, row.ulps * 0x1p-24);
  std::vector<Tensor> operands;
  for (const In& i : sample.in) operands.emplace_back(i.shape, i.values);
  const bool golden = !sample.golden.empty();
  if (golden || row.reference)
    check_close("double against the reference", f64, golden ? sample.golden : row.reference(operands), scale,
                row.reference_rtol);
}

void check_gradients(const OpRow& row, const Sample& sample) {
  Recording r(row, sample, DType::f64);
  const Vars gradients = r.gradients();
  GradCheckOptions options;
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < sample.in.size(); ++i) {
    const In& in = sample.in[i];
    inputs.emplace_back(in.shape, std::span<const double>(in.values), DType::f64);
    if (in.differentiable && row.smooth != Smooth::no) {
      options.wrt.push_back(i);
      continue;
    }
    INFO("operand " << i << " must have no gradient");
    const std::vector<double> g = r.tape.read(gradients[i]).doubles();
    CHECK(std::ranges::all_of(g, [](double x) { return x == 0; }));
  }
  if (options.wrt.empty()) return;
  options.order = row.smooth == Smooth::twice ? 2 : 1;
  for (bool quad : {false, true}) {
    options.quad = quad;
    const GradReport report = grad_check(row.f, inputs, options);
    INFO(report.text());
    CHECK(report);
  }
}

template <class T>
void check_repeats(const OpRow& row, const Sample& sample, DType dtype) {
  const auto bits = [&] {
    Recording r(row, sample, dtype);
    Vars all = r.gradients();
    all.push_back(r.out);
    return run_plain<T>(r.tape, all);
  };
  const auto first = bits(), second = bits();
  for (std::size_t i = 0; i < first.size(); ++i)
    CHECK(std::ranges::equal(std::as_bytes(std::span(first[i])), std::as_bytes(std::span(second[i]))));
}

void check_quick(const OpRow& row, const Sample& sample) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    Recording r(row, sample, dtype);
    r.gradients();
    check_quick_kernels(r.tape);
  }
}

void check_refusal(const Refusal& r) {
  Tape tape;
  std::optional<std::string> text;
  try {
    r.act(tape);
  } catch (const Error& e) {
    text = e.what();
  }
  INFO("line " << r.where.line());
  REQUIRE(text.has_value());
  const auto at = text->rfind("\n  recorded at ");
  CHECK(text->substr(0, at) == r.text);
  if (at == std::string::npos) return;
  const std::string path = r.where.file_name();
  const std::string file = path.substr(path.rfind('/') + 1) + ":";
  const std::string line = text->substr(at + std::strlen("\n  recorded at "));
  CAPTURE(line, file);
  REQUIRE(line.starts_with(file));
  CHECK(std::abs(std::stol(line.substr(file.size())) - static_cast<long>(r.where.line())) <= 8);
}

std::string text(const Sample& sample) {
  std::string shapes;
  for (const In& i : sample.in) shapes += i.shape.text();
  return shapes;
}

bool is_empty(const Sample& s) {
  return std::ranges::any_of(s.in, [](const In& i) { return i.shape.size() == 0; });
}

}  // namespace

void check_row(const OpRow& row) {
  REQUIRE(!row.samples.empty());
  CHECK(std::ranges::any_of(row.samples, is_empty) == !row.without_empty);
  for (std::size_t i = 0; i < row.samples.size(); ++i) {
    const Sample& sample = row.samples[i];
    INFO(row.name << ", sample " << i << " " << text(sample));
    check_values(row, sample);
    check_gradients(row, sample);
    check_repeats<float>(row, sample, DType::f32);
    check_repeats<double>(row, sample, DType::f64);
    check_quick(row, sample);
  }
  for (const Refusal& r : row.errors) check_refusal(r);
}

std::vector<std::string> ops_of(const OpRow& row) {
  std::set<std::string> names;
  for (const Sample& sample : row.samples) {
    const Recording r(row, sample, DType::f32);
    for (std::uint32_t id = 0; id < r.forward_size; ++id) names.insert(r.tape.op(id).name);
  }
  return {names.begin(), names.end()};
}

}  // namespace spool::test
