// The live nodes that compute something, operands first.
#include <spool/graph/plan/draft.hpp>

namespace spool::plan {

void order_nodes(Draft& d) {
  enum : std::uint8_t { unseen, open, done };
  std::vector<std::uint8_t> state(d.nodes.size(), unseen);
  std::vector<std::pair<Id, std::uint32_t>> trail;  // a node, and how many of its operands were visited
  d.order.clear();
  const auto visit = [&](Id v) {
    const Id n = d.root(v);
    if (state[n] != unseen || !d.computed(n)) return;
    state[n] = open;
    trail.emplace_back(n, 0);
  };
  for (const Id w : d.wanted) {
    visit(w);
    while (!trail.empty()) {
      auto& [n, visited] = trail.back();
      if (visited < d.nodes[n].count) {
        visit(d.in(n)[visited++]);
        continue;
      }
      state[n] = done;
      d.order.push_back(n);
      trail.pop_back();
    }
  }
}

}  // namespace spool::plan
