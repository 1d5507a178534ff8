#include "series.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace examples {

namespace {

bool one_length(const Series& all) {
  return std::ranges::adjacent_find(all.classes.lengths, std::not_equal_to{}) == all.classes.lengths.end();
}

}  // namespace

void Series::add(const spool::Tensor& row, int label, std::vector<std::size_t>& part) {
  part.push_back(rows.size());
  rows.push_back(row);
  classes.of.push_back(label);
  classes.lengths.push_back(row.shape()[0]);
}

void Series::check(const std::string& origin) const {
  const auto& [train, validation, test] = classes.split;
  if (train.empty() || validation.empty() || test.empty())
    throw spool::FileError(origin + ": too few examples to train on, to validate and to test");
  for (const int c : classes.of) class_of(c, classes.names.size(), origin);
}

int class_of(double number, std::size_t classes, const std::string& origin) {
  if (!(number >= 0 && number < static_cast<double>(classes)) || number != std::floor(number))
    throw spool::FileError(fmt::format("{}: class {} is none of 0 to {}", origin, number, classes - 1));
  return static_cast<int>(number);
}

spool::PaddedRows padded(const Series& all, std::span<const std::size_t> chosen) {
  return spool::pad(all.rows, chosen, {.multiple_of = one_length(all) ? 1 : 16});
}

Series read_archive(const std::string& prefix) {
  const auto train = spool::read_ts(prefix + "_TRAIN.ts.gz"), test = spool::read_ts(prefix + "_TEST.ts.gz");
  if (test.class_names != train.class_names || test.series[0].shape()[1] != train.series[0].shape()[1])
    throw spool::FileError(prefix + "_TEST.ts.gz: has other classes or channels than the training file");
  Series all;
  all.classes.names = train.class_names;
  auto& split = all.classes.split;
  std::vector<std::size_t> in_order;
  for (std::size_t i = 0; i < train.series.size(); ++i) all.add(train.series[i], train.classes[i], in_order);
  split = spool::stratified_split(train.classes, {5.0 / 6, 1.0 / 6, 0}, /*seed=*/1);
  for (std::size_t i = 0; i < test.series.size(); ++i) all.add(test.series[i], test.classes[i], split.test);
  return all;
}

std::string pictures_in_row(const spool::Tensor& pictures) {
  spool::Tape tape;
  std::vector<std::string> all;
  for (std::int64_t t = 0; t < pictures.shape()[0]; ++t)
    all.push_back(spool::image_panel(tape.read(spool::select(tape.input(pictures), 0, t)), {}, 80));
  return spool::panels(all, static_cast<int>(all.size()));
}

std::string track_chart(const spool::Tensor& places, const std::string& title) {
  spool::Series track;
  for (std::size_t i = 0; i < places.size(); i += 2)
    track.x.push_back(places.at(i)), track.y.push_back(-places.at(i + 1));
  return spool::line_chart(std::vector{track}, {.title = title,
                                                .x_label = "to the right",
                                                .y_label = "upwards",
                                                .mark_first = true,
                                                .equal_scales = true});
}

std::string above_probabilities(const std::string& frames, const spool::Tensor& probabilities,
                                const std::vector<std::string>& names, spool::HeatMapOptions options) {
  options.row_labels = names, options.low = 0, options.high = 1, options.upwards = false;
  return spool::panels(std::vector{frames, spool::heat_map(probabilities, options)}, /*columns=*/1);
}

spool::Tensor read_rows(const std::string& path, std::int64_t D) {
  const spool::Csv csv(path, {.header = false});
  if (csv.columns() != D)
    throw spool::FileError(fmt::format("{}: has {} columns, not {}", path, csv.columns(), D));
  return csv.numbers().to(spool::DType::f32);
}

void write_rows(const std::string& path, const spool::Tensor& rows) {
  std::string text;
  const auto D = static_cast<std::size_t>(rows.shape()[1]);
  for (std::size_t i = 0; i < rows.size(); ++i)
    text += fmt::format("{}{}", rows.at(i), i % D + 1 < D ? ',' : '\n');
  spool::write_file(path, text);
}

int classify_series(const Program& program, const Series& all, const spool::Params& params,
                    const SeriesScores& model) {
  const Scores scores = [&](spool::Tape& tape, std::span<const std::size_t> chosen, bool training) {
    return model(tape, padded(all, chosen), training);
  };
  if (program.trains()) return fit_classes(program, params, all.classes, scores, {.by_loss = true});
  program.restore(params);
  std::vector<spool::Tensor> whole;  // each series as rows of numbers, one where all have one length
  for (const spool::Tensor& row : all.rows) {
    const auto size = static_cast<std::int64_t>(row.size());
    const std::int64_t T = one_length(all) ? 1 : row.shape()[0];
    whole.push_back(row.reshaped({T, size / T}));
  }
  const Means means(whole, all.classes);
  report_classes(
      program, all.classes,
      {{program.recipe().cell, scores},
       {one_length(all) ? "logistic regression" : "logistic regression, mean row", means.scores()}});
  return 0;
}

}  // namespace examples
