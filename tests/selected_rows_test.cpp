// Rows of a table by index, as recurrent models read them: a product adds them straight from the table.
#include <spool/graph/error.hpp>
#include <spool/spool.hpp>

#include <cmath>
#include <string>

#include "catch.hpp"
#include "plan_difference.hpp"

using namespace spool;

namespace {

constexpr std::int64_t rows = 600, width = 24;

Tensor indices(std::int64_t n, std::int64_t of) {
  Tensor t({n}, DType::f64);
  for (std::int64_t i = 0; i < n; ++i) t.set(static_cast<std::size_t>(i), static_cast<double>(i * 7 % of));
  return t;
}

struct Model {
  Var index, y;
  Vars wanted;
};
// Two products that each add half of what was selected; `other` also reads the selection itself.
Model model(Tape& tape, bool other) {
  const Var table = tape.param(Param("table", numbers({11, width}, 1)));
  const Var w = tape.param(Param("w", numbers({5, width}, 2)));
  const Var x = matmul(tape.input(numbers({rows, 3}, 3), "x"), tape.param(Param("v", numbers({3, 5}, 4))));
  const Var index = tape.input(indices(rows, 11), "index");
  const Var selected = take_rows(table, index);
  Vars halves;
  for (const std::int64_t half : {0, 1}) {
    const std::int64_t from = half * rows / 2, to = (half + 1) * rows / 2;
    halves.push_back(tanh(matmul(slice(x, 0, from, to), w) + slice(selected, 0, from, to)));
  }
  Var y = concat(halves, 0);
  if (other) y = y * selected;
  Vars wanted = grad(sum(y), {table, w, x});
  wanted.push_back(y);
  return {index, y, wanted};
}

}  // namespace

TEST_CASE("products add selected rows straight from their table, unless others read these as well") {
  for (const bool other : {false, true}) {
    INFO(other);
    Tape plain({.dtype = DType::f64, .plan = "plain"});
    const auto expected = values(plain, model(plain, other).wanted);
    Values first;
    for (const int threads : {1, 2, 3}) {
      set_threads(threads);
      Tape tape(DType::f64);
      const Model m = model(tape, other);
      const std::string text = tape.plan_text(m.wanted);
      INFO(text);
      CHECK((text.find("+ rows of param \"table\" [11, 24]") != std::string::npos) == !other);
      CHECK((text.find("take_rows") != std::string::npos) == other);
      const auto got = values(tape, m.wanted);
      CHECK(tape.run_stats().fallbacks == 0);
      check_close(got, expected);
      if (threads == 1) first = got;
      CHECK(got == first);
    }
    set_threads(0);
  }
}

TEST_CASE("an index that the table of a product does not have stops the run as in plain runs") {
  for (const double wrong : {-1.0, 11.0, 2.5, std::nan(""), 1e300}) {
    INFO(wrong);
    std::string said[2];
    for (const int planned : {0, 1}) {
      Tape tape({.dtype = DType::f64, .plan = planned == 0 ? "plain" : ""});
      const Model m = model(tape, false);
      Tensor bad = indices(rows, 11);
      bad.set(599, wrong);
      tape.set(m.index, bad);
      try {
        tape.run(Vars{m.y});
      } catch (const Error& e) {
        said[planned] = e.what();
      }
      tape.set(m.index, indices(rows, 11));  // and the tape is as good as before
      CHECK_NOTHROW(tape.run(Vars{m.y}));
    }
    CHECK(said[0].find("take_rows") != std::string::npos);
    CHECK(said[0] == said[1]);
  }
}

TEST_CASE("an index of rows that no product adds is looked at all the same") {
  for (const int last : {2, 7}) {
    for (const char* passes : {"plain", ""}) {
      INFO(last << " " << passes);
      Tape tape({.dtype = DType::f64, .plan = passes});
      const Var table = tape.input(numbers({3, 5}, 1)), w = tape.input(numbers({5, 5}, 2));
      const Var selected = take_rows(table, tape.tokens({2, 2}, {0, 1, 2, last}));
      const Var y = matmul(tanh(matmul(tape.input(numbers({2, 5}, 3)), w)), w) + select(selected, 0, 0);
      if (last == 2)
        CHECK_NOTHROW(tape.run({y}));
      else
        CHECK_THROWS_WITH(tape.run({y}), Catch::Contains("index 7 at position 3 is outside 0..2"));
    }
  }
}
