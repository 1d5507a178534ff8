// What programs share that tell the class of a series of rows: of sound, of a movement, of a picture read row
// by row. It is no part of the library.
#pragma once

#include "classify.hpp"

#include <spool/spool.hpp>

#include <functional>
#include <string>
#include <vector>

namespace examples {

struct Series {
  std::vector<spool::Tensor> rows = {};  ///< [T_i,D...] each
  Classes classes = {};                  ///< of each; its lengths are the T_i

  /// One more, in one of the parts of classes.split.
  void add(const spool::Tensor& row, int label, std::vector<std::size_t>& part);
  /// FileError, with the name of what was read, when a part is empty or a class is not among classes.names.
  void check(const std::string& origin) const;
};

/// The class that a number in a file stands for. FileError when it is not a whole one of 0 to classes - 1.
int class_of(double number, std::size_t classes, const std::string& origin);

/// The scores of padded series: of each one [B,C], or of each row [T,B,C].
using SeriesScores = std::function<spool::Var(spool::Tape&, const spool::PaddedRows&, bool training)>;

/// The chosen ones side by side. Few shapes mean few plans, so that T is rounded up to a multiple of 16,
/// unless all have one length.
spool::PaddedRows padded(const Series& all, std::span<const std::size_t> chosen);

/// Pictures as SVG: pictures of pixels [T,H,W] beside each other; places one after the other [T,2], x and y,
/// which grows downwards, the first of them marked; and the probability of each class after each frame [C,T],
/// from 0 to 1, under a picture of the frames.
std::string pictures_in_row(const spool::Tensor& pictures);
std::string track_chart(const spool::Tensor& places, const std::string& title);
std::string above_probabilities(const std::string& frames, const spool::Tensor& probabilities,
                                const std::vector<std::string>& names, spool::HeatMapOptions options);

/// A set of the UEA and UCR archives: PREFIX_TRAIN.ts.gz, a sixth of which validates, and PREFIX_TEST.ts.gz.
/// Errors of read_ts; FileError when the two have other classes or channels.
Series read_archive(const std::string& prefix);

/// The verbs `train`, where the validation loss decides which epoch is best, and `eval` (see fit_classes,
/// report_classes). The baseline is logistic regression on all numbers of a series, or on its mean row where
/// lengths differ. Gives the exit code.
int classify_series(const Program& program, const Series& all, const spool::Params& params,
                    const SeriesScores& model);

/// A series [T,D] as a CSV file without a header, a row on each line. FileError where it has not D columns.
spool::Tensor read_rows(const std::string& path, std::int64_t D);
void write_rows(const std::string& path, const spool::Tensor& rows);

}  // namespace examples
