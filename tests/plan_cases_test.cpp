// Recordings that once led the planner astray, or could: each runs plain and planned, and must agree.
#include <spool/spool.hpp>

#include "catch.hpp"
#include "plan_difference.hpp"

using namespace spool;

TEST_CASE("a concat whose slices are added to products, and whose parts have other readers") {
  CHECK(difference([](Tape& t) {
          const Var a = tanh(t.input(numbers({2, 8}, 1))), b = tanh(t.input(numbers({2, 8}, 2)));
          const Var joined = concat({a, b}, 0), w = t.input(numbers({3, 8}, 3));
          const Var y = matmul(t.input(numbers({2, 3}, 4)), w) + slice(joined, 0, 0, 2);
          const Var z = matmul(t.input(numbers({2, 3}, 5)), w) + slice(joined, 0, 2, 4);
          return Vars{y, z, a, b};
        }) < rounding);
}

TEST_CASE("slices that are added to products and overlap") {
  CHECK(difference([](Tape& t) {
          const Var u = tanh(t.input(numbers({4, 4}, 1)));
          const Var y = matmul(t.input(numbers({2, 3}, 4)), t.input(numbers({3, 4}, 3))) + slice(u, 0, 2, 4);
          const Var z = matmul(t.input(numbers({4, 3}, 5)), t.input(numbers({3, 2}, 6))) + slice(u, 1, 0, 2);
          return Vars{y, z};
        }) < rounding);
}

TEST_CASE("a concat of a value and parts of it") {
  for (const int kind : {0, 1, 2, 3})
    CHECK(difference([&](Tape& t) {
            const Var a = tanh(t.input(numbers({4, 6}, 1)));
            if (kind == 0) return Vars{concat({a, slice(a, 1, 0, 2)}, 1)};
            if (kind == 1) return Vars{concat({slice(a, 1, 0, 3), a}, 1)};
            if (kind == 2) return Vars{concat({a, a}, 1)};
            return Vars{concat({a, broadcast_to(slice(a, 1, 0, 1), {4, 3})}, 1)};
          }) < rounding);
}

TEST_CASE("parts that others read of a concat in tiles, which is a part of another one") {
  for (const bool inner_twice : {false, true})
    CHECK(difference([&](Tape& t) {
            const Var x = tanh(t.input(numbers({4, 8}, 1))), a = sigmoid(slice(x, 1, 0, 4));
            const Var inner = concat({exp(slice(x, 1, 4, 8)), a}, 1);
            const Var w = t.input(numbers({4, 2}, 2)), u = t.input(numbers({8, 2}, 3));
            Vars all{concat({t.input(numbers({4, 3}, 4)), inner}, 1), matmul(a, w)};
            if (inner_twice) all.push_back(matmul(concat({inner, tanh(inner)}, 1), concat({u, u}, 0)));
            return all;
          }) < rounding);
}

TEST_CASE("a weight that is used in two shapes") {
  CHECK(difference([](Tape& t) {
          const Var w = t.input(numbers({4, 6}, 1));
          const Var y = sum(tanh(matmul(t.input(numbers({5, 4}, 4)), w)));
          const Var z = sum(tanh(matmul(t.input(numbers({5, 6}, 3)), reshape(w, {6, 4}))));
          return grad(y + z, Vars{w});
        }) < rounding);
  CHECK(difference([](Tape& t) {
          const Var w = t.input(numbers({16}, 1));
          const Var y = sum(tanh(t.input(numbers({20, 16}, 2)) * w));
          const Var z = sum(tanh(matmul(t.input(numbers({7, 4}, 3)), reshape(w, {4, 4}))));
          return grad(y + z, Vars{w});
        }) < rounding);
}

