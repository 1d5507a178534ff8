#include <spool/verify/ngrams.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace spool {

NGrams::NGrams(const Lines& lines, int symbols, int longest) : symbols_(static_cast<std::uint64_t>(symbols)) {
  std::uint64_t room = std::numeric_limits<std::uint64_t>::max();
  for (int n = 0; n < longest && room >= symbols_; ++n, room /= symbols_) orders_.emplace_back();
  for (const auto& line : lines)
    for (std::size_t t = 1; t < line.size(); ++t)
      for (std::size_t n = 0; n < std::min(t + 1, orders_.size()); ++n) {
        const std::uint64_t before = number(std::span(line).subspan(t - n, n));
        const auto symbol = static_cast<std::uint64_t>(line[t]);
        Context& context = orders_[n].contexts[before];
        ++context.count;
        if (++orders_[n].grams[before * symbols_ + symbol] == 1) ++context.kinds;
      }
}

std::uint64_t NGrams::number(std::span<const int> symbols) const {
  std::uint64_t all = 0;
  for (const int symbol : symbols) all = all * symbols_ + static_cast<std::uint64_t>(symbol);
  return all;
}

double NGrams::probability(std::span<const int> before, int symbol, int order) const {
  double p = 1 / static_cast<double>(symbols_);
  const std::size_t orders = std::min({static_cast<std::size_t>(order), before.size() + 1, orders_.size()});
  for (std::size_t n = 0; n < orders; ++n) {
    const std::uint64_t key = number(before.last(n));
    const auto context = orders_[n].contexts.find(key);
    if (context == orders_[n].contexts.end()) break;  // nor was it seen with more before it
    const auto gram = orders_[n].grams.find(key * symbols_ + static_cast<std::uint64_t>(symbol));
    const double count = gram == orders_[n].grams.end() ? 0 : gram->second;
    p = (count + context->second.kinds * p) / (context->second.count + context->second.kinds);
  }
  return p;
}

double NGrams::loss(const Lines& lines, int order) const {
  double total = 0, count = 0;
  for (const auto& line : lines)
    for (std::size_t t = 1; t < line.size(); ++t, ++count)
      total -= std::log(probability(std::span(line).first(t), line[t], order));
  return total / count;
}

int NGrams::best_order(const Lines& lines) const {
  std::vector<double> losses;
  for (int order = 1; order <= std::ssize(orders_); ++order) losses.push_back(loss(lines, order));
  return static_cast<int>(std::ranges::min_element(losses) - losses.begin()) + 1;
}

}  // namespace spool
