// The steps of small models' plans, counted in their texts, since a lost fusion changes no number.
#include <spool/spool.hpp>

#include <functional>
#include <string>

#include "catch.hpp"
#include "small_models.hpp"

using namespace spool;

namespace {

std::size_t count(const std::string& text, const std::string& word) {
  std::size_t n = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("an unrolled LSTM: the products of all steps, and one for each weight's gradient") {
  Tape tape;
  const Vars wanted = trained<Lstm>(tape, {.input = 3, .hidden = 4}, 6, 2);
  const std::string text = tape.plan_text(wanted);
  INFO(text);
  CHECK(count(text, "product   6 x [12, 3] x param \"weight_ih_l0\"") == 1);  // inputs of all steps at once
  CHECK(count(text, "x param \"weight_hh_l0\"") == 6 + 5);  // forward, and backward but for the first
  CHECK(count(text, "sum       6 x [12, 16]T x [12, 3], [12, 4] -> [16, 3] [16, 4]") ==
        1);                                   // of both weights
  CHECK(count(text, "in lstm/l0/t=3") == 4);  // product and tiles, both ways
  CHECK(count(text, "copy") <= 1);            // the first state
}

TEST_CASE("steps of a sequence that is repeated, or a part of others, are read where they lie") {
  const auto text = [](const std::function<Var(Tape&)>& xs) {
    Tape tape;
    const RnnCell cell(Init{.seed = 1}, 3, 4);
    const auto [ys, last] = unroll(cell, xs(tape), tape.input(Tensor({2, 4})));
    return tape.plan_text(Vars{ys});
  };
  const std::string whole = text([](Tape& t) { return t.input(Tensor({6, 2, 3})); });
  const std::string repeated = text([](Tape& t) { return broadcast_to(t.input(Tensor({2, 3})), {6, 2, 3}); });
  const std::string some = text([](Tape& t) { return slice(t.input(Tensor({6, 5, 3})), 1, 1, 3); });
  for (const std::string& steps : {repeated, some}) {
    INFO(steps);
    CHECK(count(steps, "copy ") == 0);
    CHECK(count(steps, "slice") == 0);
    CHECK(count(steps, "\n") == count(whole, "\n"));
  }
}

TEST_CASE("an unrolled GRU: a product and one step of tiles, both ways") {
  Tape tape;
  const std::string text = tape.plan_text(trained<Gru>(tape, {.input = 3, .hidden = 48}, 4, 30));
  INFO(text);
  CHECK(count(text, "in gru/l0/t=2") == 4);
  CHECK(count(text, "of [30, 144]") == 0);  // what two concats share is copied within the tiles
}

TEST_CASE("an unrolled LSTM with layer norm: a product and one step of tiles, both ways") {
  Tape tape;
  const std::string text =
      tape.plan_text(trained<Lstm>(tape, {.input = 3, .hidden = 4, .cell = {.layer_norm = true}}, 6, 2));
  INFO(text);
  CHECK(count(text, "in lstm/l0/t=3") == 4);  // product and tiles, both ways
}

TEST_CASE("an embedding: each row of the table is multiplied once, also for the gradients") {
  Tape tape;
  const std::string text = tape.plan_text(embedded<Lstm>(tape, 4, 3, {}, false));
  INFO(text);
  CHECK(count(text, "product   [3, 4] x param \"weight_ih_l0") == 1);  // each row of the table once
  CHECK(count(text, "sum       [3, 20]T x [3, 4]") == 1);              // also for the gradient of the weight
  CHECK(count(text, "eval      scatter_rows_add [3, 20]") == 1);
}

TEST_CASE("sentences and trees recorded one by one run level by level, however many there are") {
  const auto plan = [](auto&& record, const std::vector<int>& sizes) {
    Tape tape;
    return tape.plan_text(record(tape, sizes));
  };
  const auto few = plan(tagged, {4, 2}), many = plan(tagged, {4, 2, 3, 1, 4, 2, 3, 3, 1});
  INFO(few << '\n' << many);
  CHECK(count(many, "product ") == count(few, "product "));
  CHECK(count(many, "eval      take_rows") == 1);
  CHECK(count(many, "eval      scatter_rows_add") == 1);
  CHECK(count(many, "x param \"weight_hh_l0\"") == 4 + 3);  // one a step, both ways
  const auto caterpillars = [](Tape& t, const std::vector<int>& sizes) { return trees(t, sizes, 1); };
  const auto two = plan(caterpillars, {6, 3}), nine = plan(caterpillars, {6, 3, 2, 5, 4, 3, 2, 6, 1});
  INFO(two << '\n' << nine);
  CHECK(count(nine, "product ") == count(two, "product "));
  CHECK(count(nine, "eval      take_rows") == 1);
  CHECK(count(nine, "eval      scatter_rows_add") == 1);
}

TEST_CASE("a run takes the steps that the plan's text has, and one to pack each transposed right operand") {
  const auto check = [](auto&& record, const std::vector<int>& sizes, std::size_t packed) {
    Tape tape;
    const Vars wanted = record(tape, sizes);
    const std::string text = tape.plan_text(wanted);
    INFO(text);
    tape.run(wanted);
    CHECK(tape.run_stats().steps == count(text, "\n") + packed);
  };
  check(tagged, {4, 2, 3, 1, 4, 2},
        4 + 1);  // the weights of both ways and the head; for their gradients they are read as they lie
  check([](Tape& t, const std::vector<int>& sizes) { return trees(t, sizes, 1); }, {6, 3, 2, 5}, 2 + 1);
}
