// Recordings that once led the planner astray, or could: each runs plain and planned, and must agree. Then
// random programs of matrices, with all that can share, overlap and be read twice.
#include <spool/spool.hpp>

#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <random>

#include "catch.hpp"

using namespace spool;

namespace {

Tensor numbers(const Shape& s, double seed) {
  Tensor t(s, DType::f64);
  for (std::size_t i = 0; i < t.size(); ++i) t.set(i, std::sin(seed * 7 + 1.3 * static_cast<double>(i)));
  return t;
}

using Recording = std::function<Vars(Tape&)>;

// Runs a recording plain, and it or what should be equal with the given passes; 0 when all values agree.
double difference(const Recording& record, const char* passes = "", const Recording& equal = {}) {
  Tape plain({.dtype = DType::f64, .plan = "plain"}), planned({.dtype = DType::f64, .plan = passes});
  const Vars expected = record(plain), got = equal ? equal(planned) : record(planned);
  plain.run(expected);
  planned.run(got);
  CHECK(planned.run_stats().fallbacks == 0);
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const auto a = plain.read(expected[i]).doubles(), b = planned.read(got[i]).doubles();
    double scale = 1;
    for (const double v : a) scale = std::max(scale, std::abs(v));
    for (std::size_t k = 0; k < a.size(); ++k)
      if (!(std::abs(a[k] - b[k]) / scale <= worst)) worst = std::abs(a[k] - b[k]) / scale;
  }
  return worst;
}

constexpr double rounding = 1e-12;

}  // namespace

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

TEST_CASE("packed weights are those of the parameter, whatever came before") {
  Tape tape(DType::f64);
  SECTION("parameters that follow each other at one address") {
    for (int i = 0; i < 4; ++i) {
      tape.clear();
      const Tensor w = numbers({8, 8}, i);
      const Param p("w", w);
      const Var y =
          matmul(tape.constant(1, {1, 8}), transpose(tape.param(p)));  // what is transposed is packed
      double expected = 0;
      for (std::size_t k = 0; k < 8; ++k) expected += w.at(k);
      CHECK(tape.read(y).at(0) == Approx(expected));
    }
  }
  SECTION("a run that fails") {
    const Param a("a", numbers({8, 4}, 1)), b("b", numbers({8, 4}, 2));
    const auto first = [&](const Param& p, int index) {
      tape.clear();
      const Var x = take_rows(tape.input(numbers({9, 4}, 3)), tape.tokens({2}, {0, 1}));
      return tape.read(take_rows(matmul(x, transpose(tape.param(p))), tape.tokens({1}, {index}))).at(0);
    };
    const double before = first(a, 0);
    CHECK_THROWS_AS(first(b, 7), TapeError);
    CHECK(first(a, 0) == before);
  }
}

TEST_CASE("a run after one for which there was no memory") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  WARN("skipped: the sanitizers' operator new ends the program instead of throwing");
  return;
#endif
  Tape tape;
  const auto total = [&](std::int64_t n) {
    tape.clear();
    const Var x = tape.input(Tensor({2, 1}, {1, 2}));
    return tape.value(sum(flip(tanh(broadcast_to(x, {2, n})), 0)));
  };
  const double before = total(50);
  CHECK_THROWS_AS(total(std::int64_t{1} << 43), TapeError);
  CHECK(total(50) == before);
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

// A program of matrices drawn by seed: its loss, gradients, and some of its values. With checkpoints, some of
// its steps lie in them, and those in others; what comes later also reads what lies inside of them.
class Program {
 public:
  Program(Tape& t, std::uint32_t seed, bool checkpoints = false)
      : t_(t), random_(seed * 77 + 5), segments_(seed), checkpoints_(checkpoints) {
    for (int i = 0; i < 4; ++i) values_.push_back(fresh({1 + below(6), 1 + below(6)}));
    run(8 + static_cast<int>(below(16)));
  }

  Vars wanted() {
    Var loss = sum(tanh(values_.back()));
    for (int i = 0; i < 3; ++i) loss = loss + mean(tanh(pick()));
    Vars all = grad(loss, leaves_);
    all.push_back(loss);
    for (int i = 0; i < 4; ++i) all.push_back(pick());
    return all;
  }

 private:
  std::int64_t below(std::int64_t n) { return static_cast<std::int64_t>(random_()) % n; }
  Var pick() { return values_[static_cast<std::size_t>(below(static_cast<std::int64_t>(values_.size())))]; }
  Var fresh(const Shape& s) {
    leaves_.push_back(t_.input(numbers(s, static_cast<double>(leaves_.size()))));
    return leaves_.back();
  }
  // A value that fits, or one made for it.
  Var like(const std::function<bool(const Shape&)>& fits, const Shape& otherwise) {
    for (int i = 0; i < 12; ++i) {
      Var v = pick();
      if (below(3) == 0) v = transpose(v);
      if (fits(v.shape())) return v;
    }
    return fresh(otherwise);
  }

