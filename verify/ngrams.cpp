#include <spool/graph/error.hpp>
#include <spool/verify/ngrams.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace spool {

NGrams::NGrams(const Lines& lines, int symbols, int longest) : symbols_(static_cast<Key>(symbols)) {
  if (symbols < 1 || longest < 1)
    throw ShapeError(
        fmt::format("NGrams: needs a symbol and an order at least, not {} and {}", symbols, longest));
  Key room = std::numeric_limits<Key>::max();
  for (int n = 0; n < longest && room >= symbols_; ++n, room /= symbols_) orders_.emplace_back();
  for (const auto& line : lines) {
    check(line);
    for (std::size_t t = 1; t < line.size(); ++t)
      for (std::size_t n = 0; n < std::min(t + 1, orders_.size()); ++n) {
        const Key gram = number(std::span(line).subspan(t - n, n + 1));
        ++orders_[n].often.grams[gram];
        if (n == t) ++orders_[n].after.grams[gram];  // nothing stands before it
      }
  }
  Key first_digit = symbols_;  // of the grams below
  for (std::size_t n = 0; n + 1 < orders_.size(); ++n, first_digit *= symbols_)
    for (const auto& [gram, count] : orders_[n + 1].often.grams) ++orders_[n].after.grams[gram % first_digit];
  for (Order& order : orders_) {
    finish(order.often);
    finish(order.after);
  }
}

// Contexts and discounts, from the grams.
void NGrams::finish(Counts& counts) const {
  std::array<double, 4> with{};  // how many grams have counts of 1 to 4
  for (const auto& [gram, count] : counts.grams) {
    Context& context = counts.contexts[gram / symbols_];
    context.total += count;
    ++context.kinds[std::min(count, 3u) - 1];
    if (count <= 4) ++with[count - 1];
  }
  for (std::size_t k = 0; k < 3; ++k) {
    const double c = static_cast<double>(k + 1), y = with[0] / (with[0] + 2 * with[1]);
    const bool known = with[0] > 0 && with[1] > 0 && with[k] > 0;
    counts.discounts[k] = known ? std::clamp(c - (c + 1) * y * with[k + 1] / with[k], 0.1, c) : c / 2;
  }
}

NGrams::Key NGrams::number(std::span<const int> symbols) const {
  Key all = 0;
  for (const int symbol : symbols) all = all * symbols_ + static_cast<Key>(symbol);
  return all;
}

void NGrams::check(std::span<const int> symbols) const {
  for (const int symbol : symbols)
    if (symbol < 0 || static_cast<Key>(symbol) >= symbols_)
      throw ShapeError(fmt::format("NGrams: symbol {} is outside 0..{}", symbol, symbols_ - 1));
}

// By the last n symbols before.
double NGrams::smoothed(std::span<const int> before, int symbol, std::size_t n, bool highest) const {
  const auto lower = [&] {
    return n == 0 ? 1 / static_cast<double>(symbols_) : smoothed(before, symbol, n - 1, /*highest=*/false);
  };
  const Counts& counts = highest ? orders_[n].often : orders_[n].after;
  const Key key = number(before.last(n));
  const auto context = counts.contexts.find(key);
  if (context == counts.contexts.end()) return lower();
  const auto gram = counts.grams.find(key * symbols_ + static_cast<Key>(symbol));
  double count = 0, spare = 0;
  if (gram != counts.grams.end()) count = gram->second - counts.discounts[std::min(gram->second, 3u) - 1];
  for (std::size_t k = 0; k < 3; ++k) spare += counts.discounts[k] * context->second.kinds[k];
  return (count + spare * lower()) / static_cast<double>(context->second.total);
}

double NGrams::probability(std::span<const int> before, int symbol, int order) const {
  if (order < 1) throw ShapeError(fmt::format("NGrams: the order must be at least 1, not {}", order));
  const std::size_t orders = std::min({static_cast<std::size_t>(order), before.size() + 1, orders_.size()});
  check(before.last(orders - 1));
  check(std::span(&symbol, 1));
  return smoothed(before, symbol, orders - 1, /*highest=*/true);
}

double NGrams::loss(const Lines& lines, int order) const {
  double total = 0, count = 0;
  for (const auto& line : lines)
    for (std::size_t t = 1; t < line.size(); ++t, ++count)
      total -= std::log(probability(std::span(line).first(t), line[t], order));
  if (count == 0) throw ShapeError("NGrams: the lines have nothing after their first symbols");
  return total / count;
}

int NGrams::best_order(const Lines& lines) const {
  std::vector<double> losses;
  for (int order = 1; order <= std::ssize(orders_); ++order) losses.push_back(loss(lines, order));
  return static_cast<int>(std::ranges::min_element(losses) - losses.begin()) + 1;
}

}  // namespace spool
