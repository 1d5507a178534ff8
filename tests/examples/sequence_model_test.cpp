// Recurrent layers that are chosen when the program runs, and the model from sequences to scores: where they
// start from, which output is the last, and that what stands past a sequence's end plays no part.
#include <spool/spool.hpp>

#include <cmath>

#include "../../examples/shared/any_recurrent.hpp"
#include "../../examples/shared/sequence_model.hpp"
#include "../catch.hpp"
#include "../error_text.hpp"
#include "../reference.hpp"

using namespace examples;
using spool::Init, spool::Shape, spool::Tape, spool::Tensor, spool::Var;

namespace {

constexpr spool::LayerCall evaluating{};

Tensor parameter(const spool::Params& params, const std::string& end) {
  for (const spool::Param& p : params)
    if (p.name().ends_with(end)) return p.value();
  FAIL("no parameter " + end);
  return {};
}

Tensor drawn(const Shape& shape, std::uint64_t seed) {
  spool::Philox random(seed);
  Tensor out(shape);
  for (std::size_t i = 0; i < out.size(); ++i) out.set(i, random.normal());
  return out;
}

// How far apart the outputs of the last step are for two sequences that differ only in their first of 100
// rows, as a share of how far apart those of the first step are.
double kept(const std::string& cell, const std::string& start) {
  constexpr std::int64_t T = 100, D = 4, H = 32;
  const AnyRecurrent layer(
      Init{.seed = 3}, {.cell = cell, .input = D, .hidden = H, .layers = 1, .start = start, .remember = T});
  Tensor xs({T, 2, D});
  for (std::size_t d = 0; d < D; ++d) xs.set(d, 1);
  Tape tape;
  const Var ys = layer(tape.input(xs), evaluating).ys;
  const Var apart = sqrt(spool::sum(square(spool::select(ys, 1, 0) - spool::select(ys, 1, 1)), 1));
  const Tensor by_step = tape.read(apart);
  return by_step.at(T - 1) / by_step.at(0);
}

}  // namespace

TEST_CASE("the chrono start keeps the state for 1 to T steps") {
  constexpr std::size_t H = 200;
  constexpr std::int64_t T = 60;
  for (const std::string cell : {"lstm", "gru"}) {
    INFO(cell);
    const AnyRecurrent layers(
        Init{.seed = 1},
        {.cell = cell, .input = 3, .hidden = H, .layers = 2, .start = "chrono", .remember = T});
    const AnyRecurrent usual(Init{.seed = 1}, {.cell = cell, .input = 3, .hidden = H, .layers = 2});
    for (const char* layer : {"l0", "l1"}) {
      const Tensor from_x = parameter(layers.parameters(), std::string("bias_ih_") + layer),
                   from_h = parameter(layers.parameters(), std::string("bias_hh_") + layer);
      double mean_steps = 0, longest = 0;
      for (std::size_t i = 0; i < H; ++i) {
        const double keep =
            from_x.at(H + i);  // f of an LSTM, z of a GRU: log of what is kept over what is not
        CHECK(keep >= 0);
        CHECK(keep <= std::log(T));
        mean_steps += std::exp(keep) / H, longest = std::max(longest, std::exp(keep));
        CHECK(from_x.at(i) == (cell == "lstm" ? -keep : 0));
        for (std::size_t gate = 2; gate < from_x.size() / H; ++gate) CHECK(from_x.at(gate * H + i) == 0);
      }
      CHECK(mean_steps == Approx(T / 2.0).epsilon(0.1));  // of U(1, T)
      CHECK(longest > 0.9 * T);
      CHECK(from_h.doubles() == std::vector<double>(from_h.size()));
      const std::string weight = std::string("weight_hh_") + layer;  // which is left as it was
      CHECK(parameter(layers.parameters(), weight).doubles() ==
            parameter(usual.parameters(), weight).doubles());
    }
  }
}

TEST_CASE("the chrono start keeps what the usual one has forgotten") {
  for (const std::string cell : {"lstm", "gru"}) {
    INFO(cell);
    CHECK(kept(cell, "chrono") > 0.02);
    CHECK(kept(cell, "torch") < 1e-6);
  }
}

TEST_CASE("the wide start has normal weights of twice the usual deviation") {
  constexpr std::size_t H = 100;
  const AnyRecurrent layer(Init{.seed = 1}, {.cell = "rnn", .input = 3, .hidden = H, .start = "wide"});
  const Tensor w = parameter(layer.parameters(), "weight_hh_l0");
  double sum = 0, squares = 0, beyond = 0;
  for (const double x : w.doubles()) {
    sum += x, squares += x * x;
    beyond += std::abs(x) > 2 * 2 / std::sqrt(H) ? 1 : 0;
  }
  const double count = H * H;
  CHECK(std::abs(sum / count) < 0.01);
  CHECK(std::sqrt(squares / count) == Approx(2 / std::sqrt(H)).epsilon(0.03));
  CHECK(beyond / count == Approx(0.0455).epsilon(0.2));  // of normal numbers beyond two deviations
}

