#include <spool/graph/error.hpp>
#include <spool/io/svg.hpp>
#include <spool/io/tree_chart.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <vector>

namespace spool {

namespace {

constexpr double radius = 15, row = 44, gap = 14, margin = 20, top = 60;

struct Place {
  double x = 0;
  std::size_t number = 0;           // of the node
  std::size_t left = 0, right = 0;  // those of a join's parts
  double depth = 0;                 // rows below the root
};

// Orange, grey, blue: each of them bright enough for dark numbers on it.
std::string colour_of(double value) {
  constexpr std::array low{224.0, 138.0, 60.0}, middle{214.0, 214.0, 214.0}, high{94.0, 163.0, 230.0};
  const double v = 2 * std::clamp(value, 0.0, 1.0) - 1;
  const auto& end = v < 0 ? low : high;
  const auto part = [&](std::size_t k) { return std::lround(std::lerp(middle[k], end[k], std::abs(v))); };
  return fmt::format("#{:02x}{:02x}{:02x}", part(0), part(1), part(2));
}

// Words beside each other, and each join above the middle of its parts. `right_end`: of the last word.
std::vector<Place> lay_out(const WordTree& tree, double& right_end) {
  std::size_t number = 0;
  double x = margin;
  const auto leaf = [&](std::size_t word) {
    const double width = std::max(2 * radius, detail::svg_text_width(tree.words[word]));
    x += width + gap;
    return Place{.x = x - gap - width / 2, .number = number++};
  };
  const auto join = [&](const Place& left, const Place& right) {
    return Place{(left.x + right.x) / 2, number++, left.number, right.number};
  };
  std::vector<Place> places = fold_tree(tree, leaf, join);
  right_end = x - gap;
  for (std::size_t i = places.size(); i-- > 0;)
    if (tree.order[i] == WordTree::Node::join)
      for (const std::size_t part : {places[i].left, places[i].right})
        places[part].depth = places[i].depth + 1;
  return places;
}

}  // namespace

std::string tree_chart(const WordTree& tree, std::span<const double> values, const std::string& title) {
  if (values.size() != tree.order.size())
    throw ShapeError(fmt::format("tree_chart: {} values for {} nodes", values.size(), tree.order.size()));
  double right = 0;
  const std::vector<Place> places = lay_out(tree, right);
  double depth = 0;
  for (const Place& p : places) depth = std::max(depth, p.depth);
  const auto y = [](const Place& p) { return top + p.depth * row; };
  const double width = std::max(right, margin + 1.3 * detail::svg_text_width(title)) + margin;

  std::string out =
      detail::svg_head(static_cast<int>(width), static_cast<int>(top + depth * row + 54), title);
  const auto put = [&]<class... A>(fmt::format_string<A...> format, A&&... a) {
    fmt::format_to(std::back_inserter(out), format, std::forward<A>(a)...);
  };
  put("<text class=\"title\" x=\"{:.1f}\" y=\"24\">{}</text>\n", margin, detail::svg_escaped(title));
  for (std::size_t i = 0; i < places.size(); ++i)
    if (tree.order[i] == WordTree::Node::join)
      for (const std::size_t part : {places[i].left, places[i].right})
        put("<path class=\"axis\" d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\"/>\n", places[i].x, y(places[i]),
            places[part].x, y(places[part]));
  std::size_t word = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const Place& p = places[i];
    if (tree.order[i] == WordTree::Node::leaf)
      put("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n", p.x, y(p) + radius + 16,
          detail::svg_escaped(tree.words[word++]));
    if (!std::isfinite(values[i])) continue;
    put("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\" fill=\"{}\"/>", p.x, y(p), radius,
        colour_of(values[i]));
    put("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\" style=\"fill:#111\">{:.2f}</text>\n", p.x,
        y(p) + 4, values[i]);
  }
  return out + "</svg>\n";
}

}  // namespace spool