TEST_CASE("a product that others read by way of a view is not added up in place") {
  const auto product = [](Tape& t, std::int64_t rows, std::int64_t cols, double seed) {
    return matmul(t.input(numbers({rows, 5}, seed)), t.input(numbers({5, cols}, seed + 1)));
  };
  CHECK(difference([&](Tape& t) {
          const Var flat = reshape(product(t, 3, 4, 1), {12});
          const Var sum = reshape(flat, {2, 6}) + product(t, 2, 6, 3) + t.input(numbers({2, 6}, 5));
          return Vars{sum, tanh(flat)};
        }) < rounding);
  CHECK(difference([&](Tape& t) {
          const Var flat = reshape(product(t, 3, 4, 1), {12});
          return Vars{flat, reshape(flat, {2, 6}) + product(t, 2, 6, 3) + t.input(numbers({2, 6}, 5))};
        }) < rounding);
  CHECK(difference([&](Tape& t) {
          const Var wide = broadcast_to(product(t, 3, 1, 1), {3, 2});
          return Vars{wide + wide};
        }) < rounding);
}

TEST_CASE("rows of a table that are joined to longer rows") {
  CHECK(difference([](Tape& t) {
          const Var table = t.input(numbers({3, 4}, 1));
          const Var x = take_rows(table, t.tokens({8, 2}, {0, 1, 2, 0, 1, 2, 0, 1, 2, 2, 1, 0, 1, 1, 0, 2}));
          const Var w = t.input(numbers({8, 5}, 2));
          return grad(sum(tanh(matmul(reshape(x, {8, 8}), w))), Vars{table, w});
        }) < rounding);
}

TEST_CASE("two tables of different sizes with one index") {
  CHECK(difference([](Tape& t) {
          const Var p = t.input(numbers({3, 4}, 1)), q = t.input(numbers({5, 6}, 9));
          const Var i = t.tokens({12}, {0, 1, 2, 0, 1, 2, 0, 1, 2, 2, 1, 0});
          const Var w = t.input(numbers({4, 5}, 2)), u = t.input(numbers({6, 5}, 3));
          const Var from_p = matmul(take_rows(p, i), w), from_q = matmul(take_rows(q, i), u);
          return grad(sum(tanh(from_p + from_q)), Vars{p, q, w, u});
        }) < rounding);
}

TEST_CASE("one table that rows are taken from in two shapes") {
  CHECK(difference([](Tape& t) {
          const Var table = tanh(t.input(numbers({2, 5}, 1)));
          const Var x = take_rows(table, t.tokens({3}, {0, 1, 1}));
          const Var y = take_rows(reshape(table, {5, 2}), t.tokens({4}, {4, 0, 3, 1}));
          return grad(sum(tanh(x)) + sum(tanh(y)), Vars{table});
        }) < rounding);
}

TEST_CASE("operands of one step that have to be copied") {
  CHECK(difference([](Tape& t) {
          const Var x = reshape(slice(t.input(numbers({3, 4}, 1)), 1, 0, 2), {6});
          const Var y = reshape(slice(t.input(numbers({2, 5}, 2)), 1, 1, 4), {6});
          return Vars{x * y * tanh(x), y * x, y - x};
        }) < rounding);
}

TEST_CASE("rows longer than a tile, and numbers made of one element of each") {
  for (const std::int64_t cols : {1024, 1025, 4100})
    CHECK(difference([&](Tape& t) {
            const Var one = t.input(numbers({3, 1}, 1)), x = t.input(numbers({3, cols}, 2));
            const Var scale = tanh(one) * one;
            const Var y = x * scale + sigmoid(scale);
            Vars all = grad(sum(tanh(y)), Vars{one, x});
            all.push_back(y), all.push_back(scale);
            return all;
          }) < rounding);
}

