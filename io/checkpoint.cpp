#include <spool/graph/error.hpp>
#include <spool/io/checkpoint.hpp>
#include <spool/io/file.hpp>
#include <spool/io/safetensors.hpp>
#include <spool/io/utf8.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace spool {

namespace {

// The metadata of a checkpoint: a version, and entries whose keys begin with what they are.
constexpr std::string_view version_key = "spool.checkpoint", version = "1";
constexpr std::string_view model_prefix = "model:", count_prefix = "count:", number_prefix = "number:",
                           text_prefix = "text:";

template <class T>
T parsed(const std::string& path, const std::string& key, std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    fail_file(path,
              fmt::format("{} is {}, which is not a number of its kind", in_quotes(key), in_quotes(text)));
  return value;
}

// Of long values only a piece is shown, which has the first difference in it.
constexpr std::size_t longest_shown = 60, shown_before = 20;

std::size_t begin_of_difference(std::string_view a, std::string_view b) {
  const auto place = static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
  if (place + shown_before <= longest_shown) return 0;
  std::size_t begin = place - shown_before;
  while ((static_cast<unsigned char>(a[begin]) & 0xC0U) == 0x80) --begin;  // within a code point
  return begin;
}

std::string shown(std::optional<std::string_view> value, std::size_t begin) {
  if (!value) return "not given";
  return (begin > 0 ? "..." : "") + in_quotes(value->substr(begin), longest_shown);
}

std::string differences(const ModelDescription& there, const ModelDescription& here) {
  ModelDescription all = there;
  all.insert(here.begin(), here.end());
  const auto value_of = [](const ModelDescription& in, const std::string& key) {
    const auto found = in.find(key);
    return found == in.end() ? std::optional<std::string_view>() : found->second;
  };
  std::vector<std::string> out;
  for (const auto& [key, value] : all) {
    const auto a = value_of(there, key), b = value_of(here, key);
    if (a == b) continue;
    const std::size_t begin = a && b ? begin_of_difference(*a, *b) : 0;
    out.push_back(fmt::format("{} is {} there and {} here", key, shown(a, begin), shown(b, begin)));
  }
  return fmt::format("{}", fmt::join(out, "; "));
}

}  // namespace

void save_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
  std::map<std::string, std::string> metadata{{std::string(version_key), std::string(version)}};
  const auto add = [&](std::string_view prefix, const auto& entries) {
    for (const auto& [name, value] : entries)  // fmt writes the shortest text that gives the same double
      metadata.emplace(fmt::format("{}{}", prefix, name), fmt::format("{}", value));
  };
  add(model_prefix, checkpoint.model);
  add(count_prefix, checkpoint.state.counts);
  add(number_prefix, checkpoint.state.numbers);
  add(text_prefix, checkpoint.state.texts);
  write_safetensors(path, checkpoint.state.tensors, metadata);
}

Checkpoint load_checkpoint(const std::string& path) {
  Safetensors file = read_safetensors(path);
  const auto found = file.metadata.find(std::string(version_key));
  if (found == file.metadata.end()) fail_file(path, "is a safetensors file, but not a checkpoint of Spool");
  if (found->second != version)
    fail_file(path, fmt::format("is a checkpoint of version {}; this program reads version {}",
                                in_quotes(found->second), version));
  Checkpoint out;
  out.state.origin = path;
  out.state.tensors = std::move(file.tensors);
  for (const auto& [key, text] : file.metadata) {
    const auto name_after = [&key = key](std::string_view prefix) { return key.substr(prefix.size()); };
    if (key.starts_with(model_prefix))
      out.model[name_after(model_prefix)] = text;
    else if (key.starts_with(count_prefix))
      out.state.counts[name_after(count_prefix)] = parsed<std::uint64_t>(path, key, text);
    else if (key.starts_with(number_prefix))
      out.state.numbers[name_after(number_prefix)] = parsed<double>(path, key, text);
    else if (key.starts_with(text_prefix))
      out.state.texts[name_after(text_prefix)] = text;
    else if (key != version_key)
      fail_file(path, fmt::format("unknown metadata {} in a checkpoint", in_quotes(key)));
  }
  return out;
}

Checkpoint load_checkpoint(const std::string& path, const ModelDescription& expected) {
  Checkpoint out = load_checkpoint(path);
  if (out.model != expected)
    fail_file(path, fmt::format("is a checkpoint of another model: {}", differences(out.model, expected)));
  return out;
}

Snapshot snapshot(RandomState random) {
  Snapshot out;
  out.counts = {{"seed", random.seed}, {"draw", random.draw}};
  return out;
}

RandomState random_state(const Snapshot& from) { return {from.count("seed"), from.count("draw")}; }

Snapshot snapshot(const std::vector<Tensor>& values) {
  Snapshot out;
  for (std::size_t i = 0; i < values.size(); ++i) out.tensors.emplace(std::to_string(i), values[i]);
  return out;
}

void restore(std::vector<Tensor>& values, const Snapshot& from) {
  if (from.tensors.size() != values.size())
    fail_file(from.origin, fmt::format("holds {} tensors, not {}", from.tensors.size(), values.size()));
  std::vector<Tensor> out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Tensor& tensor = from.tensor(std::to_string(i));
    if (tensor.shape() != values[i].shape())
      fail_file(from.origin, fmt::format("tensor \"{}\" is {}, not {}", i, tensor.shape().text(),
                                         values[i].shape().text()));
    out.push_back(tensor.to(values[i].dtype()));
  }
  values = std::move(out);
}

}  // namespace spool
