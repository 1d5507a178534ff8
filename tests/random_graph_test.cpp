// Properties of gradients on random recordings: smooth ops on random shapes, wired at random. A failure
// prints the seed that repeats it.
#include <spool/spool.hpp>

#include <fmt/format.h>

#include <cmath>
#include <random>

#include "catch.hpp"
#include "random_graph.hpp"

using namespace spool;

namespace {

constexpr std::uint32_t seeds = 60;

template <class T>
void check_close(const std::vector<std::vector<double>>& got, const std::vector<std::vector<T>>& expected,
                 double bound) {
  for (std::size_t i = 0; i < got.size(); ++i)
    for (std::size_t k = 0; k < got[i].size(); ++k) {
      const double e = static_cast<double>(expected[i][k]);
      INFO("gradient " << i << ", element " << k << ": " << got[i][k] << " against " << e);
      CHECK(std::abs(got[i][k] - e) <= bound * (1 + std::abs(e)));
    }
}

}  // namespace

TEST_CASE("gradients of random recordings agree with slopes, to the second order") {
  for (std::uint32_t seed = 0; seed < seeds; ++seed) {
    const RandomGraph graph(seed);
    const auto f = [&](Tape&, const Vars& in) { return graph.record(in); };
    const GradReport report = grad_check(
        f, graph.inputs(), {.order = 2, .quad = seed % 8 == 0, .entries = 0, .directions = 2, .seed = seed});
    INFO("seed " << seed << "\n" << report.text());
    CHECK(report);
  }
}

TEST_CASE("random recordings and their gradients in double are those in 113 bits") {
  for (std::uint32_t seed = 0; seed < seeds; ++seed) {
    INFO("seed " << seed);
    const RandomGraph graph(seed);
    Tape tape(DType::f64);
    const Vars in = graph.leaves(tape);
    Vars wanted = grad(graph.record(in), in);
    wanted.push_back(graph.record(in));
    check_close(run_plain<double>(tape, wanted), run_plain<Quad>(tape, wanted), 1e-12);
  }
}

TEST_CASE("the gradient is linear: in sums exactly as rounding allows, in powers of two to the bit") {
  for (std::uint32_t seed = 0; seed < seeds; ++seed) {
    INFO("seed " << seed);
    const RandomGraph graph(seed);
    Tape tape(DType::f64);
    const Vars in = graph.leaves(tape);
    const Var f = graph.record(in), g = tanh(f) + sum(in[0] * in[0]);
    const Vars df = grad(f, in), dg = grad(g, in), both = grad(f + g, in), scaled = grad(f * 1024, in);
    Vars sums;
    for (std::size_t i = 0; i < in.size(); ++i) sums.push_back(df[i] + dg[i]);
    check_close(run_plain<double>(tape, both), run_plain<double>(tape, sums), 1e-12);
    Vars rescaled;
    for (const Var& v : df) rescaled.push_back(v * 1024);
    CHECK(run_plain<double>(tape, scaled) == run_plain<double>(tape, rescaled));
  }
}

TEST_CASE("recording again adds no node, and sharing a node changes no gradient") {
  for (std::uint32_t seed = 0; seed < seeds; ++seed) {
    INFO("seed " << seed);
    const RandomGraph graph(seed);
    Tape tape(DType::f64);
    const Vars in = graph.leaves(tape);
    const Var f = graph.record(in);
    const Vars df = grad(f, in);
    const std::uint32_t nodes = tape.size();
    CHECK(graph.record(in) == f);
    CHECK(grad(f, in) == df);
    CHECK(tape.size() == nodes);

    // With a leaf of its own for every use, nothing is shared; the leaves' gradients add up to the same.
    Vars copies;
    std::vector<std::size_t> copy_of;
    const Var apart = graph.record([&](std::size_t i) {
      copy_of.push_back(i);
      return copies.emplace_back(tape.input(graph.inputs()[i]));
    });
    CHECK(run_plain<double>(tape, {&apart, 1}) == run_plain<double>(tape, {&f, 1}));
    const Vars parts = grad(apart, copies);
    Vars sums;
    for (std::size_t i = 0; i < in.size(); ++i) {
      Var total = tape.constant(0, in[i].shape());
      for (std::size_t k = 0; k < parts.size(); ++k)
        if (copy_of[k] == i) total = total + parts[k];
      sums.push_back(total);
    }
    check_close(run_plain<double>(tape, df), run_plain<double>(tape, sums), 1e-12);
  }
}
