// Rnn, Lstm and Gru against PyTorch: outputs, final states, gradients of a random linear loss with respect to
// inputs, states and all weights; cells to second order.
#include <spool/spool.hpp>

#include "catch.hpp"
#include "reference.hpp"

using namespace spool;

namespace {

const Init f64{.seed = 1, .dtype = DType::f64};

void load(const Params& params, const Reference& ref, const std::string& folder) {
  for (Param p : params) p.assign(ref.tensor(folder + p.name()));
  CHECK(params.size() == ref.keys(folder.substr(0, folder.size() - 1)).size());
}

// PyTorch's states are [layers * directions, B, H], one array for h and one for c.
template <class State>
State unstacked(const State& like, const std::vector<Var>& stacked) {
  std::vector<Var> vars;
  for (std::size_t cell = 0; cell < like.size(); ++cell)
    for (const Var& s : stacked) vars.push_back(select(s, 0, static_cast<std::int64_t>(cell)));
  return rebuild(like, vars);
}

template <class State>
std::vector<Var> stacked(const State& state) {
  const std::size_t parts = flatten(state[0]).size();
  std::vector<std::vector<Var>> columns(parts);
  for (const auto& cell : state)
    for (std::size_t i = 0; i < parts; ++i) columns[i].push_back(flatten(cell)[i]);
  std::vector<Var> out;
  for (const auto& column : columns) out.push_back(stack(column));
  return out;
}

template <class R>
void check_layer(const std::string& name, const Reference& ref, typename R::Options options) {
  INFO(name);
  options.input = static_cast<std::int64_t>(ref.number("config/input_size"));
  options.hidden = static_cast<std::int64_t>(ref.number("config/hidden_size"));
  options.layers = static_cast<std::int64_t>(ref.number("config/num_layers"));
  options.bidirectional = ref.flag("config/bidirectional");
  options.cell.bias = ref.flag("config/bias");
  const bool batch_first = ref.flag("config/batch_first");
  const R layer(f64, options);
  load(layer.parameters(), ref, "params/");

  Tape tape(DType::f64);
  std::map<std::string, Var> leaves{{"x", tape.input(ref.tensor("inputs/x"))}};
  const Var xs = batch_first ? permute(leaves["x"], {1, 0, 2}) : leaves["x"];
  auto state = layer.initial_state(tape, xs.shape()[1]);
  const std::size_t parts = flatten(state[0]).size();
  if (ref.flag("config/initial_state")) {
    std::vector<Var> given;
    for (std::size_t i = 0; i < parts; ++i) {
      const std::string key = i == 0 ? "h_0" : "c_0";
      given.push_back(leaves[key] = tape.input(ref.tensor("inputs/" + key)));
    }
    state = unstacked(state, given);
  }
  LayerCall call;
  if (ref.has("config/lengths")) {
    const auto lengths = ref.integers("config/lengths");
    call.lengths = tape.tokens({static_cast<std::int64_t>(lengths.size())}, lengths);
  }
  const auto [ys, last] = layer.unroll(xs, state, call);
  const Var y = batch_first ? permute(ys, {1, 0, 2}) : ys;
  const std::vector<Var> finals = stacked(last);

  Var loss = sum(y * tape.input(ref.tensor("loss_weights/Ry")));
  for (std::size_t i = 0; i < parts; ++i)
    loss = loss + sum(finals[i] * tape.input(ref.tensor(i == 0 ? "loss_weights/Rh" : "loss_weights/Rc")));
  for (const Param& p : layer.parameters()) leaves[p.name()] = tape.param(p);

  CHECK(tape.value(loss) == Approx(ref.number("loss_value")).epsilon(1e-10));
  check_close(name + " y", tape.read(y), ref.tensor("outputs/y"));
  for (std::size_t i = 0; i < parts; ++i) {
    const std::string key = i == 0 ? "h_n" : "c_n";
    check_close(name + " " + key, tape.read(finals[i]), ref.tensor("outputs/" + key));
  }
  const auto wanted = ref.keys("grads");
  CHECK(wanted.size() == leaves.size());
  for (const std::string& key : wanted)
    check_close(name + ", gradient of " + key, tape.read(grad(loss, leaves.at(key))),
                ref.tensor("grads/" + key));
}

// Opens the file, and counts it as checked.
template <class Check>
int with_file(const std::string& name, Check&& check) {
  const auto ref = Reference::open("ref_torch/" + name + ".json");
  if (ref) check(*ref);
  return ref ? 1 : 0;
}

const char* const variants[] = {
    "basic",           "noinit_nobias",       "bidir",   "3layer", "2layer_bidir_batchfirst",
    "packed_unsorted", "packed_bidir_2layer", "long_T60"};

}  // namespace

