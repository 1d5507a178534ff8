// How the example programs judge classes, and their baselines: what they learn, and that nothing of the test
// part is learnt from.
#include <spool/spool.hpp>

#include <cmath>

#include "../../examples/shared/classify.hpp"
#include "../catch.hpp"

using namespace examples;
using spool::Tape, spool::Tensor;

namespace {

using Features = std::vector<std::vector<std::string>>;

// The first examples train, then come those to validate and to test: as many each.
Classes classes_of(std::vector<int> of, std::size_t train, std::size_t others) {
  Classes all{.names = {"a", "b", "c"}, .of = std::move(of), .lengths = {}, .split = {}};
  all.lengths.assign(all.of.size(), 1);
  for (std::size_t i = 0; i < all.of.size(); ++i)
    (i < train ? all.split.train : i < train + others ? all.split.validation : all.split.test).push_back(i);
  return all;
}

std::vector<double> scores_of(const Scores& scores, std::vector<std::size_t> chosen) {
  Tape tape;
  return tape.read(scores(tape, chosen, /*training=*/false)).doubles();
}

// Classes by one word each, among others that say nothing.
struct Reviews {
  Reviews() {
    spool::Philox random(1);
    std::vector<int> of;
    for (int i = 0; i < 120; ++i) {
      features.push_back(
          {"the", noise(random), std::string(1, static_cast<char>('x' + i % 3)), noise(random)});
      of.push_back(i % 3);
    }
    classes = classes_of(std::move(of), 60, 30);
  }
  static std::string noise(spool::Philox& random) { return "noise" + std::to_string(random.below(5)); }

  Features features;
  Classes classes;
};

}  // namespace

TEST_CASE("classes are judged by the loss and the accuracy worked by hand") {
  const Classes all = classes_of({0, 1, 2, 1, 0, 2}, 1, 1);  // judged: examples 2 to 5
  const Tensor table({6, 3}, {9, 0, 0, 9, 0, 0, 0, 0, 2, 0, 1, 0, 0, 3, 0, 0, 0, 1});
  const Scores scores = [&](Tape& tape, std::span<const std::size_t> chosen, bool training) {
    CHECK(!training);
    std::vector<int> ids(chosen.begin(), chosen.end());
    return spool::take_rows(tape.input(table), tape.tokens({std::ssize(ids)}, ids));
  };
  const Judged judged = judge(all, all.split.test, scores);
  CHECK(judged.confusion.count() == 4);
  CHECK(judged.confusion.accuracy() == 0.75);  // example 4 is taken for a 1
  CHECK(judged.confusion.shares().doubles() == std::vector<double>{0, 1, 0, 0, 1, 0, 0, 0, 1});
  const auto loss = [](double right, double largest) { return std::log(std::exp(largest) + 2) - right; };
  CHECK(judged.loss == Approx((loss(2, 2) + 2 * loss(1, 1) + loss(0, 3)) / 4));
}

TEST_CASE("a bag of words learns that one word decides") {
  const Reviews reviews;
  const Bags bags(reviews.features, reviews.classes);
  const Judged judged = judge(reviews.classes, reviews.classes.split.test, bags.scores());
  CHECK(judged.confusion.accuracy() == 1);
  CHECK(judged.loss < 0.3);
}

TEST_CASE("a bag of words has no order, and words that were not learnt say nothing") {
  Reviews reviews;
  reviews.features[117] = {"x", "noise1", "the"};
  reviews.features[118] = {"the", "x", "noise1"};
  reviews.features[119] = {"the", "unseen", "x", "noise1", "unseen2"};
  const Bags bags(reviews.features, reviews.classes);
  const auto want = scores_of(bags.scores(), {117});
  for (const std::size_t other : {std::size_t{118}, std::size_t{119}}) {
    const auto got = scores_of(bags.scores(), {other});
    for (std::size_t c = 0; c < 3; ++c) CHECK(got[c] == Approx(want[c]).margin(1e-5));
  }
}

TEST_CASE("a bag of words learns nothing from other parts") {
  Reviews reviews;
  const auto learnt = [&] {
    const Bags bags(reviews.features, reviews.classes);
    return scores_of(bags.scores(), reviews.classes.split.train);
  };
  const auto before = learnt();
  for (std::size_t i = 60; i < 120; ++i) {  // validation and test
    reviews.features[i] = {"z", "unseen" + std::to_string(i)};
    reviews.classes.of[i] = 0;
  }
  CHECK(learnt() == before);
  reviews.features[0] = {"z"};
  CHECK(learnt() != before);
}

TEST_CASE("logistic regression on mean rows learns them, and nothing from other parts") {
  spool::Philox random(1);
  std::vector<Tensor> rows;
  std::vector<int> of;
  for (int i = 0; i < 90; ++i) {
    Tensor& t = rows.emplace_back(spool::Shape{2 + i % 4, 4});
    for (std::size_t k = 0; k < t.size(); ++k)  // three small numbers tell the class, the last is loud
      t.set(k, k % 4 == 3 ? random.uniform(-100, 100)
                          : (static_cast<int>(k % 4) == i % 3 ? 1e-3 : 0) + random.uniform(0, 5e-4));
    of.push_back(i % 3);
  }
  Classes classes = classes_of(of, 60, 15);
  const Means means(rows, classes);
  CHECK(judge(classes, classes.split.test, means.scores()).confusion.accuracy() == 1);
  const auto before = scores_of(means.scores(), classes.split.train);
  for (std::size_t i = 60; i < 90; ++i) rows[i] = Tensor(spool::Shape{1, 4}, {1e6, -1e6, 0, 1});
  CHECK(scores_of(Means(rows, classes).scores(), classes.split.train) == before);
}

TEST_CASE("texts are kept one a line") {
  const std::vector<std::string> lines{"one", "", "two three"};
  CHECK(joined(lines) == "one\n\ntwo three");
  CHECK(lines_of(joined(lines)) == lines);
}
