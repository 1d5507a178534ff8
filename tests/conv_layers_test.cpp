// Convolutional layers: PyTorch's values (those of a ConvEncoder in tests/golden/conv.json, which
// tools/golden_conv.py made), names and first values, gradients, and what is refused. The ops are tested by
// the op table.
#include <spool/spool.hpp>

#include <algorithm>
#include <cmath>

#include "catch.hpp"
#include "error_text.hpp"
#include "golden_case.hpp"
#include "reference.hpp"

using namespace spool;

namespace {

Tensor numbers(const Shape& shape, std::uint32_t stream) {
  Philox random(5, stream);
  return Tensor(shape, fill::normal(0, 0.6)(shape, random));
}

template <class Layer>
void check_reference(const std::string& file, const Layer& layer) {
  const auto ref = Reference::open("ref_torch/" + file + ".json");
  if (!ref) return;
  for (Param p : layer.parameters()) p.assign(ref->tensor("params/" + p.name()));
  Tape tape(DType::f64);
  check_close(file, tape.read(layer(tape.input(ref->tensor("inputs/x")))), ref->tensor("outputs"));
}

std::vector<std::string> names_of(const Params& params) {
  std::vector<std::string> names;
  for (const Param& p : params) names.push_back(p.name() + " " + p.shape().text());
  return names;
}

}  // namespace

TEST_CASE("convolutional layers agree with PyTorch's") {
  const Init f64{.seed = 1, .dtype = DType::f64};
  for (const std::string name : {"conv1d", "conv2d"}) {
    const auto ref = Reference::open("ref_torch/" + name + ".json");
    if (!ref) return;
    const Shape w = ref->tensor("params/weight").shape();
    if (name == "conv1d")
      check_reference(name, Conv1d(f64, {.in = w[1],
                                         .out = w[0],
                                         .kernel = w[2],
                                         .conv = {.stride = 2, .padding = 1, .dilation = 2}}));
    else
      check_reference(
          name,
          Conv2d(f64,
                 {.in = w[1], .out = w[0], .kernel = {w[2], w[3]}, .conv = {.stride = 2, .padding = 1}}));
  }
}

TEST_CASE("parameters of convolutional layers have PyTorch's names, shapes and bounds") {
  const Init init{.seed = 1};
  const Conv2d conv(init.named("conv"), {.in = 4, .out = 6, .kernel = {3, 5}, .conv = {.groups = 2}});
  CHECK(names_of(conv.parameters()) == std::vector<std::string>{"conv.weight [6, 2, 3, 5]", "conv.bias [6]"});
  const double bound = 1 / std::sqrt(2.0 * 3 * 5);
  double largest = 0;
  for (const double w : conv.parameters()[0].value().doubles()) largest = std::max(largest, std::abs(w));
  CHECK(largest <= bound);
  CHECK(largest > 0.9 * bound);
  CHECK(names_of(Conv1d(init, {.in = 2, .out = 3, .kernel = 4, .bias = false}).parameters()) ==
        std::vector<std::string>{"weight [3, 2, 4]"});
  const ConvEncoder encoder(init.named("cnn"), {.in = 1, .channels = {2}});
  CHECK(names_of(encoder.parameters()) == std::vector<std::string>{"cnn.0.weight [2, 1, 3, 3]",
                                                                   "cnn.0.bias [2]", "cnn.0.norm.weight [2]",
                                                                   "cnn.0.norm.bias [2]"});
}

TEST_CASE("a ConvEncoder agrees with PyTorch's layers in values and gradients") {
  const Reference file = Reference::golden("conv.json");
  const std::map<std::string, ConvEncoderOptions> kinds{
      {"one group", {.in = 2, .channels = {3, 2}}},
      {"two groups", {.in = 2, .channels = {4, 4}, .norm_groups = 2}},
      {"not normalised", {.in = 2, .channels = {3, 2}, .norm_groups = 0}}};
  for (const auto& [name, options] : kinds) {
    INFO(name);
    const ConvEncoder encoder({.seed = 1, .dtype = DType::f64}, options);
    Golden golden(file, name);
    golden.take(encoder.parameters());
    golden.check({{"grid", encoder(golden.input("x"))}});
  }
  CHECK(file.keys("").size() == kinds.size());
}

