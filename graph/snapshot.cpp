#include <spool/graph/error.hpp>
#include <spool/graph/snapshot.hpp>

#include <fmt/format.h>

namespace spool {

namespace {

// Calls f for each kind of entry with the map of that kind in two snapshots.
template <class A, class B, class F>
void for_each_kind(A& a, B& b, F&& f) {
  f(a.tensors, b.tensors);
  f(a.counts, b.counts);
  f(a.numbers, b.numbers);
  f(a.texts, b.texts);
}

template <class Map>
const typename Map::mapped_type& entry(const Map& map, const std::string& name, const char* kind,
                                       const std::string& origin) {
  const auto found = map.find(name);
  if (found == map.end()) throw FileError(fmt::format("{}: there is no {} \"{}\"", origin, kind, name));
  return found->second;
}

}  // namespace

void Snapshot::add(std::string_view prefix, const Snapshot& part) {
  for_each_kind(*this, part, [&](auto& all, const auto& some) {
    for (const auto& [name, value] : some) all.insert_or_assign(fmt::format("{}.{}", prefix, name), value);
  });
}

Snapshot Snapshot::part(std::string_view prefix) const {
  const std::string begin = fmt::format("{}.", prefix);
  Snapshot out;
  out.origin = fmt::format("{}, part \"{}\"", origin, prefix);
  for_each_kind(*this, out, [&](const auto& all, auto& some) {
    for (auto it = all.lower_bound(begin); it != all.end() && it->first.starts_with(begin); ++it)
      some.emplace(it->first.substr(begin.size()), it->second);
  });
  return out;
}

const Tensor& Snapshot::tensor(const std::string& name) const {
  return entry(tensors, name, "tensor", origin);
}
std::uint64_t Snapshot::count(const std::string& name) const { return entry(counts, name, "count", origin); }
double Snapshot::number(const std::string& name) const { return entry(numbers, name, "number", origin); }
const std::string& Snapshot::text(const std::string& name) const {
  return entry(texts, name, "text", origin);
}

}  // namespace spool