TEST_CASE("recurrent layers agree with PyTorch") {
  int files = 0;
  for (const std::string variant : variants) {
    files +=
        with_file("rnn_" + variant, [&](const Reference& r) { check_layer<Rnn>("rnn_" + variant, r, {}); });
    files +=
        with_file("gru_" + variant, [&](const Reference& r) { check_layer<Gru>("gru_" + variant, r, {}); });
    files += with_file("lstm_" + variant,
                       [&](const Reference& r) { check_layer<Lstm>("lstm_" + variant, r, {}); });
  }
  files += with_file("rnn_relu_2layer", [](const Reference& r) {
    check_layer<Rnn>("rnn_relu_2layer", r, {.cell = {.activation = relu}});
  });
  for (const std::string name : {"lstm_proj", "lstm_proj_2layer_bidir"})
    files += with_file(name, [&](const Reference& r) {
      const auto proj = static_cast<std::int64_t>(r.number("config/proj_size"));
      check_layer<Lstm>(name, r, {.cell = {.proj = proj}});
    });
  CHECK((files == 27 || files == 0));
}

namespace {

// The loss is the sum of squares of the new state; then the squared norm of all its gradients is
// differentiated once more.
template <class C>
void check_second_order(const std::string& name, const std::vector<std::string>& state_names) {
  with_file(name, [&](const Reference& ref) {
    const C cell(f64, 3, 4);
    load(cell.parameters(), ref, "params/");
    Tape tape(DType::f64);
    std::map<std::string, Var> leaves{{"x", tape.input(ref.tensor("inputs/x"))}};
    std::vector<Var> parts;
    for (const auto& key : state_names)
      parts.push_back(leaves[key] = tape.input(ref.tensor("inputs/" + key)));
    const auto next = cell.step(leaves["x"], rebuild(cell.zero_state(tape, 2), parts));
    for (const Param& p : cell.parameters()) leaves[p.name()] = tape.param(p);

    const auto outputs = flatten(next);
    Var loss = tape.constant(0);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      check_close(name, tape.read(outputs[i]), ref.tensor("outputs/" + std::to_string(i)));
      loss = loss + sum(square(outputs[i]));
    }
    CHECK(tape.value(loss) == Approx(ref.number("loss_value")).epsilon(1e-10));
    std::vector<Var> wrt;
    for (const auto& [key, leaf] : leaves) wrt.push_back(leaf);
    const auto first = grad(loss, wrt);
    Var norm = tape.constant(0);
    for (const Var& g : first) norm = norm + sum(square(g));
    CHECK(tape.value(norm) == Approx(ref.number("grad_sq_norm")).epsilon(1e-10));
    const auto second = grad(norm, wrt);
    std::size_t i = 0;
    for (const auto& [key, leaf] : leaves) {
      check_close(name + ", gradient of " + key, tape.read(first[i]), ref.tensor("grads/" + key));
      check_close(name + ", second order of " + key, tape.read(second[i++]),
                  ref.tensor("grads_of_grad_sq_norm/" + key));
    }
  });
}

}  // namespace

TEST_CASE("cells agree with PyTorch to second order") {
  check_second_order<RnnCell>("rnncell_double_backward", {"h"});
  check_second_order<LstmCell>("lstmcell_double_backward", {"h", "c"});
  check_second_order<GruCell>("grucell_double_backward", {"h"});
}

TEST_CASE("the values in PyTorch's own C++ test") {
  with_file("pytorch_cpp_api_rnn_golden", [](const Reference& ref) {
    const Lstm lstm(f64, {.input = 2, .hidden = 2});
    for (Param p : lstm.parameters()) {
      Tensor& value = p.edit();
      const auto n = value.size();
      for (std::size_t i = 0; i < n; ++i) value.set(i, static_cast<double>(i) / static_cast<double>(n));
    }
    Tape tape(DType::f64);
    Tensor x({3, 4, 2}, DType::f64);
    for (std::size_t i = 0; i < 24; ++i) x.set(i, (24.0 - static_cast<double>(i)) / 24);
    const auto [ys, last] = lstm.unroll(tape.input(x));
    const auto flat = [&](Var v) { return tape.read(reshape(v, {-1})); };
    check_close("y", flat(ys), ref.tensor("output_flat"), 5e-4);
    check_close("h, c", flat(concat({last[0].h, last[0].c}, 0)), ref.tensor("h_then_c_flat"), 5e-4);
  });
}
