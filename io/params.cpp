#include <spool/graph/error.hpp>
#include <spool/io/file.hpp>
#include <spool/io/params.hpp>
#include <spool/io/safetensors.hpp>
#include <spool/io/utf8.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace spool {

namespace {

std::map<std::string, Param> by_name(const Params& params) {
  std::map<std::string, Param> named;
  for (const Param& p : params) {
    const auto [there, added] = named.emplace(p.name(), p);
    if (!added && there->second != p)
      throw TapeError(
          fmt::format("two parameters are both called {}: name the layers, so that a file can tell "
                      "their parameters apart",
                      in_quotes(p.name())));
  }
  return named;
}

// Appends "what "a", "b"" to the complaints when there are names.
void complain(std::vector<std::string>& complaints, const char* what, const std::vector<std::string>& names) {
  if (names.empty()) return;
  std::vector<std::string> shown;
  for (const std::string& name : names) shown.push_back(in_quotes(name));
  complaints.push_back(fmt::format("{} {}", what, fmt::join(shown, ", ")));
}

}  // namespace

Snapshot snapshot(const Params& params) {
  Snapshot out;
  for (const auto& [name, param] : by_name(params)) out.tensors.emplace(name, param.value());
  return out;
}

LoadReport restore(const Params& params, const Snapshot& from, LoadOptions options) {
  std::map<std::string, Param> named = by_name(params);
  LoadReport report;
  std::vector<std::string> complaints;
  for (const auto& [name, param] : named) {
    const auto found = from.tensors.find(name);
    if (found == from.tensors.end())
      report.missing.push_back(name);
    else if (found->second.shape() != param.shape())
      complaints.push_back(fmt::format("{} is {} there and {} in the model", in_quotes(name),
                                       found->second.shape().text(), param.shape().text()));
  }
  for (const auto& [name, tensor] : from.tensors)
    if (!named.contains(name)) report.unused.push_back(name);
  if (options.strict) {
    complain(complaints, "it lacks", report.missing);
    complain(complaints, "the model has no", report.unused);
  }
  if (!complaints.empty())
    fail_file(from.origin, fmt::format("does not fit the model: {}", fmt::join(complaints, "; ")));
  for (auto& [name, param] : named)
    if (const auto found = from.tensors.find(name); found != from.tensors.end()) param.assign(found->second);
  return report;
}

void save_params(const std::string& path, const Params& params) {
  write_safetensors(path, snapshot(params).tensors);
}

LoadReport load_params(const std::string& path, const Params& params, LoadOptions options) {
  Snapshot file;
  file.origin = path;
  file.tensors = read_safetensors(path).tensors;
  return restore(params, file, options);
}

}  // namespace spool
