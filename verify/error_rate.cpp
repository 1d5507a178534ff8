#include <spool/verify/error_rate.hpp>

#include <limits>
#include <tuple>

namespace spool {

namespace detail {

Edits count_edits(std::size_t hypothesis, std::size_t reference,
                  const std::function<bool(std::size_t, std::size_t)>& equal) {
  const auto better = [](const Edits& a, const Edits& b) {
    return std::tuple(a.total(), -a.substitutions) < std::tuple(b.total(), -b.substitutions);
  };
  std::vector<Edits> row(hypothesis + 1), last(hypothesis + 1);  // of the first j symbols of the reference
  for (std::size_t i = 1; i <= hypothesis; ++i) row[i].insertions = static_cast<std::int64_t>(i);
  for (std::size_t j = 1; j <= reference; ++j) {
    std::swap(row, last);
    row[0] = last[0];
    ++row[0].deletions;
    for (std::size_t i = 1; i <= hypothesis; ++i) {
      Edits best = last[i - 1], deleted = last[i], inserted = row[i - 1];
      best.substitutions += equal(i - 1, j - 1) ? 0 : 1;
      ++deleted.deletions;
      ++inserted.insertions;
      if (better(deleted, best)) best = deleted;
      if (better(inserted, best)) best = inserted;
      row[i] = best;
    }
  }
  return row[hypothesis];
}

}  // namespace detail

void ErrorRate::add(const Edits& e, std::size_t reference_length) {
  edits_.substitutions += e.substitutions;
  edits_.deletions += e.deletions;
  edits_.insertions += e.insertions;
  symbols_ += static_cast<std::int64_t>(reference_length);
  ++sequences_;
  wrong_ += e.total() > 0 ? 1 : 0;
}

double ErrorRate::rate() const {
  if (edits_.total() == 0) return 0;
  if (symbols_ == 0) return std::numeric_limits<double>::infinity();
  return static_cast<double>(edits_.total()) / static_cast<double>(symbols_);
}

double ErrorRate::sequence_rate() const {
  return sequences_ == 0 ? 0 : static_cast<double>(wrong_) / static_cast<double>(sequences_);
}

}  // namespace spool
