// Ops that choose by index: values by hand, adjoints, gradients of the second order, and bad indices.
#include <spool/spool.hpp>

#include "catch.hpp"

using namespace spool;

namespace {

std::vector<double> values(Var v) { return v.tape().read(v).doubles(); }
using Numbers = std::vector<double>;

// <f(x), y> = <x, adjoint(y)> for a linear f, with the adjoint that grad finds.
void check_adjoint(Var x, Var fx) {
  Tape& tape = x.tape();
  const Var y = normal(tape, fx.shape());
  const Var back = grad(sum(fx * y), x);
  tape.run({sum(fx * y), sum(x * back)});
  CHECK(tape.value(sum(fx * y)) == Approx(tape.value(sum(x * back))));
  // The adjoint's own gradient is the op again: d<back, r>/dy = f(r).
  const Var leaf = tape.input(Tensor(fx.shape(), DType::f64));
  const Var again = grad(sum(grad(sum(fx * leaf), x) * x), leaf);
  CHECK(values(again) == values(fx));
}

}  // namespace

TEST_CASE("gather picks along an axis, scatter_add puts back") {
  Tape tape(DType::f64);
  const Var x = tape.input(Tensor({2, 3}, {1, 2, 3, 4, 5, 6}));
  const Var i = tape.tokens({2, 2}, std::vector{2, 0, 1, 1});
  CHECK(values(gather(x, i, 1)) == Numbers{3, 1, 5, 5});
  CHECK(values(gather(x, i, -1)) == Numbers{3, 1, 5, 5});
  CHECK(values(gather(x, tape.tokens({1, 3}, std::vector{1, 0, 1}), 0)) == Numbers{4, 2, 6});
  CHECK(values(gather(x, tape.tokens({1, 1}, std::vector{2}), 1)) == Numbers{3, 6});  // broadcasts
  CHECK(values(scatter_add(tape.constant(1, {2, 2}), i, 1, 3)) == Numbers{1, 0, 1, 0, 2, 0});
  check_adjoint(x, gather(x, i, 1));
  CHECK(gather(x, tape.tokens({2, 0}, {}), 1).shape() == Shape{2, 0});
}

TEST_CASE("rows of a table, and their sums") {
  Tape tape(DType::f64);
  const Var table = tape.input(Tensor({3, 2}, {1, 2, 3, 4, 5, 6}));
  const Var i = tape.tokens({2, 2}, std::vector{2, 0, 0, 1});
  CHECK(take_rows(table, i).shape() == Shape{2, 2, 2});
  CHECK(values(take_rows(table, i)) == Numbers{5, 6, 1, 2, 1, 2, 3, 4});
  CHECK(values(scatter_rows_add(take_rows(table, i), i, 4)) == Numbers{2, 4, 3, 4, 5, 6, 0, 0});
  CHECK(values(take_rows(tape.input(Tensor({3}, {7, 8, 9})), tape.tokens({}, std::vector{1}))) == Numbers{8});
  check_adjoint(table, take_rows(table, i));
}

TEST_CASE("embedding's padding row gets no gradient, of any order") {
  Tape tape(DType::f64);
  const Var table = tape.input(Tensor({3, 1}, {1, 2, 3}));
  const Var i = tape.tokens({4}, std::vector{2, 1, 0, 2});
  CHECK(values(embedding(table, i, 1)) == Numbers{3, 2, 1, 3});
  const Var y = embedding(table, i, 1), g = grad(sum(y * y * y), table);
  CHECK(values(g) == Numbers{3, 0, 54});
  CHECK(values(grad(sum(g), table)) == Numbers{6, 0, 36});
  CHECK(values(grad(sum(embedding(table, i, -3)), table)) == Numbers{0, 1, 2});
}

TEST_CASE("one_hot writes on and off") {
  Tape tape;
  const Var i = tape.tokens({2}, std::vector{2, 0});
  CHECK(values(one_hot(i, 3)) == Numbers{0, 0, 1, 1, 0, 0});
  CHECK(values(one_hot(i, 3, 0.5, -1)) == Numbers{-1, -1, 0.5, 0.5, -1, -1});
  CHECK(one_hot(tape.tokens({0}, {}), 0).shape() == Shape{0, 0});
}

TEST_CASE("reverse_sequence turns each sequence at its own end") {
  Tape tape(DType::f64);
  const Var x = tape.input(Tensor({3, 2, 1}, {1, 10, 2, 20, 3, 30}));
  CHECK(values(reverse_sequence(x, tape.tokens({2}, std::vector{3, 2}))) == Numbers{3, 20, 2, 10, 1, 30});
  CHECK(values(reverse_sequence(x, tape.tokens({2}, std::vector{0, 1}))) == values(x));
  const Var lengths = tape.tokens({2}, std::vector{2, 3});
  CHECK(values(reverse_sequence(reverse_sequence(x, lengths), lengths)) == values(x));
  check_adjoint(x, reverse_sequence(x, lengths));
}

TEST_CASE("a bad index is a clear error of the run") {
  Tape tape;
  const auto index = [&](double bad) { return tape.input(Tensor({4}, {0, 1, 2, bad}), "i"); };
  const auto message = [&](Var v) -> std::string {
    try {
      tape.run({v});
    } catch (const TapeError& e) {
      return e.what();
    }
    return "no error";
  };
#line 41 "my_model.cpp"
  const Var taken = take_rows(tape.input(Tensor({65, 2}), "w"), index(70));
#line 90 "index_test.cpp"
  CHECK(
      message(taken) ==
      "take_rows: index 70 at position 3 is outside 0..64\n  a  input \"w\"  [65, 2]\n  b  input \"i\"  [4]\n"
      "  recorded at my_model.cpp:41");
  const auto first_line = [&](Var v) { return message(v).substr(0, message(v).find('\n')); };
  const Var x = tape.input(Tensor({4}));
  CHECK(first_line(gather(x, index(4), 0)) == "gather: index 4 at position 3 is outside 0..3");
  CHECK(first_line(gather(x, index(-1), 0)) == "gather: index -1 at position 3 is outside 0..3");
  CHECK(first_line(scatter_add(x, index(1.5), 0, 9)) ==
        "scatter_add: index 1.5 at position 3 is no whole number");
  CHECK(first_line(scatter_rows_add(x, index(std::nan("")), 9)) ==
        "scatter_rows_add: index nan at position 3 is outside 0..8");
  CHECK(first_line(one_hot(index(1e9), 3)) == "one_hot: index 1000000000 at position 3 is outside 0..2");
  CHECK(first_line(one_hot(index(0), 0)) ==
        "one_hot: index 0 at position 0: there is nothing to choose from");
  const Var xs = tape.input(Tensor({2, 4}));
  CHECK(first_line(reverse_sequence(xs, index(3))) ==
        "reversed_rows: length 3 at position 3 is outside 0..2");
}
