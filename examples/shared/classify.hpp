// What programs share that tell to which class an example belongs: how they are
// trained and judged, two baselines, and how the result is shown. It is no part of the library.
#pragma once

#include "program.hpp"

#include <spool/spool.hpp>

#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace examples {

/// The scores of the classes [B,C] of chosen examples.
using Scores = std::function<spool::Var(spool::Tape&, std::span<const std::size_t> chosen, bool training)>;

/// Examples by their position.
struct Classes {
  std::vector<std::string> names;     ///< of the classes
  std::vector<int> of;                ///< the class of each example
  std::vector<std::int64_t> lengths;  ///< of each example: those of about one length come together
  spool::Split split;
};

struct Judged {
  double loss = 0;  ///< mean cross entropy
  spool::Confusion confusion;
};
Judged judge(const Classes& all, std::span<const std::size_t> part, const Scores& scores);

struct ClassifyOptions {
  bool balanced = false;  ///< each example counts by 1 / sqrt(examples of its class), and the balanced
                          ///< accuracy decides which epoch is best
  bool by_loss = false;   ///< the loss decides: for validation parts so small that accuracies are often equal
  Step learnt = {};       ///< the loss of examples, in place of the cross entropy of their classes
};
/// Trains on the training part by cross entropy; the epoch of the best accuracy on the validation part is
/// kept, the first of equals. Gives the exit code.
int fit_classes(const Program& program, const spool::Params& params, const Classes& all, const Scores& scores,
                const ClassifyOptions& options = {});

/// A table of the accuracies on the test part, `model` first, and a row for always saying the most frequent
/// class; "confusion.svg" shows which class the model takes for which.
struct Candidate {
  std::string name;
  Scores scores;
};
void report_classes(const Program& program, const Classes& all, const std::vector<Candidate>& candidates);

/// The picture alone, whose name is printed.
void write_confusion(const Program& program, const spool::Confusion& confusion,
                     const std::vector<std::string>& names);

/// The verb that classifies: a line for each of the words after it with its likeliest classes, "text: name
/// 0.91 other 0.05  third 0.02", by scores [1,C]. Their names are the model's fact "classes". Gives the exit
/// code.
int print_likeliest(const Program& program,
                    const std::function<spool::Var(spool::Tape&, const std::string& word)>& scores);

/// A baseline: logistic regression on the features that an example has (its words, its n-grams), in any
/// order. Trained when it is made; features that are not in the training part do not count.
class Bags {
 public:
  Bags(const std::vector<std::vector<std::string>>& features, const Classes& all,
       const ClassifyOptions& options = {});
  Scores scores() const;  ///< for as long as this lives

 private:
  Bags(std::pair<std::vector<std::vector<int>>, std::int64_t> numbered, const Classes& all,
       const ClassifyOptions& options);

  std::vector<std::vector<int>> numbers_;  // of each example's features; 0 is padding
  spool::Embedding weights_;               // of each feature, for each class
  spool::Param bias_;
};

/// Another: logistic regression on the mean row of each sequence [T,D], each number standardised.
class Means {
 public:
  Means(const std::vector<spool::Tensor>& rows, const Classes& all, const ClassifyOptions& options = {});
  Scores scores() const;  ///< for as long as this lives

 private:
  spool::Tensor means_;  // [N,D], standardised
  spool::Linear head_;
};

}  // namespace examples
