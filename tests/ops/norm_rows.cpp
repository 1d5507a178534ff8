// Rows of ops/norm.
#include "op_table.hpp"

#include <cmath>

namespace spool::test {

namespace {

// Normalises groups of elements: element i belongs to group(i).
template <class Group>
std::vector<double> normalised(const Tensor& x, double eps, Group group) {
  struct Sum {
    double n = 0, x = 0, squares = 0;
  };
  std::vector<Sum> sums(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    Sum& s = sums[group(i)];
    s.n += 1, s.x += x.at(i);
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    Sum& s = sums[group(i)];
    s.squares += std::pow(x.at(i) - s.x / s.n, 2);
  }
  std::vector<double> y;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Sum& s = sums[group(i)];
    y.push_back((x.at(i) - s.x / s.n) / std::sqrt(s.squares / s.n + eps));
  }
  return y;
}

// [B,C,L]: the channel of element i.
auto channel_of(const Shape& s) {
  return [=](std::size_t i) {
    return i / static_cast<std::size_t>(s.size() / (s[0] * s[1])) % static_cast<std::size_t>(s[1]);
  };
}

}  // namespace

std::vector<OpRow> norm_rows() {
  return {
      {.name = "layer_norm",
       .f = [](Tape&, const Vars& in) { return layer_norm(in[0], 2, in[1], in[2], 0.1); },
       .samples = {{{real({2, 2, 3}), real({2, 3}), real({2, 3})}},
                   {{real({1, 3}), real({1, 3}), real({1, 3})}},
                   {{real({0, 1, 3}), real({1, 3}), real({1, 3})}}},
       .reference =
           [](const std::vector<Tensor>& in) {
             const std::size_t n = in[1].size();
             std::vector<double> y = normalised(in[0], 0.1, [=](std::size_t i) { return i / n; });
             for (std::size_t i = 0; i < y.size(); ++i) y[i] = y[i] * in[1].at(i % n) + in[2].at(i % n);
             return y;
           },
       .errors = {error(
                      [](Tape& t) {
                        layer_norm(t.input(Tensor({2, 3})), 3);
                      },
                      "layer_norm: there are no last 3 axes in an array of rank 2\n  a  input  [2, 3]"),
                  error(
                      [](Tape& t) {
                        layer_norm(t.input(Tensor({2, 3})), 0);
                      },
                      "layer_norm: there are no last 0 axes in an array of rank 2\n  a  input  [2, 3]"),
                  error(
                      [](Tape& t) {
                        layer_norm(t.input(Tensor({2, 3}), "x"), 1, t.input(Tensor({2}), "w"));
                      },
                      "layer_norm: the weight must be of shape [3]\n  a  input \"x\"  [2, 3]\n"
                      "  b  input \"w\"  [2]")}},
      {.name = "group_norm",
       .f = [](Tape&, const Vars& in) { return group_norm(in[0], 2, in[1], in[2], 0.1); },
       .samples = {{{real({2, 4, 3}), real({4}), real({4})}},
                   {{real({2, 2, 2, 2}), real({2}), real({2})}},
                   {{real({3, 4}), real({4}), real({4})}},
                   {{real({0, 2, 3}), real({2}), real({2})}}},
       .reference =
           [](const std::vector<Tensor>& in) {
             const auto channel = channel_of(in[0].shape());
             const auto group = static_cast<std::size_t>(in[0].shape().without(0).size() / 2);
             std::vector<double> y = normalised(in[0], 0.1, [=](std::size_t i) { return i / group; });
             for (std::size_t i = 0; i < y.size(); ++i)
               y[i] = y[i] * in[1].at(channel(i)) + in[2].at(channel(i));
             return y;
           },
       .errors = {error([](Tape& t) { group_norm(t.input(Tensor({3})), 1); },
                        "group_norm: needs x [B, C, ...]\n  a  input  [3]"),
                  error(
                      [](Tape& t) {
                        group_norm(t.input(Tensor({2, 4})), 3);
                      },
                      "group_norm: 4 channels can't be divided into 3 groups\n  a  input  [2, 4]"),
                  error(
                      [](Tape& t) {
                        group_norm(t.input(Tensor({2, 4})), 0);
                      },
                      "group_norm: 4 channels can't be divided into 0 groups\n  a  input  [2, 4]"),
                  error(
                      [](Tape& t) {
                        group_norm(t.input(Tensor({2, 4}), "x"), 2, 1, t.input(Tensor({2}), "b"));
                      },
                      "group_norm: the bias must be of shape [4]\n  a  input \"x\"  [2, 4]\n"
                      "  b  input \"b\"  [2]")}},
      {.name = "batch_norm in training",
       .f = [](Tape&, const Vars& in) { return batch_norm(in[0], in[1], in[2], 0.1).y; },
       .samples = {{{real({2, 2, 3}), real({2}), real({2})}},
                   {{real({4, 1}), real({1}), real({1})}},
                   {{real({3, 0}), real({0}), real({0})}}},
       .reference =
           [](const std::vector<Tensor>& in) {
             const auto channel = channel_of(in[0].shape());
             std::vector<double> y = normalised(in[0], 0.1, channel);
             for (std::size_t i = 0; i < y.size(); ++i)
               y[i] = y[i] * in[1].at(channel(i)) + in[2].at(channel(i));
             return y;
           },
       .errors =
           {error([](Tape& t) { batch_norm(t.input(Tensor({3}))); },
                  "batch_norm: needs x [B, C, ...]\n  a  input  [3]"),
            error(
                [](Tape& t) {
                  batch_norm(t.input(Tensor({1, 3})));
                },
                "batch_norm: training needs at least two elements in each channel\n  a  input  [1, 3]")}},
      {.name = "batch_norm's mean",
       .f = [](Tape&, const Vars& in) { return batch_norm(in[0]).batch.mean; },
       .samples = {{{values({2, 2}, {1, 2, 5, 4})}, {3, 3}}, {{real({2, 0, 3})}}}},
      {.name = "batch_norm's variance",
       .f = [](Tape&, const Vars& in) { return batch_norm(in[0]).batch.variance; },
       .samples = {{{values({2, 2}, {1, 2, 5, 4})}, {8, 2}}, {{real({2, 0, 3})}}}},
      {.name = "batch_norm in use",
       .f =
           [](Tape&, const Vars& in) {
             return batch_norm(in[0], {in[1], in[2]}, in[3], 0.5, 1);
           },
       .samples = {{{values({2, 1}, {1, 5}), values({1}, {3}), values({1}, {3}), values({1}, {7})},
                    {-6.5, 7.5}},
                   {{real({2, 2, 2}), real({2}), real({2}, 1, 3), real({2})}},
                   {{real({0, 2}), real({2}), real({2}, 1, 3), real({2})}}},
       .errors = {error(
           [](Tape& t) {
             const Var x = t.input(Tensor({2, 3}));
             batch_norm(x, {t.input(Tensor({3})), t.input(Tensor({2}))});
           },
           "batch_norm: statistics must be of shape [3]\n  a  input  [2, 3]\n  b  input  [2]")}},
  };
}

}  // namespace spool::test
