// Plans as text, for people: the steps, and what each one joined.
#include <spool/graph/plan/draft.hpp>
#include <spool/graph/plan/plan.hpp>

#include <fmt/format.h>

#include <array>
#include <map>

namespace spool::plan {

namespace {

class Writer {
 public:
  explicit Writer(const Draft& d) : d_(d) {}

  std::string write(bool with_reasons) {
    std::string text;
    std::size_t number = 0;
    if (with_reasons) count_kinds();
    for (const Unit& u : d_.units) {
      const std::string line = unit(u);
      if (line.empty()) continue;
      text += fmt::format("{:>4}  {}\n", ++number, line);
      if (const std::string why = with_reasons ? reason(u) : ""; !why.empty()) text += "      " + why + "\n";
    }
    return text;
  }

 private:
  std::string unit(const Unit& u) {
    const Id m = u.members[0];
    switch (u.role) {
      case Role::elementwise:
        return tiles(u);
      case Role::product:
        return rows(u);
      case Role::long_product:
        return long_products(u);
      case Role::concat:
        return concat(m);
      case Role::copy:
        return fmt::format("{:<9} {}", "copy", name(d_.in(m)[0]));
      default:
        return fmt::format("{:<9} {} {}{}", "eval", d_.op(m).name, d_.shape(m).text(), scope(m));
    }
  }

  std::string tiles(const Unit& u) const {
    const Cluster& c = d_.clusters[u.members[0]];
    std::string ops;
    for (const Id n : c.nodes) ops += fmt::format("{}{}", ops.empty() ? "" : " ", d_.op(n).name);
    return fmt::format("{:<9} {}[{}] {} -> {}{}", "tiles", times(u), c.rows * c.cols, ops, c.outputs.size(),
                       scope(c.nodes.back()));
  }

  std::string rows(const Unit& u) const {
    const Id m = u.members[0];
    std::int64_t all = 0;
    const std::int64_t n = product_cols(d_, m);
    for (const Id p : u.members) all += d_.size(p) / n;
    const auto& a = d_.in(m)[0];
    return fmt::format("{:<9} {}[{}, {}] x {}{}{}", "product", times(u), all, d_.shape(a).back(),
                       name(d_.in(m)[1]), added(m), scope(u.members.back()));
  }

  std::string added(Id product) const {
    const std::uint32_t count = d_.nodes[product].count;
    if (count < 3) return "";
    return (count == 3 ? " + " : " + rows of ") + name(d_.in(product)[2]);
  }

  std::string long_products(const Unit& u) const {
    const Id m = u.members[0];
    const std::uint32_t count = d_.nodes[m].count, side = d_.sums_columns(m) ? 1 : 0;
    std::int64_t rows = 0;
    for (std::uint32_t i = 0; i + 1 < count; i += 2) rows += d_.read_layout(m, i).rows;
    std::string rights, results;
    for (const Id n : u.members) {
      if (!rights.empty()) rights += ", ";
      rights += d_.sums_columns(n) ? "1" : fmt::format("[{}, {}]", rows, d_.read_layout(n, 1).cols);
      if (d_.nodes[n].count % 2 == 1) rights += " + " + name(d_.in(n).back());
      results += " " + d_.shape(n).text();
    }
    return fmt::format("{:<9} {}[{}, {}]T x {} ->{}{}", "sum",
                       count > 3 ? fmt::format("{} x ", count / 2) : "", rows, d_.read_layout(m, side).cols,
                       rights, results, scope(m));
  }

  std::string concat(Id m) const {
    std::size_t copied = 0;
    for (const Id o : d_.in(m)) {
      const Id v = d_.root(o);
      Id at = v;
      while (d_.places[at].parent != none && at != m) at = d_.places[at].parent;
      copied += at != m || !d_.whole(o);
    }
    if (copied == 0) return {};
    return fmt::format("{:<9} {} of {} parts of {}{}", "copy", copied, d_.nodes[m].count, d_.shape(m).text(),
                       scope(m));
  }

  // Products by right operand, clusters by program: how many in all.
  void count_kinds() {
    for (const Unit& u : d_.units)
      if (u.role == Role::product || u.role == Role::elementwise) kinds_[kind(u)] += u.members.size();
  }
  using Kind = std::array<std::int64_t, 4>;
  Kind kind(const Unit& u) const {
    const Id m = u.members[0];
    if (u.role == Role::elementwise) return {0, d_.clusters[m].program, 0, 0};
    return {1, d_.root(d_.in(m)[1]), d_.attrs(m)[1], d_.nodes[m].count};
  }

  std::string reason(const Unit& u) const {
    switch (u.role) {
      case Role::elementwise:
        return reason_of_tiles(u);
      case Role::product:
        return reason_of_rows(u);
      case Role::long_product:
        return reason_of_long(u);
      case Role::copy:
        return "its reader needs the elements side by side, and here they are not";
      case Role::concat:
        return "the other parts are computed in place; these are inputs, or lie elsewhere for other readers";
      default:
        return d_.options.fuse ? "runs by its eval: it is not element-wise, and no product or slice" : "";
    }
  }

  std::string reason_of_tiles(const Unit& u) const {
    const Cluster& c = d_.clusters[u.members[0]];
    const std::string what = c.nodes.size() == 1 ? std::string("one op")
                                                 : fmt::format("joined {} ops, of which others read {}",
                                                               c.nodes.size(), c.outputs.size());
    return what + rest(u, "; ", "the result");
  }

  std::string reason_of_rows(const Unit& u) const {
    std::string text;
    if (u.members.size() > 1)
      text = fmt::format("joined {} products with one right operand", u.members.size());
    if (d_.nodes[u.members[0]].count >= 3)
      text += text.empty() ? "joined the addition" : ", and the additions";
    return text + rest(u, text.empty() ? "" : "; ", "the product");
  }

  std::string reason_of_long(const Unit& u) const {
    const std::uint32_t added = d_.nodes[u.members[0]].count / 2;
    if (u.members.size() == 1)
      return added > 1 ? fmt::format("joined {} products that are added up", added)
                       : "one product, with nothing of its form to be added to";
    return fmt::format("joined {} sums of {} products that read the same rows on the left", u.members.size(),
                       added);
  }

  // Why the others of its kind did not join.
  std::string rest(const Unit& u, const char* before, const char* what) const {
    const std::size_t others = kinds_.at(kind(u)) - u.members.size();
    if (others == 0) return "";
    return fmt::format("{}{} more of its kind did not join: {}", before, others,
                       d_.options.group ? fmt::format("each waits for {} of another", what) : "group is off");
  }

  static std::string times(const Unit& u) {
    return u.members.size() > 1 ? fmt::format("{} x ", u.members.size()) : "";
  }
  std::string name(Id v) const {
    const Id root = d_.root(v);
    return fmt::format("{} {}",
                       d_.nodes[root].role == Role::buffer ? "buffer" : d_.tape.label(d_.nodes[root].tape),
                       d_.shape(v).text());
  }
  std::string scope(Id n) const {
    const std::string s = d_.tape.scope(d_.nodes[n].tape);
    return s.empty() ? "" : "  in " + s;
  }

  const Draft& d_;
  std::map<Kind, std::size_t> kinds_;
};

}  // namespace

std::string to_text(const Draft& d, bool with_reasons) { return Writer(d).write(with_reasons); }

}  // namespace spool::plan