TEST_CASE("clusters whose folds do not agree leave those of others alone") {
  const auto record = [](Tape& t) {
    Vars all{layer_norm(t.input(numbers({4, 8}, 1)))};
    for (int i = 0; i < 12; ++i) {
      const Var h = tanh(t.input(numbers({4, 8}, 2 * i + 2)));
      all.push_back(h * tanh(sum(h * h, {1}, true)));
      all.push_back(sum(reshape(h, {2, 16}), {1}, true));
    }
    return all;
  };
  CHECK(difference(record) < rounding);
  Tape tape;
  CHECK(tape.plan_text(record(tape)).find("tiles     [32] sum div sub square sum div add rsqrt mul -> 1") !=
        std::string::npos);
}

TEST_CASE("rows of many lengths in one step: slices, joins, and what others read of them") {
  for (const std::int64_t n : {1, 3, 16, 700, 2000})
    for (const char* passes : {"", "-place", "-sink"})
      CHECK(difference(
                [&](Tape& t) {
                  const Var x = t.input(numbers({5, 2 * n}, 1)), w = t.input(numbers({n, 3}, 2));
                  const Var u = layer_norm(tanh(x), 1, t.input(numbers({2 * n}, 3)));
                  const Var a = slice(u, 1, 0, n), b = slice(u, 1, n, 2 * n);
                  const Var c = sigmoid(a) * b, mean_of_c = mean(c, {1}, true);
                  const Var joined = concat({c, a - mean_of_c, tanh(mean_of_c), c, exp(b)}, 1);
                  const Var part = tanh(slice(joined, 1, n / 2, n / 2 + n));
                  const Var again = concat({part, concat({b * b, part}, 1) * 2}, 1);
                  Vars all = grad(sum(tanh(joined)) + sum(matmul(c, w)) + sum(again * again), Vars{x, w});
                  for (const Var& v : {joined, part, again, mean_of_c, square(again)}) all.push_back(v);
                  return all;
                },
                passes) < rounding);
}

TEST_CASE("cheap results that are read again much later, one made of another") {
  CHECK(difference([](Tape& t) {
          const Var w = tanh(t.input(numbers({8, 8}, 1)));
          const auto long_way = [&](Var x) {
            for (int i = 0; i < 20; ++i) x = 0.5 * matmul(x, w);
            return x;
          };
          const Var a = matmul(t.input(numbers({4, 8}, 2)), w), b = matmul(t.input(numbers({4, 8}, 3)), w);
          const Var first = a * b, c = long_way(tanh(first));
          const Var second = first * c, d = long_way(tanh(second));
          return Vars{second * d + a + b + c};
        }) < rounding);
}

namespace {

constexpr OpDef add3_op{.name = "add3",
                        .arity = 3,
                        .kind = Kind::elementwise,
                        .shape = shapes::same,
                        .eval = map([](auto x, auto y, auto z) { return x + y + z; }),
                        .sums = true};

constexpr OpDef total_op{.name = "total",
                         .arity = OpDef::variadic,
                         .kind = Kind::elementwise,
                         .shape = shapes::same,
                         .eval = eval_of([]<class T>(const Args<T>& a) {
                           for (std::int64_t i = 0; i < a.size(); ++i) {
                             a.out[i] = 0;
                             for (const T* x : a.in) a.out[i] += x[i];
                           }
                         })};

}  // namespace

TEST_CASE("a user's sum of three operands") {
  CHECK(difference([](Tape& t) {
          const Var x = t.input(numbers({4, 3}, 1)), w = t.input(numbers({3, 4}, 2)),
                    a = t.input(numbers({4, 4}, 3));
          return Vars{record(add3_op, {matmul(x, w), tanh(a), matmul(tanh(x), w)}) + a};
        }) < rounding);
}

TEST_CASE("clusters that differ in how many operands each op of a user's takes") {
  CHECK(difference([](Tape& t) {
          Vars x;
          for (int i = 0; i < 10; ++i) x.push_back(t.input(numbers({4, 8}, i)));
          return Vars{record(total_op, {x[0], x[1]}) * record(total_op, {x[2], x[3], x[4]}),
                      record(total_op, {x[5], x[6], x[7]}) * record(total_op, {x[8], x[9]})};
        }) < rounding);
}
