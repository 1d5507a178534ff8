// The matrices that rows are multiplied by: which are packed first, and where.
#pragma once

#include <spool/graph/plan/draft.hpp>

#include <functional>

namespace spool::plan {

/// A matrix that rows are multiplied by, and when.
struct Right {
  Id product;     ///< the first one
  Layout layout;  ///< of its storage
  bool transposed;
  std::int64_t k, n, rows = 0;  ///< rows of all products
  std::uint32_t first, last;    ///< units
  std::int64_t at = -1;         ///< in the packed storage; -1: read as it lies
  bool stays = true, done = false;
};

/// Those of all products of a draft whose units are in order.
class Rights {
 public:
  /// `stored` says where a layout's elements lie in the storage that holds them.
  void find(const Draft& d, const std::function<Layout(const Layout&)>& stored);
  Right& of(std::size_t unit) { return rights_[right_of_[unit]]; }
  /// Elements of all that is packed.
  std::int64_t packed_size() const { return packed_; }

 private:
  template <class T>
  void place(const Draft& d);

  std::vector<Right> rights_;
  std::vector<std::uint32_t> right_of_;  // by unit
  std::int64_t packed_ = 0;
};

}  // namespace spool::plan
