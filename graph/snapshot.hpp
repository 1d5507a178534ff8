// Snapshot: the state of something that changes while a model trains (weights, an optimiser, a schedule, a
// place in the data), as named tensors, counts, numbers and texts. What has state gives one and takes one
// back; io/checkpoint.hpp writes them to files. It knows neither who made it nor what the names mean.
#pragma once

#include <spool/graph/tensor.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace spool {

struct Snapshot {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::uint64_t> counts;
  std::map<std::string, double> numbers;
  std::map<std::string, std::string> texts;
  std::string origin = "this saved state";  ///< What messages call it; a file's path when it was read.

  /// Adds all of `part`, each name as "prefix.name"; replaces what has the same name already.
  void add(std::string_view prefix, const Snapshot& part);
  /// All that was added under a prefix, without the prefix. Empty when there is nothing.
  Snapshot part(std::string_view prefix) const;

  /// The entry of that name. Throws FileError when there is none.
  const Tensor& tensor(const std::string& name) const;
  std::uint64_t count(const std::string& name) const;
  double number(const std::string& name) const;
  const std::string& text(const std::string& name) const;
};

}  // namespace spool