TEST_CASE("the last output is that of the last layer after each sequence, in both directions") {
  constexpr std::int64_t T = 5, D = 3, H = 4;
  const std::vector<int> lengths{5, 2};
  for (const std::string& cell : AnyRecurrent::cells())
    for (const std::int64_t layers : {1, 2})
      for (const bool both : {false, true}) {
        INFO(cell << ", layers: " << layers << ", both directions: " << both);
        const AnyRecurrent layer(
            Init{.seed = 2},
            {.cell = cell, .input = D, .hidden = H, .layers = layers, .bidirectional = both});
        CHECK(layer.output_size() == (both ? 2 * H : H));
        Tape tape;
        const auto [ys, last] =
            layer(tape.input(drawn({T, 2, D}, 1)), {.lengths = tape.tokens({2}, lengths)});
        tape.run({ys, last});
        const Tensor all = tape.read(ys), end = tape.read(last);
        const auto width = static_cast<std::size_t>(layer.output_size());
        REQUIRE(end.shape() == Shape{2, layer.output_size()});
        for (std::size_t b = 0; b < 2; ++b)
          for (std::size_t k = 0; k < width; ++k) {
            const std::size_t step = k < H ? static_cast<std::size_t>(lengths[b]) - 1 : 0;
            CHECK(end.at(b * width + k) == all.at((step * 2 + b) * width + k));
          }
      }
}

TEST_CASE("padding plays no part in scores") {
  const std::vector<Tensor> rows{drawn({5, 3}, 1), drawn({2, 3}, 2), drawn({1, 3}, 3)};
  const std::vector<std::vector<int>> symbols{{1, 2, 3, 4, 0}, {4, 2}, {3}};
  const std::vector<std::size_t> together{0, 1, 2};
  for (const std::string& cell : AnyRecurrent::cells())
    for (const Pooling pooling : {Pooling::none, Pooling::last, Pooling::mean, Pooling::attention}) {
      INFO(cell << ", pooling " << static_cast<int>(pooling));
      const Recipe recipe{.cell = cell, .hidden = 6, .layers = 2, .embed = 3, .dropout = 0.5};
      const SequenceModel of_rows(Init{.seed = 1},
                                  {.recipe = recipe, .width = 3, .classes = 4, .pooling = pooling});
      const SequenceModel of_symbols(Init{.seed = 2},
                                     {.recipe = recipe, .symbols = 5, .classes = 4, .pooling = pooling});
      const auto scores = [&](const auto& model, const auto& all, std::vector<std::size_t> chosen,
                              std::int64_t multiple_of) {
        Tape tape;
        return tape.read(
            model(tape, spool::pad(all, chosen, {.value = 2, .multiple_of = multiple_of}), false));
      };
      const auto check = [&](const auto& model, const auto& all) {
        const Tensor of_all = scores(model, all, together, 8);
        for (std::size_t b = 0; b < all.size(); ++b) {
          const Tensor alone = scores(model, all, {b}, 1);  // [1,4], or [T,1,4]
          for (std::size_t i = 0; i < alone.size(); ++i) {
            const std::size_t t = i / 4, k = i % 4;
            CHECK(of_all.at((t * 3 + b) * 4 + k) == Approx(alone.at(i)).margin(1e-6));
          }
        }
      };
      check(of_rows, rows);
      check(of_symbols, symbols);
    }
}

TEST_CASE("poolings have names") {
  CHECK(pooling_of("last") == Pooling::last);
  CHECK(pooling_of("mean") == Pooling::mean);
  CHECK(pooling_of("attention") == Pooling::attention);
  std::string error;
  try {
    pooling_of("max");
  } catch (const UsageError& e) {
    error = e.what;
  }
  CHECK(error == "--pooling max is none of last, mean, attention");
}

TEST_CASE("a layer is refused whose cell or first weights do not exist") {
  CHECK(shape_error([] { AnyRecurrent({}, {.cell = "lstn", .input = 2, .hidden = 3}); }) ==
        "AnyRecurrent: there is no cell \"lstn\"");
  CHECK(shape_error([] { AnyRecurrent({}, {.input = 2, .hidden = 3, .start = "pytorch"}); }) ==
        "AnyRecurrent: there is no start \"pytorch\"");
}
