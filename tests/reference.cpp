#include "reference.hpp"

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <stdexcept>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "catch.hpp"

using spool::Tensor;
namespace json = boost::json;

std::optional<std::string> reference_text(std::string_view file) {
  const char* root = std::getenv("SPOOL_DATA");
  const std::string path = fmt::format("{}/{}", root != nullptr ? root : "../shared/data", file);
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    WARN("skipped: there is no reference file " << path << " (SPOOL_DATA names the directory)");
    return std::nullopt;
  }
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::optional<Reference> Reference::open(std::string_view file) {
  const auto text = reference_text(file);
  if (!text) return std::nullopt;
  Reference r;
  r.file_ = file;
  r.root_ = json::parse(*text);
  return r;
}

Reference Reference::golden(std::string_view file) {
  std::ifstream in(fmt::format("tests/golden/{}", file), std::ios::binary);
  Reference r;
  r.file_ = file;
  r.root_ = json::parse(std::string(std::istreambuf_iterator<char>(in), {}));
  return r;
}

std::vector<Reference> Reference::open_lines(std::string_view file) {
  std::vector<Reference> all;
  std::istringstream lines(reference_text(file).value_or(""));
  for (std::string line; std::getline(lines, line);) {
    Reference& r = all.emplace_back();
    r.file_ = fmt::format("{}:{}", file, all.size());
    r.root_ = json::parse(line);
  }
  return all;
}

namespace {

// The value at a path of member names and list positions; null where there is none.
const json::value* find(const json::value& root, std::string_view path) {
  const json::value* v = &root;
  while (!path.empty()) {
    const std::string_view step = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), step.size() + 1));
    if (const auto* object = v->if_object()) {
      v = object->if_contains(step);
    } else if (const auto* list = v->if_array()) {
      v = list->if_contains(static_cast<std::size_t>(std::stoul(std::string(step))));
    } else {
      v = nullptr;
    }
    if (v == nullptr) return nullptr;
  }
  return v;
}

void append(const json::value& v, std::size_t depth, std::vector<std::int64_t>& shape,
            std::vector<double>& data) {
  const auto* list = v.if_array();
  if (list == nullptr) {
    data.push_back(v.is_bool() ? v.get_bool() : v.to_number<double>());
    return;
  }
  if (depth == shape.size()) shape.push_back(static_cast<std::int64_t>(list->size()));
  for (const json::value& item : *list) append(item, depth + 1, shape, data);
}

}  // namespace

const json::value& Reference::at(std::string_view path) const {
  const json::value* v = find(root_, path);
  if (v == nullptr) throw std::runtime_error(fmt::format("{} has no {}", file_, path));
  return *v;
}

bool Reference::has(std::string_view path) const {
  const json::value* v = find(root_, path);
  return v != nullptr && !v->is_null();
}

Tensor Reference::tensor(std::string_view path) const {
  const json::value& v = at(path);
  std::vector<std::int64_t> shape;
  std::vector<double> data;
  const bool tagged = v.is_object();
  if (tagged)
    for (const json::value& size : v.at("shape").as_array()) shape.push_back(size.to_number<std::int64_t>());
  std::vector<std::int64_t> listed;
  append(tagged ? v.at("data") : v, 0, listed, data);
  return {spool::Shape(tagged ? shape : listed), std::move(data)};
}

double Reference::number(std::string_view path) const { return at(path).to_number<double>(); }
bool Reference::flag(std::string_view path) const { return at(path).as_bool(); }
std::string Reference::text(std::string_view path) const { return std::string(at(path).as_string()); }

std::vector<int> Reference::integers(std::string_view path) const {
  std::vector<int> out;
  for (double v : tensor(path).doubles()) out.push_back(static_cast<int>(v));
  return out;
}

std::vector<std::string> Reference::keys(std::string_view path) const {
  std::vector<std::string> out;
  for (const auto& member : at(path).as_object()) out.emplace_back(member.key());
  return out;
}

namespace {

// The largest |got - want| / max(|want|, least), with a failure when it is above the bound; least may be
// infinite, which counts |got - want| alone.
double compare(const std::string& what, const Tensor& got, const Tensor& want, double least, double bound) {
  INFO(what);
  REQUIRE(got.shape() == want.shape());
  const std::vector<double> a = got.doubles(), b = want.doubles();
  double worst = 0;
  std::size_t worst_at = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    double error = std::abs(a[i] - b[i]) / (std::isinf(least) ? 1 : std::max(std::abs(b[i]), least));
    if (!std::isfinite(error)) error = std::numeric_limits<double>::infinity();
    if (error > worst) worst = error, worst_at = i;
  }
  if (worst > bound)
    FAIL_CHECK(fmt::format("{}: element {} of {} is {:.17g}, not {:.17g}; {} error {:.2e} > {:.0e}", what,
                           worst_at, got.shape().text(), a[worst_at], b[worst_at],
                           std::isinf(least) ? "absolute" : "relative", worst, bound));
  else
    SUCCEED();
  return worst;
}

}  // namespace

double check_close(const std::string& what, const Tensor& got, const Tensor& want, double relative,
                   double floor) {
  double largest = 0;
  for (double v : want.doubles())
    if (std::isfinite(v)) largest = std::max(largest, std::abs(v));
  return compare(what, got, want, largest > 0 ? floor * largest : 1, relative);
}

double check_near(const std::string& what, const Tensor& got, const Tensor& want, double absolute) {
  return compare(what, got, want, std::numeric_limits<double>::infinity(), absolute);
}
