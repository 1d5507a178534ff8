#include <spool/graph/plan/arena.hpp>
#include <spool/graph/plan/rights.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>

namespace spool::plan {

void Rights::find(const Draft& d, const std::function<Layout(const Layout&)>& stored) {
  right_of_.resize(d.units.size());
  boost::unordered_flat_map<std::vector<std::int64_t>, std::uint32_t> numbers;
  for (std::uint32_t u = 0; u < d.units.size(); ++u) {
    if (d.units[u].role != Role::product) continue;
    const Id p = d.units[u].members[0];
    const bool transposed = d.attrs(p)[1] != 0;
    const Layout l = stored(d.read_layout(p, 1));
    const auto [it, added] = numbers.try_emplace({l.root, l.offset, l.rows, l.cols, l.stride, transposed},
                                                 static_cast<std::uint32_t>(rights_.size()));
    if (added) {
      const Shape& s = d.shape(d.in(p)[1]);
      rights_.push_back({p, l, transposed, s[transposed ? 1 : 0], s[transposed ? 0 : 1], 0, u, u});
    }
    Right& r = rights_[right_of_[u] = it->second];
    r.last = u;
    for (const Id m : d.units[u].members) r.rows += d.size(m) / std::max<std::int64_t>(r.n, 1);
  }
  d.tape.dtype() == DType::f32 ? place<float>(d) : place<double>(d);
}

// Packed matrices stay packed until the next run. Only large ones that are packed in both ways, which the
// gradient of a changing parameter asks for, lend their memory to others when they are done.
template <class T>
void Rights::place(const Draft& d) {
  constexpr std::int64_t large = 1 << 21;
  std::vector<Lifetime> lives;
  bool both = false;
  boost::unordered_flat_map<Id, bool> ways;
  for (std::uint32_t i = 0; i < rights_.size(); ++i) {
    Right& r = rights_[i];
    const ProductKernels<T>& kernels = d.op(r.product).product->get<T>();
    if (!r.transposed && !d.options.standing && !kernels.packing_pays(r.k, r.n, r.rows)) continue;
    const std::int64_t size = kernels.packed_size(r.k, r.n);
    r.at = packed_;
    packed_ += aligned(size);
    lives.push_back({i, size, r.first, r.last});
    both |= ways.try_emplace(r.layout.root, r.transposed).first->second != r.transposed;
  }
  if (!both || d.options.standing || !d.options.reuse || packed_ < large) return;
  packed_ = assign_offsets(lives, true);
  for (const Lifetime& l : lives) rights_[l.node].at = l.offset, rights_[l.node].stays = false;
}

}  // namespace spool::plan
