// Confusion: which class is taken for which, and the accuracies that follow.
#pragma once

#include <spool/graph/tensor.hpp>

#include <cstdint>
#include <vector>

namespace spool {

class Confusion {
 public:
  /// ShapeError for less than one class.
  explicit Confusion(std::int64_t classes);

  /// One more example that is of one class, and was predicted to be of another. ShapeError for a class that
  /// is not there.
  void add(int actual, int predicted);

  std::int64_t count() const { return total_; }  ///< examples in all
  /// The share of examples that are predicted right; 0 of none.
  double accuracy() const;
  /// The mean over classes of the share of their examples that is found (recall); classes without examples
  /// do not count. As scikit-learn's balanced_accuracy_score.
  double balanced_accuracy() const;
  /// The accuracy of always saying the most frequent class; 0 of none.
  double most_frequent() const;
  /// [C,C]: of the examples of a class (row), the share that is taken for each; 0 for a class without any.
  Tensor shares() const;

 private:
  std::int64_t examples_of(std::int64_t actual) const;

  std::int64_t classes_, total_ = 0;
  std::vector<std::int64_t> counts_;  // [C,C]
};

}  // namespace spool
