// A baseline for language models: how often each symbol came after the few before it.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace spool {

/// Counts of n-grams of symbols 0..V-1, each order interpolated with the one below it, the lowest with 1 / V:
/// P_n(w | h) = (c(h w) + k P_n-1(w | h')) / (c(h) + k), k the kinds of symbols that came after h (Witten and
/// Bell 1991, in the form of Chen and Goodman 1998, section 2.4).
class NGrams {
 public:
  using Lines = std::vector<std::vector<int>>;

  /// Orders from 1 to `longest`, or as many as fit 64 bits.
  NGrams(const Lines& lines, int symbols, int longest = 6);

  /// Of a symbol after these, of which it looks at the last order - 1.
  double probability(std::span<const int> before, int symbol, int order) const;
  /// Mean nats per symbol of lines whose first symbol is given.
  double loss(const Lines& lines, int order) const;
  /// The order with the least loss of these lines.
  int best_order(const Lines& lines) const;

 private:
  struct Context {
    std::uint32_t count = 0, kinds = 0;
  };
  struct Order {
    boost::unordered_flat_map<std::uint64_t, Context> contexts;     // by the symbols before
    boost::unordered_flat_map<std::uint64_t, std::uint32_t> grams;  // by these and the symbol
  };
  // Symbols as digits of one number.
  std::uint64_t number(std::span<const int> symbols) const;

  std::uint64_t symbols_;
  std::vector<Order> orders_;  // the first looks at no symbol before
};

}  // namespace spool