TEST_CASE("a ConvEncoder gives a grid, a memory in reading order, or a vector") {
  const ConvEncoder encoder({.seed = 1}, {.in = 3, .channels = {4, 5}});
  Tape tape;
  const Var grid = encoder(tape.input(numbers({2, 3, 9, 12}, 1)));
  CHECK(grid.shape() == Shape{2, 5, 2, 3});
  const Size2 size = encoder.grid_size({9, 12});
  CHECK(size.h == 2);
  CHECK(size.w == 3);
  const Var memory = grid_as_memory(grid), mean = grid_mean(grid);
  CHECK(memory.shape() == Shape{6, 2, 5});
  const Tensor g = tape.read(grid), m = tape.read(memory), v = tape.read(mean);
  for (std::size_t b = 0; b < 2; ++b)
    for (std::size_t c = 0; c < 5; ++c) {
      double sum = 0;
      for (std::size_t place = 0; place < 6; ++place) {
        CHECK(m.at((place * 2 + b) * 5 + c) == g.at((b * 5 + c) * 6 + place));
        sum += g.at((b * 5 + c) * 6 + place);
      }
      CHECK(std::abs(v.at(b * 5 + c) - sum / 6) < 1e-6);
    }
}

TEST_CASE("gradients of a ConvEncoder, with and without normalisation") {
  for (const std::int64_t groups : {0, 1, 2}) {
    const ConvEncoder encoder({.seed = 2, .dtype = DType::f64},
                              {.in = 2, .channels = {4, 2}, .norm_groups = groups});
    const Param x("x", numbers({2, 2, 4, 4}, 1).to(DType::f64));
    const GradReport report =
        grad_check([&](Tape& tape) { return grid_mean(encoder(tape.param(x))); }, parameters(encoder, x));
    INFO(report.text());
    CHECK(report);
  }
}

TEST_CASE("convolutional layers refuse what does not fit") {
  const Init init{.seed = 1};
  CHECK(shape_error([&] { Conv2d(init, {.in = 3, .out = 4, .conv = {.groups = 2}}); }) ==
        "Conv2d: in and out must be at least 1 and multiples of groups; they are 3, 4 and 2");
  CHECK(shape_error([&] { Conv1d(init, {.in = 3, .out = 4}); }) ==
        "Conv1d: a kernel's size is 0; it must be at least 1");
  CHECK(shape_error([&] { ConvEncoder(init, {.kernel = 4}); }) ==
        "ConvEncoder: the kernel must be odd, not 4");
  CHECK(shape_error([&] { ConvEncoder(init, {.channels = {}}); }) ==
        "ConvEncoder: needs the channels of at least one block");
  CHECK(shape_error([&] {
          ConvEncoder(init, {.channels = {4, 6}, .norm_groups = 4});
        }) == "ConvEncoder: norm_groups must be 0 or divide a block's 6 channels, not 4");
  CHECK(shape_error([&] {
          ConvEncoder(init, {.channels = {4, 6}, .norm_groups = -1});
        }) == "ConvEncoder: norm_groups must be 0 or divide a block's 4 channels, not -1");
  const ConvEncoder encoder(init, {.in = 3, .channels = {4, 5}});
  Tape tape;
  const Var x = tape.input(Tensor({2, 3, 3, 8}), "x");
  const auto small = [&] { encoder(x); };
  CHECK(here(shape_error(small)) ==
        "ConvEncoder: the pictures must be [B, 3, H, W] of at least 4 x 4\n"
        "  a  input \"x\"  [2, 3, 3, 8]\n"
        "  recorded here");
}
