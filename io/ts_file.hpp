// Sets of time series with classes, in the format of the UEA and UCR archives (.ts, as sktime and aeon
// describe it): plain or gzip-compressed, several channels, series of different lengths. Not here: time
// stamps, missing values, targets that are numbers.
#pragma once

#include <spool/graph/tensor.hpp>

#include <string>
#include <vector>

namespace spool {

struct ClassifiedSeries {
  std::vector<Tensor> series = {};            ///< [T_i,D] f32 each
  std::vector<int> classes = {};              ///< of each, by its position in class_names
  std::vector<std::string> class_names = {};  ///< as the file lists them
};

/// Throws FileError "path: what is wrong", with the line: what read_text throws, no @classLabel with its
/// names, no @data or no series after it, a class that is not listed, channels of different lengths within a
/// series or another number of them than in the first, and what is no finite number.
ClassifiedSeries read_ts(const std::string& path);

}  // namespace spool
