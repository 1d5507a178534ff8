// Truncated BPTT: its windows, and its gradients against whole sequences, against windows side by side, and
// against a recording made by hand step by step.
#include <spool/spool.hpp>

#include "catch.hpp"
#include "error_text.hpp"
#include "reference.hpp"

#include <algorithm>

using namespace spool;

namespace {

constexpr std::int64_t T = 11, B = 2, D = 3, H = 4;

Tensor numbers(const Shape& shape, std::uint32_t stream) {
  Philox random(5, stream);
  return Tensor(shape, fill::normal(0, 1)(shape, random));
}

// Steps begin..end-1 of data [T,...], as data.
Tensor steps_of(const Tensor& all, std::int64_t begin, std::int64_t end) {
  Tape tape(DType::f64);
  return tape.read(slice(tape.input(all), 0, begin, end));
}

const Tensor data = numbers({T, B, D}, 1), wanted = numbers({T, B, H}, 2);

Var loss_of(Var ys, std::int64_t begin, std::int64_t end) {
  return sum(square(ys - ys.tape().input(steps_of(wanted, begin, end))));
}

std::vector<Tensor> read_all(Tape& tape, const Vars& vars) {
  tape.run(vars);
  std::vector<Tensor> all;
  for (const Var& v : vars) all.push_back(tape.read(v));
  return all;
}

void add_to(std::vector<Tensor>& sums, const std::vector<Tensor>& more) {
  if (sums.empty())
    sums = more;
  else
    for (std::size_t i = 0; i < sums.size(); ++i)
      for (std::size_t k = 0; k < sums[i].size(); ++k) sums[i].set(k, sums[i].at(k) + more[i].at(k));
}

// The gradients of all windows, added up; weights stay as they are.
template <class Run, class S>
std::vector<Tensor> windows_gradient(const Truncation& k, const Params& params, const Run& run,
                                     Carried<S> carried) {
  std::vector<Tensor> sums;
  for (const BpttWindow& w : bptt_windows(T, k)) {
    Tape tape(DType::f64);
    const Var xs = tape.input(steps_of(data, w.begin, w.end));
    const auto [ys, next] = unroll_window(w, xs, carried.on(tape), run);
    CHECK(ys.shape() == Shape{w.end - w.fresh, B, H});
    Vars all = grad(loss_of(ys, w.fresh, w.end), params);
    const Vars state = flatten(next);
    all.insert(all.end(), state.begin(), state.end());
    std::vector<Tensor> values = read_all(tape, all);
    carried = Carried(next);
    values.resize(params.size());
    add_to(sums, values);
  }
  return sums;
}

void check_same(const Params& params, const std::vector<Tensor>& got, const std::vector<Tensor>& want) {
  REQUIRE(got.size() == want.size());
  for (std::size_t i = 0; i < got.size(); ++i) check_close(params[i].name(), got[i], want[i], 1e-12);
}

const Init f64{.seed = 3, .dtype = DType::f64};

}  // namespace

TEST_CASE("windows: fresh steps tile the sequence, and each holds k2 steps") {
  for (std::int64_t steps = 1; steps <= 12; ++steps)
    for (std::int64_t k1 = 1; k1 <= 5; ++k1)
      for (std::int64_t k2 = k1; k2 <= 14; ++k2) {
        INFO(steps << " steps, k1 = " << k1 << ", k2 = " << k2);
        const auto windows = bptt_windows(steps, {.k1 = k1, .k2 = k2});
        REQUIRE(windows.size() == static_cast<std::size_t>((steps + k1 - 1) / k1));
        CHECK(windows.back().end == steps);
        for (std::size_t i = 0; i < windows.size(); ++i) {
          const BpttWindow& w = windows[i];
          CHECK(w.fresh == static_cast<std::int64_t>(i) * k1);
          CHECK(w.end == std::min(w.fresh + k1, steps));
          CHECK(w.begin == (k1 == k2 ? w.fresh : std::max<std::int64_t>(0, w.end - k2)));
          CHECK(w.carry == (i + 1 < windows.size() ? windows[i + 1].begin : steps));
          CHECK((w.begin <= w.carry && w.carry <= w.end));
        }
      }
  CHECK(bptt_windows(0, {.k1 = 2, .k2 = 3}).empty());
}

TEST_CASE("with k2 of the sequence's length or more, windows add up to full BPTT") {
  const Lstm lstm(f64, {.input = D, .hidden = H, .layers = 2});
  const Params params = lstm.parameters();
  Tape tape(DType::f64);
  const auto [ys, last] = lstm.unroll(tape.input(data));
  const auto full = read_all(tape, grad(loss_of(ys, 0, T), params));
  const auto run = [&](Var xs, auto state) { return lstm.unroll(xs, state); };
  for (const Truncation k : {Truncation{1, T}, Truncation{3, T}, Truncation{4, 100}, Truncation{T, T}})
    check_same(params, windows_gradient(k, params, run, lstm.zero_state(B)), full);
}

TEST_CASE("with k1 = k2, windows are those of a state detached between them") {
  const GruCell cell(f64, D, H);
  const Params params = cell.parameters();
  const auto run = [&](Var xs, Var h) { return unroll(cell, xs, h); };
  for (const std::int64_t k : {1, 4, 6}) {
    Tape tape(DType::f64);
    const Var xs = tape.input(data);
    Var h = cell.zero_state(tape, B), loss = tape.constant(0);
    for (std::int64_t begin = 0; begin < T; begin += k) {
      const std::int64_t end = std::min(begin + k, T);
      const auto [ys, last] = unroll(cell, slice(xs, 0, begin, end), detach(h));
      loss = loss + loss_of(ys, begin, end);
      h = last;
    }
    const auto want = read_all(tape, grad(loss, params));
    const Carried<Var> zero(cell.zero_state(tape, B));
    check_same(params, windows_gradient({k, k}, params, run, zero), want);
  }
}

