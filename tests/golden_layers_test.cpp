// Variants of recurrent layers that PyTorch does not have, against steps written out in PyTorch, with all
// gradients: tests/golden/layers.json, which tools/golden_layers.py made.
#include <spool/spool.hpp>

#include <functional>
#include <map>

#include "catch.hpp"
#include "reference.hpp"

using namespace spool;

namespace {

// "_l0", "_l0_reverse", "_l1", ... : the ends of names, in the order of the cells.
std::vector<std::string> ends_of(std::size_t cells, bool bidirectional) {
  std::vector<std::string> ends;
  for (std::size_t k = 0; k < cells; ++k)
    ends.push_back(bidirectional ? "_l" + std::to_string(k / 2) + (k % 2 == 0 ? "" : "_reverse")
                                 : "_l" + std::to_string(k));
  return ends;
}

template <class R>
void check_case(const Reference& golden, const std::string& name, typename R::Options options) {
  INFO(name);
  const auto at = [&](const std::string& path) { return golden.tensor(name + "/" + path); };
  options.input = at("inputs/x").shape()[2];
  options.hidden = 3;
  const R layer(Init{.dtype = DType::f64}, options);
  Tape tape(DType::f64);
  std::map<std::string, Var> leaves{{"x", tape.input(at("inputs/x"))}};
  for (Param p : layer.parameters()) {
    p.assign(at("params/" + p.name()));
    leaves[p.name()] = tape.param(p);
  }
  CHECK(golden.keys(name + "/params").size() == layer.parameters().size());

  auto state = layer.initial_state(tape, 2);
  const auto ends = ends_of(state.size(), options.bidirectional);
  const auto part_name = [&](std::size_t i) {  // parts in the order of flatten(): h, c of each cell
    const std::size_t parts = flatten(state).size() / state.size();
    return std::string(i % parts == 0 ? "h" : "c") + ends[i / parts];
  };
  std::size_t i = 0;
  state = map_state(state, [&](Var) {
    const std::string part = part_name(i++);
    return leaves[part] = tape.input(at("inputs/" + part));
  });
  const auto [ys, last] = layer.unroll(leaves["x"], state, {.training = false});

  const auto weighted = [&](Var v) {
    Tensor weights(v.shape(), DType::f64);
    for (std::size_t k = 0; k < weights.size(); ++k) weights.set(k, 1 + 0.25 * static_cast<double>(k % 7));
    return sum(v * tape.input(weights));
  };
  Var loss = weighted(ys);
  const Vars finals = flatten(last);
  for (Var v : finals) loss = loss + weighted(v);

  check_close(name + " ys", tape.read(ys), at("ys"));
  for (std::size_t k = 0; k < finals.size(); ++k)
    check_close(name + " " + part_name(k), tape.read(finals[k]), at("finals/" + part_name(k)));
  REQUIRE(golden.keys(name + "/grads").size() == leaves.size());
  for (const auto& [leaf, v] : leaves)
    check_close(name + " gradient of " + leaf, tape.read(grad(loss, v)), at("grads/" + leaf));
}

}  // namespace

TEST_CASE("variants of cells and layers agree with their equations in PyTorch") {
  const Reference golden = Reference::golden("layers.json");
  const Activation hard = [](Var v) { return hard_sigmoid(v, 0.2); };
  const std::map<std::string, Rnn::Options> rnns{{"rnn layer_norm", {.cell = {.layer_norm = true}}}};
  const std::map<std::string, Lstm::Options> lstms{
      {"lstm peepholes", {.cell = {.peepholes = true}}},
      {"lstm coupled", {.cell = {.coupled = true}}},
      {"lstm coupled peepholes", {.cell = {.peepholes = true, .coupled = true}}},
      {"lstm cell_clip", {.cell = {.cell_clip = 0.4}}},
      {"lstm layer_norm", {.cell = {.layer_norm = true}}},
      {"lstm hard_sigmoid", {.cell = {.gate = hard}}},
      {"lstm all",
       {.layers = 2,
        .bidirectional = true,
        .cell = {.peepholes = true, .proj = 2, .layer_norm = true, .cell_clip = 0.9}}},
      {"lstm zoneout", {.zoneout = {0.05, 0.5}}},
      {"lstm residual", {.layers = 2, .residual = true}}};
  const std::map<std::string, Gru::Options> grus{
      {"gru reset_before", {.cell = {.reset_after = false}}},
      {"gru layer_norm", {.cell = {.layer_norm = true}}},
      {"gru reset_before layer_norm", {.cell = {.reset_after = false, .layer_norm = true}}},
      {"gru zoneout", {.zoneout = {0.3}}},
      {"gru residual bidirectional", {.layers = 2, .bidirectional = true, .residual = true}}};
  for (const auto& [name, options] : rnns) check_case<Rnn>(golden, name, options);
  for (const auto& [name, options] : lstms) check_case<Lstm>(golden, name, options);
  for (const auto& [name, options] : grus) check_case<Gru>(golden, name, options);
  CHECK(golden.keys("").size() == rnns.size() + lstms.size() + grus.size());
}
