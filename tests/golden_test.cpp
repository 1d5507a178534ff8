// Values, gradients and second gradients of ops against PyTorch's, at kinks, ties, infinities and in the
// plain middle: tests/golden/ops.json, which tools/golden_ops.py made. Where our convention is another on
// purpose (a row of -inf, sign of NaN), the file has no case; special_values_test.cpp has one.
#include <spool/spool.hpp>

#include <cmath>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <map>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "catch.hpp"

using namespace spool;
namespace json = boost::json;

namespace {

using Function = std::function<Var(const Vars&)>;

Function of(Var (*f)(Operand)) {
  return [f](const Vars& in) { return f(in[0]); };
}
Function of(Var (*f)(Operand, Operand)) {
  return [f](const Vars& in) { return f(in[0], in[1]); };
}
template <class F>
Function one(F f) {
  return [f](const Vars& in) { return f(in[0]); };
}

double number(const json::value& v) {
  return v.is_string() ? std::stod(std::string(v.as_string())) : v.to_number<double>();
}

Tensor tensor(const json::value& v) {
  std::vector<std::int64_t> dims;
  std::vector<double> data;
  for (const json::value& d : v.at("shape").as_array()) dims.push_back(d.to_number<std::int64_t>());
  for (const json::value& x : v.at("data").as_array()) data.push_back(number(x));
  return {Shape(dims), std::move(data)};
}

std::map<std::string, Function> elementwise() {
  std::map<std::string, Function> f{
      {"exp", of(exp)},          {"expm1", of(expm1)},     {"log", of(log)},       {"log1p", of(log1p)},
      {"sqrt", of(sqrt)},        {"rsqrt", of(rsqrt)},     {"square", of(square)}, {"abs", of(abs)},
      {"sign", of(sign)},        {"floor", of(floor)},     {"sin", of(sin)},       {"cos", of(cos)},
      {"tanh", of(tanh)},        {"erf", of(erf)},         {"pow", of(pow)},       {"maximum", of(maximum)},
      {"minimum", of(minimum)},  {"sigmoid", of(sigmoid)}, {"relu", of(relu)},     {"silu", of(silu)},
      {"softsign", of(softsign)}};
  for (double p : {0.0, 0.5, 1.0, 2.0, 3.0, -1.0, -1.5, 2.5})
    f[fmt::format("pow by {}", p)] = one([p](Var x) { return pow(x, p); });
  f["clamp -1 2.5"] = one([](Var x) { return clamp(x, -1, 2.5); });
  f["where"] = [](const Vars& in) { return where(in[0], in[1], in[2]); };
  f["leaky_relu"] = one([](Var x) { return leaky_relu(x); });
  f["thresholded_relu 1"] = one([](Var x) { return thresholded_relu(x); });
  f["elu"] = one([](Var x) { return elu(x); });
  f["elu 0.5"] = one([](Var x) { return elu(x, 0.5); });
  f["selu"] = one([](Var x) { return selu(x); });
  f["gelu"] = one([](Var x) { return gelu(x); });
  f["gelu tanh"] = one([](Var x) { return gelu(x, Gelu::tanh); });
  f["softplus"] = one([](Var x) { return softplus(x); });
  f["softplus 2 3"] = one([](Var x) { return softplus(x, 2, 3); });
  f["log_sigmoid"] = one([](Var x) { return log_sigmoid(x); });
  f["hard_sigmoid"] = one([](Var x) { return hard_sigmoid(x); });
  f["hard_tanh"] = one([](Var x) { return hard_tanh(x); });
  return f;
}

std::map<std::string, Function> reductions() {
  std::map<std::string, Function> f;
  const std::map<std::string, Axes> places{{"all", {}}, {"0", 0}, {"1", 1}, {"2", 2}, {"0 2", {0, 2}}};
  for (const auto& entry : places) {
    const auto add = [&](const std::string& name, auto reduction) {
      f[name + " " + entry.first] =
          one([axes = entry.second, reduction](Var x) { return reduction(x, axes); });
    };
    add("sum", [](Var x, const Axes& a) { return sum(x, a); });
    add("mean", [](Var x, const Axes& a) { return mean(x, a); });
    add("max", [](Var x, const Axes& a) { return max(x, a); });
    add("min", [](Var x, const Axes& a) { return min(x, a); });
    add("prod", [](Var x, const Axes& a) { return prod(x, a); });
    add("variance", [](Var x, const Axes& a) { return variance(x, a); });
    add("stddev", [](Var x, const Axes& a) { return stddev(x, a); });
    add("logsumexp", [](Var x, const Axes& a) { return logsumexp(x, a); });
    for (double p : {1.0, 2.0, 3.0, 0.5, 1.5, std::numeric_limits<double>::infinity()})
      add(fmt::format("norm {}", p), [p](Var x, const Axes& a) { return norm(x, p, a); });
  }
  f["cumsum 1"] = one([](Var x) { return cumsum(x, 1); });
  f["cumsum 0 reverse"] = one([](Var x) { return cumsum(x, 0, true); });
  for (int axis : {-1, 0, 1}) {
    f[fmt::format("softmax {}", axis)] = one([axis](Var x) { return softmax(x, axis); });
    f[fmt::format("log_softmax {}", axis)] = one([axis](Var x) { return log_softmax(x, axis); });
    f[fmt::format("argmax {}", axis)] = one([axis](Var x) { return argmax(x, axis); });
  }
  return f;
}

std::map<std::string, Function> movement() {
  return {{"permute 2 0 1", one([](Var x) {
             return permute(x, {2, 0, 1});
           })},
          {"slice 1 1 3", one([](Var x) { return slice(x, 1, 1, 3); })},
          {"concat 1", [](const Vars& in) { return concat(in, 1); }},
          {"stack 1", [](const Vars& in) { return stack(in, 1); }},
          {"broadcast 3 2 4", one([](Var x) {
             return broadcast_to(x, {3, 2, 4});
           })},
          {"split and swap", one([](Var x) {
             const auto [a, b, c] = split<3>(x, 0);
             return concat({c, b, a}, 0);
           })},
          {"matmul", of(matmul)},
          {"matmul tn", [](const Vars& in) { return matmul(transpose(in[0]), in[1]); }},
          {"matmul nt", [](const Vars& in) { return matmul(in[0], transpose(in[1])); }},
          {"matmul tt", [](const Vars& in) { return matmul(transpose(in[0]), transpose(in[1])); }}};
}

// The sum of all elements under weights 1, 1.25 ... 2.5, 1 ...
Var weighted(Var y) {
  std::vector<double> weights;
  for (std::int64_t i = 0; i < y.shape().size(); ++i)
    weights.push_back(1 + 0.25 * static_cast<double>(i % 7));
  return sum(y * y.tape().input(Tensor(y.shape(), weights)));
}

void compare(const char* what, const std::vector<double>& got, const Tensor& want) {
  REQUIRE(got.size() == want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    const double a = got[i], b = want.at(i);
    INFO(what << ", element " << i << ": " << fmt::format("{:.17g} against {:.17g}", a, b));
    CHECK((a == b || (std::isnan(a) && std::isnan(b)) || std::abs(a - b) <= 1e-12 * std::abs(b) + 1e-13));
  }
}

// In double and in 113 bits.
void compare(const char* what, Tape& tape, const Vars& got, const json::array& want) {
  INFO(what);
  REQUIRE(got.size() == want.size());
  const auto quads = run_plain<Quad>(tape, got);
  for (std::size_t i = 0; i < got.size(); ++i) {
    const Tensor expected = tensor(want[i]);
    CHECK(got[i].shape() == expected.shape());
    compare("double", tape.read(got[i]).doubles(), expected);
    std::vector<double> rounded;
    for (const Quad& q : quads[i]) rounded.push_back(static_cast<double>(q));
    compare("113 bits", rounded, expected);
  }
}

}  // namespace

TEST_CASE("ops agree with PyTorch") {
  std::ifstream file("tests/golden/ops.json");
  const json::value cases = json::parse(std::string(std::istreambuf_iterator<char>(file), {}));
  std::map<std::string, Function> functions = elementwise();
  functions.merge(reductions());
  functions.merge(movement());
  for (const json::value& c : cases.as_array()) {
    const std::string name(c.at("name").as_string());
    INFO(name);
    REQUIRE(functions.contains(name));
    Tape tape(DType::f64);
    Vars in;
    for (const json::value& x : c.at("inputs").as_array()) in.push_back(tape.input(tensor(x)));
    const Var y = functions[name](in);
    compare("value", tape, {y}, {c.at("output")});
    if (!c.as_object().contains("grads")) continue;
    const Vars first = grad(weighted(y), in);
    compare("gradient", tape, first, c.at("grads").as_array());
    if (!c.as_object().contains("second")) continue;
    Var total = weighted(first[0]);
    for (std::size_t i = 1; i < first.size(); ++i) total = total + weighted(first[i]);
    compare("second gradient", tape, grad(total, in), c.at("second").as_array());
  }
}