  void run(int steps) {
    while (steps > 0) {
      const int inside = checkpoints_ && segments_() % 3 == 0 ? static_cast<int>(segments_() % 6) : 0;
      const auto some = [&](Var a) {
        values_.push_back(step(a));
        run(std::min(inside, steps) - 1);
        return values_.back();
      };
      const Var a = pick();
      inside > 0 ? checkpoint(some, a) : some(a);
      steps -= std::max(1, std::min(inside, steps));
    }
  }

  Var step(Var a) {
    const std::int64_t m = a.shape()[0], n = a.shape()[1];
    const std::int64_t i = below(m), j = below(n);
    switch (below(22)) {
      case 0:
        return tanh(a);
      case 1:
        return sigmoid(a) * a;
      case 2:
      case 3:
        return 0.5 * matmul(a, like([&](const Shape& s) { return s[0] == n; }, {n, 1 + below(6)}));
      case 4: {  // gates: products added to parts of one value
        const Var u = tanh(concat({a, a * 0.5}, static_cast<int>(below(2))));
        const Var w = fresh({3, u.shape()[1]});
        const std::int64_t half = (u.shape()[0] + 1) / 2;
        values_.push_back(matmul(fresh({half, 3}), w) + slice(u, 0, 0, half));
        return half < u.shape()[0]
                   ? matmul(fresh({u.shape()[0] - half, 3}), w) + slice(u, 0, half, u.shape()[0])
                   : u;
      }
      case 5:
        return a + like([&](const Shape& s) { return s == a.shape(); }, a.shape());
      case 6:
        return slice(a, 0, i, i + 1 + below(m - i));
      case 7:
        return slice(a, 1, j, j + 1 + below(n - j));
      case 8:
        return m > 8 ? a
                     : concat({a, like([&](const Shape& s) { return s[1] == n && s[0] < 5; }, {2, n})}, 0);
      case 9:
        return n > 8 ? a : concat({slice(a, 1, j, n), a}, 1);
      case 10:
        return transpose(a);
      case 11:
        return reshape(a, {n, m});
      case 12: {
        std::vector<int> rows(static_cast<std::size_t>(2 + below(12)));
        for (int& r : rows) r = static_cast<int>(below(m));
        return take_rows(a, t_.tokens({static_cast<std::int64_t>(rows.size())}, rows));
      }
      case 13:
        return a - mean(a, {1}, true);
      case 14:
        return layer_norm(a, 1, fresh({n}), fresh({n}));
      case 15: {  // one number of each row, which others may read
        values_.push_back(tanh(sum(a * a, {1}, true)) + 0.5);
        return a * values_.back() * sigmoid(values_.back());
      }
      case 16:
        return exp(a - max(a, {1}, true)) / sum(exp(a - max(a, {1}, true)), {1}, true);
      case 17:  // rows of other lengths
        return tanh(sum(a, {1}, true)) * like([&](const Shape& s) { return s[0] == m; }, {m, 1 + below(6)});
      case 18:
        return sum(a, {1}, true) * sum(tanh(a), {0}, true);
      case 19: {  // gates
        const Var u = a * tanh(a), part = sigmoid(slice(u, 1, 0, j + 1)) * 0.5;
        const Var joined = concat({part, tanh(slice(u, 1, j, n)), part}, 1);
        if (below(2) == 0) values_.push_back(part);
        return n > 12 ? part : joined;
      }
      case 20:
        return n > 12 ? a : concat({tanh(a), a * mean(a, {1}, true), sum(a, {1}, true) * 2}, 1);
      default:
        return a + slice(a, 0, 0, 1);
    }
  }

  Tape& t_;
  std::mt19937 random_, segments_;
  bool checkpoints_;
  Vars values_, leaves_;
};

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

TEST_CASE("random programs of matrices run the same planned and plain") {
  for (std::uint32_t seed = 0; seed < 400; ++seed)
    for (const char* passes : {"", "-select", "-place", "-sums,-fuse"}) {
      if (seed % 4 != 0 && *passes != '\0') continue;
      INFO("seed " << seed << ", passes " << passes);
      CHECK(difference([&](Tape& t) { return Program(t, seed).wanted(); }, passes) < 1e-9);
    }
}

TEST_CASE("random programs in random checkpoints run the same planned as without them plain") {
  for (std::uint32_t seed = 0; seed < 400; ++seed)
    for (const char* passes : {"", "plain", "-select", "-place", "-group", "-sums,-fuse", "-sink"}) {
      if (seed % 4 != 0 && *passes != '\0') continue;
      INFO("seed " << seed << ", passes " << passes);
      CHECK(difference([&](Tape& t) { return Program(t, seed).wanted(); }, passes,
                       [&](Tape& t) { return Program(t, seed, true).wanted(); }) < 1e-9);
    }
}
