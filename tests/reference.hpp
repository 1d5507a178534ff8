// Reference values made by other programs, kept outside this project as JSON under $SPOOL_DATA (by default
// ../shared/data). A place in a file is a path such as "grads/weight_ih_l0" or "outputs/0". Where there are
// no such files, the test says so and passes. The project's own in tests/golden are always there.
#pragma once

#include <spool/graph/tensor.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

/// The file of the reference data with this path ("ref_torch/conv1d.json"), read as text; empty, with a
/// printed reason, where it is absent.
std::optional<std::string> reference_text(std::string_view file);

class Reference {
 public:
  /// Reads a file; empty, with a printed reason, where it is absent.
  static std::optional<Reference> open(std::string_view file);
  /// Reads one of the project's own, tests/golden/FILE, which must be there.
  static Reference golden(std::string_view file);
  /// A file with one JSON value a line; none, with a printed reason, where it is absent.
  static std::vector<Reference> open_lines(std::string_view file);

  bool has(std::string_view path) const;  ///< Whether there is something else than null.
  /// {shape, data}, nested lists of numbers of one length each, or a number (shape []); in f64.
  spool::Tensor tensor(std::string_view path) const;
  double number(std::string_view path) const;
  bool flag(std::string_view path) const;
  std::string text(std::string_view path) const;
  std::vector<int> integers(std::string_view path) const;  ///< A list, or a tensor's elements.
  std::vector<std::string> keys(std::string_view path) const;
  const boost::json::value& at(std::string_view path) const;  ///< Throws std::runtime_error naming the path.

 private:
  std::string file_;
  boost::json::value root_;
};

/// Checks (as an assertion of the running test) that shapes are equal and elements agree to a relative error,
/// an element counting as at least `floor` times the largest of `want`. Returns the largest such error.
double check_close(const std::string& what, const spool::Tensor& got, const spool::Tensor& want,
                   double relative = 1e-9, double floor = 1e-3);
/// The same to an absolute error: for files that hold a fixed number of decimals.
double check_near(const std::string& what, const spool::Tensor& got, const spool::Tensor& want,
                  double absolute);