namespace {

// What the header promises, step by step and without it: trains on a window's fresh steps, and gives the
// state before the next window, by the weights that this window ran with.
Carried<LstmState> train_by_hand(Tape& tape, const LstmCell& cell, Sgd& sgd, const BpttWindow& w,
                                 const Carried<LstmState>& start) {
  tape.clear();
  const Var xs = tape.input(data), targets = tape.input(wanted);
  std::vector<LstmState> before{start.on(tape)};
  Var loss = tape.constant(0);
  for (std::int64_t t = w.begin; t < w.end; ++t) {
    before.push_back(cell.step(select(xs, 0, t), before.back()));
    if (t >= w.fresh) loss = loss + sum(square(before.back().h - select(targets, 0, t)));
  }
  return sgd.step(loss, before[static_cast<std::size_t>(w.carry - w.begin)]);
}

}  // namespace

TEST_CASE("training by windows that overlap is what it would be by hand") {
  for (const Truncation k : {Truncation{1, 4}, Truncation{2, 6}, Truncation{3, 4}, Truncation{4, 7}}) {
    INFO("k1 = " << k.k1 << ", k2 = " << k.k2);
    const LstmCell cell(Init{.seed = 4, .dtype = DType::f64}, D, H),
        twin(Init{.seed = 4, .dtype = DType::f64}, D, H);
    Sgd sgd(cell.parameters(), {.lr = 0.05}), twin_sgd(twin.parameters(), {.lr = 0.05});
    Tape tape(DType::f64), scratch(DType::f64);
    Carried<LstmState> carried(cell.zero_state(scratch, B)), twin_carried = carried;
    const auto run = [&](Var xs, const LstmState& s) { return unroll(cell, xs, s); };
    for (const BpttWindow& w : bptt_windows(T, k)) {
      tape.clear();
      const Var xs = tape.input(steps_of(data, w.begin, w.end));
      const auto [ys, next] = unroll_window(w, xs, carried.on(tape), run);
      carried = sgd.step(loss_of(ys, w.fresh, w.end), next);
      twin_carried = train_by_hand(tape, twin, twin_sgd, w, twin_carried);
      for (std::size_t i = 0; i < 2; ++i)
        check_close("state", carried.values()[i], twin_carried.values()[i], 1e-12);
    }
    for (std::size_t i = 0; i < cell.parameters().size(); ++i)
      check_close("weights", cell.parameters()[i].value(), twin.parameters()[i].value(), 1e-12);
  }
}

TEST_CASE("a fresh step's gradient reaches the window's first step and the carried state") {
  const RnnCell cell(f64, D, H);
  const BpttWindow w = bptt_windows(20, {.k1 = 2, .k2 = 7})[4];
  CHECK((w.begin == 3 && w.fresh == 8 && w.carry == 5 && w.end == 10));
  Tape tape(DType::f64);
  const Var xs = tape.input(steps_of(data, w.begin, w.end)), h = tape.input(numbers({B, H}, 3));
  const auto [ys, next] = unroll_window(w, xs, h, [&](Var x, Var s) { return unroll(cell, x, s); });
  const Vars g = grad(sum(ys), {xs, h, next});
  for (const Var& part : {select(g[0], 0, 0), g[1], g[2]}) CHECK(tape.value(min(abs(part))) > 0);
  const Var early = grad(sum(next), xs);
  CHECK(tape.value(min(abs(slice(early, 0, 0, 2)))) > 0);
  CHECK(tape.value(sum(abs(slice(early, 0, 2, 7)))) == 0);
}

TEST_CASE("truncated BPTT says what is wrong with its arguments") {
  CHECK(shape_error([] { bptt_windows(5, {.k1 = 0, .k2 = 2}); }) ==
        "bptt_windows: k1 is 0 and k2 is 2; they must be 1 <= k1 <= k2");
  CHECK(shape_error([] { bptt_windows(5, {.k1 = 3, .k2 = 2}); }) ==
        "bptt_windows: k1 is 3 and k2 is 2; they must be 1 <= k1 <= k2");
  CHECK(shape_error([] { bptt_windows(-1, {.k1 = 1, .k2 = 2}); }) ==
        "bptt_windows: there are -1 steps; it must be 0 or more");

  const RnnCell cell(f64, D, H);
  Tape tape(DType::f64);
  const Var xs = tape.input({6, B, D}, "xs"), h = cell.zero_state(tape, B);
  const auto run = [&](Var x, Var s) { return unroll(cell, x, s); };
  const BpttWindow w = bptt_windows(T, {.k1 = 2, .k2 = 4})[2];
  const int line = __LINE__ + 1;
  const std::string text = shape_error([&] { unroll_window(w, xs, h, run); });
  CHECK(text ==
        "unroll_window: xs must hold the window's 4 steps, 2..5\n"
        "  a  input \"xs\"  [6, 2, 3]\n"
        "  recorded at truncated_bptt_test.cpp:" +
            std::to_string(line));
  CHECK(shape_error([&] {
          unroll_window({0, 6, 6, 6}, xs, h, run);
        })
            .starts_with("unroll_window: no window begins at 0, is fresh from 6, carries at 6 and ends at 6; "
                         "take one from "
                         "bptt_windows()\n"));
  const auto last_only = [&](Var x, Var s) { return Unrolled<Var>{select(run(x, s).ys, 0, -1), s}; };
  CHECK(shape_error([&] {
          unroll_window({0, 3, 3, 6}, xs, h, last_only);
        }).starts_with("unroll_window: run must give an output for each of its 3 steps\n"));
}
