// Convolution, pooling, normalisation and embedding against PyTorch's values and gradients.
#include <spool/spool.hpp>

#include <functional>

#include "catch.hpp"
#include "reference.hpp"

using namespace spool;

namespace {

// What a case computes from its inputs and parameters, by name.
using Leaves = std::function<Var(const std::string&)>;
using Case = std::function<Var(const Leaves&)>;

// Value, and gradient of sum(outputs * loss_weights) for all that the file has gradients of.
void check_case(const std::string& name, const Case& compute) {
  const auto ref = Reference::open("ref_torch/" + name + ".json");
  if (!ref) return;
  Tape tape(DType::f64);
  std::vector<std::string> names;
  Vars leaves;
  const Var y = compute([&](const std::string& leaf) {
    names.push_back(leaf);
    leaves.push_back(tape.input(ref->tensor((ref->has("params/" + leaf) ? "params/" : "inputs/") + leaf)));
    return leaves.back();
  });
  Vars wanted = grad(sum(y * tape.input(ref->tensor("loss_weights"))), leaves);
  wanted.push_back(y);
  tape.run(wanted);
  check_close(name, tape.read(y), ref->tensor("outputs"));
  std::size_t gradients = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!ref->has("grads/" + names[i])) continue;
    check_close(name + ", gradient of " + names[i], tape.read(wanted[i]), ref->tensor("grads/" + names[i]));
    ++gradients;
  }
  CHECK(gradients == ref->keys("grads").size());
}

}  // namespace

TEST_CASE("convolution agrees with PyTorch") {
  check_case("conv1d", [](const Leaves& in) {
    return conv1d(in("x"), in("weight"), in("bias"), {.stride = 2, .padding = 1, .dilation = 2});
  });
  check_case("conv1d_groups",
             [](const Leaves& in) { return conv1d(in("x"), in("weight"), in("bias"), {.groups = 2}); });
  check_case("conv2d", [](const Leaves& in) {
    return conv2d(in("x"), in("weight"), in("bias"), {.stride = 2, .padding = 1});
  });
}

TEST_CASE("pooling agrees with PyTorch") {
  check_case("maxpool2d", [](const Leaves& in) { return max_pool2d(in("x"), {.kernel = 2}); });
  check_case("avgpool2d",
             [](const Leaves& in) { return avg_pool2d(in("x"), {.kernel = 3, .stride = 2, .padding = 1}); });
}

TEST_CASE("normalisation agrees with PyTorch") {
  check_case("layernorm", [](const Leaves& in) { return layer_norm(in("x"), 1, in("weight"), in("bias")); });
  check_case("batchnorm1d_train",
             [](const Leaves& in) { return batch_norm(in("x"), in("weight"), in("bias")).y; });
}

TEST_CASE("running statistics of a batch agree with PyTorch") {
  const auto ref = Reference::open("ref_torch/batchnorm1d_train.json");
  if (!ref) return;
  Tape tape(DType::f64);
  const BatchStatistics batch = batch_norm(tape.input(ref->tensor("inputs/x"))).batch;
  // One step of the running averages from 0 and 1.
  const double momentum = ref->number("momentum");
  check_close("mean", tape.read(momentum * batch.mean), ref->tensor("running_mean"));
  check_close("variance", tape.read((1 - momentum) + momentum * batch.variance), ref->tensor("running_var"));
}

TEST_CASE("embedding agrees with PyTorch") {
  check_case("embedding_padding_idx",
             [](const Leaves& in) { return embedding(in("weight"), in("index"), 0); });
}
