// One case of a golden file of layers (tools/golden_attention.py, tools/golden_conv.py): its inputs,
// parameters, outputs, and the gradients of the sum of all outputs' elements, each weighted by 1, 1.25
// ... 2.5, 1 ...
#pragma once

#include <spool/spool.hpp>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "reference.hpp"

/// Parameters take the case's numbers, and inputs come from it.
struct Golden {
  Golden(const Reference& from, std::string case_name) : file(from), name(std::move(case_name)) {}

  spool::Tensor at(const std::string& path) const { return file.tensor(name + "/" + path); }
  spool::Var input(const std::string& leaf) { return leaves[leaf] = tape.input(at("inputs/" + leaf)); }
  void take(const spool::Params& params) {
    for (spool::Param p : params) {
      p.assign(at("params/" + p.name()));
      leaves[p.name()] = tape.param(p);
    }
  }
  spool::Var lengths() {
    const std::vector<int> all = file.integers(name + "/lengths");
    return tape.tokens({std::ssize(all)}, all);
  }

  /// Values of all outputs, and the gradients of all that was taken from the case.
  void check(const std::map<std::string, spool::Var>& outputs) {
    spool::Var loss = tape.constant(0);
    CHECK(file.keys(name + "/outputs").size() == outputs.size());
    for (const auto& [output, v] : outputs) {
      check_close(name + " " + output, tape.read(v), at("outputs/" + output));
      spool::Tensor weights(v.shape(), spool::DType::f64);
      for (std::size_t k = 0; k < weights.size(); ++k) weights.set(k, 1 + 0.25 * static_cast<double>(k % 7));
      loss = loss + sum(v * tape.input(weights));
    }
    REQUIRE(file.keys(name + "/grads").size() == leaves.size());
    for (const auto& [leaf, v] : leaves)
      check_close(name + " gradient of " + leaf, tape.read(grad(loss, v)), at("grads/" + leaf));
  }

  const Reference& file;
  std::string name;
  spool::Tape tape{spool::DType::f64};
  std::map<std::string, spool::Var> leaves;
};
