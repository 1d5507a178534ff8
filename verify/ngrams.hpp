// A baseline for language models: how often each symbol came after the few before it.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace spool {

/// n-grams of symbols 0..V-1 with interpolated modified Kneser-Ney smoothing (Chen and Goodman 1998, section
/// 3): in the highest order counts c are how often a symbol came after a context, in lower ones after how
/// many different symbols they came together (at the beginning of a line, how often). Each has one of three
/// discounts D for counts of 1, 2, and 3 or more, by how many n-grams of its order have counts from 1 to 4
/// (at least 0.1; half of the count where there are none to tell):
///
///   P(w | h) = (c(h w) - D(c(h w)) + sum over w' of D(c(h w')) P(w | h')) / c(h),  h' = h without its first
///   symbol,
///
/// and below the lowest order stands 1 / V.
class NGrams {
 public:
  using Lines = std::vector<std::vector<int>>;

  /// Counts orders from 1 to `longest`, or as many as fit 64 bits. The first symbol of each line is given and
  /// not counted. ShapeError for no symbols, a `longest` below 1, and lines with other symbols.
  NGrams(const Lines& lines, int symbols, int longest = 8);

  /// Of a symbol after these, with n-grams of this order: it looks at the last order - 1 symbols. ShapeError
  /// for an order below 1, and for symbols outside 0..V-1 among those it looks at.
  double probability(std::span<const int> before, int symbol, int order) const;
  /// Mean nats per symbol of lines whose first symbol is given. ShapeError as of probability(), and where
  /// there is nothing but first symbols.
  double loss(const Lines& lines, int order) const;
  /// The order with the least loss of these lines. Errors of loss().
  int best_order(const Lines& lines) const;

 private:
  using Key = std::uint64_t;  // symbols as the digits of a number
  struct Context {
    std::uint64_t total = 0;
    std::array<std::uint32_t, 3> kinds = {};  // symbols with counts of 1, 2, and 3 or more after it
  };
  // The n-grams of one order, counted in one way.
  struct Counts {
    boost::unordered_flat_map<Key, std::uint32_t> grams;
    boost::unordered_flat_map<Key, Context> contexts;
    std::array<double, 3> discounts = {};
  };
  struct Order {
    Counts often, after;  // how often; after how many different symbols
  };
  void finish(Counts& counts) const;
  double smoothed(std::span<const int> before, int symbol, std::size_t n, bool highest) const;
  Key number(std::span<const int> symbols) const;
  void check(std::span<const int> symbols) const;  // ShapeError for others

  Key symbols_;
  std::vector<Order> orders_;  // the first looks at no symbol before
};

}  // namespace spool
