// Layers without state against Keras 2, in float to 1e-5: activation functions, Dense, Embedding,
// BatchNormalization. The recurrent ones are checked with the layers.
#include <spool/spool.hpp>

#include "catch.hpp"
#include "reference.hpp"

#include <functional>
#include <limits>
#include <map>
#include <optional>

using namespace spool;

namespace {

using Function = std::function<Var(Var)>;

Var keras_hard_sigmoid(Var x) { return hard_sigmoid(x, 0.2, 0.5); }

const std::map<std::string, Function> activations{
    {"elu", [](Var x) { return elu(x); }},
    {"hard_sigmoid", keras_hard_sigmoid},
    {"linear", [](Var x) { return x; }},
    {"relu", [](Var x) { return relu(x); }},
    {"selu", [](Var x) { return selu(x); }},
    {"sigmoid", [](Var x) { return sigmoid(x); }},
    {"softmax", [](Var x) { return softmax(x); }},
    {"softplus", [](Var x) { return softplus(x); }},
    {"softsign", [](Var x) { return softsign(x); }},
    {"tanh", [](Var x) { return tanh(x); }},
};

// The cases whose functions have other parameters than the defaults (the file does not say which).
const std::map<std::string, Function> special{
    {"activations.elu.3", [](Var x) { return elu(x, 0.5); }},
    {"activations.relu.3", [](Var x) { return minimum(relu(x), 0.5); }},
    {"activations.relu.4", [](Var x) { return leaky_relu(x, 0.3); }},
};

std::optional<Reference> open(const std::string& file) {
  return Reference::open("ref_kerasjs/" + file + ".json");
}

// Compares f(input) of one case with what is expected.
void check_case(const Reference& ref, const std::string& name, const std::function<Var(Tape&, Var)>& f) {
  Tape tape;
  const auto part = [&](const std::string& path) { return ref.tensor(name + "/" + path).to(DType::f32); };
  const Var y = f(tape, tape.input(part("input")));
  check_close(name, tape.read(y), part("expected"), 1e-5, 0.1);  // the files have six decimals
}

Var weight(const Reference& ref, Tape& tape, const std::string& name, int i) {
  return tape.input(ref.tensor(name + "/weights/" + std::to_string(i)).to(DType::f32));
}

Var dense(const Reference& ref, const std::string& name, Tape& tape, Var x) {
  const Var y = reshape(matmul(reshape(x, {1, -1}), weight(ref, tape, name, 0)), {-1});
  return ref.has(name + "/weights/1") ? y + weight(ref, tape, name, 1) : y;
}

}  // namespace

TEST_CASE("activation functions agree with Keras") {
  const auto ref = open("activations");
  if (!ref) return;
  const auto names = ref->keys("");
  CHECK(names.size() == 33);
  for (const std::string& name : names) {
    const auto found = special.find(name);
    const std::string function = name.substr(12, name.rfind('.') - 12);  // after "activations."
    const Function f = found != special.end() ? found->second : activations.at(function);
    check_case(*ref, name, [&](Tape&, Var x) { return f(x); });
  }
}

TEST_CASE("Dense and Activation agree with Keras") {
  const std::map<std::string, std::vector<std::string>> functions{
      {"Dense", {"linear", "sigmoid", "softplus", "linear", "sigmoid", "softplus"}},
      {"Activation",
       {"softmax", "elu", "selu", "softplus", "softsign", "relu", "tanh", "sigmoid", "hard_sigmoid",
        "linear"}}};
  for (const auto& entry : functions) {
    const auto& layer = entry.first;
    const auto& names = entry.second;
    const auto ref = open(layer);
    if (!ref) return;
    CHECK(ref->keys("").size() == names.size());
    for (std::size_t i = 0; i < names.size(); ++i) {
      const std::string name = "core." + layer + "." + std::to_string(i);
      check_case(*ref, name,
                 [&](Tape& tape, Var x) { return activations.at(names[i])(dense(*ref, name, tape, x)); });
    }
  }
}

TEST_CASE("Embedding agrees with Keras") {
  const auto ref = open("Embedding");
  if (!ref) return;
  CHECK(ref->keys("").size() == 3);
  for (const std::string& name : ref->keys(""))
    check_case(*ref, name, [&](Tape& tape, Var x) { return embedding(weight(*ref, tape, name, 0), x); });
}

TEST_CASE("BatchNormalization agrees with Keras") {
  const auto ref = open("BatchNormalization");
  if (!ref) return;
  struct Arguments {
    double eps;
    int axis;  // of a sample, from the end: the files have no batch axis
    bool shift, scale;
  };
  const std::vector<Arguments> all{{1e-5, -1, true, true},  {1e-2, -1, true, true},  {1e-5, -3, true, true},
                                   {1e-5, -2, true, true},  {1e-5, -1, true, false}, {1e-5, -1, false, true},
                                   {1e-3, -1, false, false}};
  CHECK(ref->keys("").size() == all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string name = "normalization.BatchNormalization." + std::to_string(i);
    const auto [eps, axis, shift, scale] = all[i];
    check_case(*ref, name, [&, eps = eps, axis = axis, shift = shift, scale = scale](Tape& tape, Var x) {
      int next = 0;
      const auto take = [&] { return weight(*ref, tape, name, next++); };
      const Operand gamma = scale ? Operand(take()) : Operand(1);
      const Operand beta = shift ? Operand(take()) : Operand(0);
      const Var mean = take(), variance = take();
      // Ours has the channels on axis 1: a batch of one, and the channels swapped with the first axis.
      std::vector<int> order(static_cast<std::size_t>(x.shape().rank()));
      for (std::size_t a = 0; a < order.size(); ++a) order[a] = static_cast<int>(a);
      std::swap(order[0], order[order.size() - static_cast<std::size_t>(-axis)]);
      const Var channels = permute(x, order);
      const Var y =
          batch_norm(reshape(channels, channels.shape().inserted(0, 1)), {mean, variance}, gamma, beta, eps);
      return permute(reshape(y, channels.shape()), order);
    });
  }
}
