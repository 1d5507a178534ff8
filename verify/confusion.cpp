#include <spool/graph/error.hpp>
#include <spool/verify/confusion.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace spool {

Confusion::Confusion(std::int64_t classes) : classes_(classes) {
  if (classes < 1) throw ShapeError(fmt::format("Confusion: needs at least 1 class, not {}", classes));
  counts_.resize(static_cast<std::size_t>(classes * classes));
}

void Confusion::add(int actual, int predicted) {
  for (const int c : {actual, predicted})
    if (c < 0 || c >= classes_)
      throw ShapeError(fmt::format("Confusion: class {} is outside 0..{}", c, classes_ - 1));
  ++counts_[static_cast<std::size_t>(actual * classes_ + predicted)];
  ++total_;
}

std::int64_t Confusion::examples_of(std::int64_t actual) const {
  std::int64_t sum = 0;
  for (std::int64_t c = 0; c < classes_; ++c) sum += counts_[static_cast<std::size_t>(actual * classes_ + c)];
  return sum;
}

double Confusion::accuracy() const {
  std::int64_t right = 0;
  for (std::int64_t c = 0; c < classes_; ++c) right += counts_[static_cast<std::size_t>(c * (classes_ + 1))];
  return total_ == 0 ? 0 : static_cast<double>(right) / static_cast<double>(total_);
}

double Confusion::balanced_accuracy() const {
  const Tensor all = shares();
  double sum = 0, present = 0;
  for (std::int64_t c = 0; c < classes_; ++c) {
    sum += all.at(static_cast<std::size_t>(c * (classes_ + 1)));
    present += examples_of(c) > 0;
  }
  return present == 0 ? 0 : sum / present;
}

double Confusion::most_frequent() const {
  std::int64_t most = 0;
  for (std::int64_t c = 0; c < classes_; ++c) most = std::max(most, examples_of(c));
  return total_ == 0 ? 0 : static_cast<double>(most) / static_cast<double>(total_);
}

Tensor Confusion::shares() const {
  Tensor all({classes_, classes_}, DType::f64);
  for (std::size_t i = 0; i < counts_.size(); ++i)
    if (const auto examples = examples_of(static_cast<std::int64_t>(i) / classes_); examples > 0)
      all.set(i, static_cast<double>(counts_[i]) / static_cast<double>(examples));
  return all;
}

}  // namespace spool
