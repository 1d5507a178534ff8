#include <spool/graph/error.hpp>
#include <spool/io/unicode.hpp>
#include <spool/verify/bleu.hpp>

#include <fmt/format.h>

#include <boost/algorithm/string/replace.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

namespace spool {

namespace {

using Counts = std::map<std::u32string, std::int64_t>;
using Words = std::vector<std::u32string>;

bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }
bool is_stop(char32_t c) { return c == '.' || c == ','; }
// ASCII signs that always stand alone: all but the apostrophe, comma, hyphen and full stop.
bool is_sign(char32_t c) {
  return c < 0x7F && c >= 0x20 && !is_digit(c) && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') &&
         c != '\'' && c != ',' && c != '-' && c != '.';
}

// Calls put(out, a, b) for neighbours that match, from left to right; neither is looked at again.
template <class Matches, class Put>
std::u32string replace_pairs(const std::u32string& text, Matches matches, Put put) {
  std::u32string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i + 1 < text.size() && matches(text[i], text[i + 1])) {
      out += put(text[i], text[i + 1]);
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

// The rules of mteval-v13a.pl in their order.
std::u32string spaced_13a(std::string text) {
  for (const auto& [what, by] : {std::pair{"<skipped>", ""},
                                 {"-\n", ""},
                                 {"\n", " "},
                                 {"&quot;", "\""},
                                 {"&amp;", "&"},
                                 {"&lt;", "<"},
                                 {"&gt;", ">"}})
    boost::algorithm::replace_all(text, what, by);
  std::u32string apart = U" ";
  for (const char32_t c : detail::code_points(text, "bleu"))
    apart += is_sign(c) ? std::u32string{U' ', c, U' '} : std::u32string{c};
  apart += U' ';
  using Out = std::u32string;
  apart = replace_pairs(
      apart, [](char32_t a, char32_t b) { return !is_digit(a) && is_stop(b); },
      [](char32_t a, char32_t b) {
        return Out{a, U' ', b, U' '};
      });
  apart = replace_pairs(
      apart, [](char32_t a, char32_t b) { return is_stop(a) && !is_digit(b); },
      [](char32_t a, char32_t b) {
        return Out{U' ', a, U' ', b};
      });
  return replace_pairs(
      apart, [](char32_t a, char32_t b) { return is_digit(a) && b == '-'; },
      [](char32_t a, char32_t b) {
        return Out{a, U' ', b, U' '};
      });
}

Words tokens_of(std::string_view sentence, BleuTokens how) {
  if (how == BleuTokens::v13a) {
    std::u32string text = detail::code_points(sentence, "bleu");
    while (!text.empty() && detail::is_space(text.back())) text.pop_back();
    return detail::split_words(spaced_13a(detail::to_utf8(text)));
  }
  const std::u32string text = detail::code_points(sentence, "bleu");
  if (how == BleuTokens::none) return detail::split_words(text);
  Words words;
  for (const char32_t c : text)
    if (!detail::is_space(c)) words.push_back({c});
  return words;
}

Counts ngrams(const Words& words, std::size_t n) {
  Counts counts;
  for (std::size_t i = 0; i + n <= words.size(); ++i) {
    std::u32string joined;
    for (std::size_t k = i; k < i + n; ++k) joined += words[k] + U' ';
    ++counts[joined];
  }
  return counts;
}

std::int64_t total(const Counts& counts) {
  std::int64_t sum = 0;
  for (const auto& [ngram, count] : counts) sum += count;
  return sum;
}

std::int64_t common(const Counts& a, const Counts& b) {
  std::int64_t sum = 0;
  for (const auto& [ngram, count] : a) {
    const auto at = b.find(ngram);
    if (at != b.end()) sum += std::min(count, at->second);
  }
  return sum;
}

std::vector<std::vector<std::string>> one_each(std::span<const std::string> references) {
  std::vector<std::vector<std::string>> lists;
  for (const std::string& r : references) lists.push_back({r});
  return lists;
}

void check(const char* who, std::size_t hypotheses, std::span<const std::vector<std::string>> references) {
  if (hypotheses == 0 || hypotheses != references.size())
    throw ShapeError(
        fmt::format("{}: needs as many hypotheses as references, and one at least; not {} and {}", who,
                    hypotheses, references.size()));
  if (std::ranges::any_of(references, &std::vector<std::string>::empty))
    throw ShapeError(fmt::format("{}: a hypothesis has no reference", who));
}

}  // namespace

std::string bleu_tokens(std::string_view sentence, BleuTokens how) {
  std::u32string joined;
  for (const std::u32string& word : tokens_of(sentence, how)) joined += (joined.empty() ? U"" : U" ") + word;
  return detail::to_utf8(joined);
}

Bleu bleu(std::span<const std::string> hypotheses, std::span<const std::string> references,
          const BleuOptions& options) {
  return bleu(hypotheses, one_each(references), options);
}

Bleu bleu(std::span<const std::string> hypotheses, std::span<const std::vector<std::string>> references,
          const BleuOptions& options) {
  check("bleu", hypotheses.size(), references);
  Bleu b;
  std::array<std::int64_t, 4> matches{}, totals{};
  for (std::size_t i = 0; i < hypotheses.size(); ++i) {
    const Words hypothesis = tokens_of(hypotheses[i], options.tokens);
    const auto length = std::ssize(hypothesis);
    std::vector<Words> wanted;
    for (const std::string& r : references[i]) wanted.push_back(tokens_of(r, options.tokens));
    b.hypothesis_length += length;
    b.reference_length += std::ssize(*std::ranges::min_element(
        wanted, {}, [&](const Words& w) { return std::pair(std::abs(std::ssize(w) - length), w.size()); }));
    for (std::size_t n = 1; n <= 4; ++n) {
      Counts most;
      for (const Words& w : wanted)
        for (const auto& [ngram, count] : ngrams(w, n)) most[ngram] = std::max(most[ngram], count);
      const Counts found = ngrams(hypothesis, n);
      matches[n - 1] += common(found, most);
      totals[n - 1] += total(found);
    }
  }
  if (b.hypothesis_length > 0)
    b.brevity_penalty = std::exp(std::min(
        0.0, 1 - static_cast<double>(b.reference_length) / static_cast<double>(b.hypothesis_length)));
  if (matches[0] == 0) return b;  // without 1-grams there are no others

  double logs = 0, unmatched = 1;
  std::size_t orders = 0;
  for (std::size_t n = 0; n < 4 && totals[n] > 0; ++n) {
    if (matches[n] == 0) unmatched *= 2;
    const double count = matches[n] > 0 ? static_cast<double>(matches[n]) : 1 / unmatched;
    b.precisions[n] = 100 * count / static_cast<double>(totals[n]);
    logs += std::log(b.precisions[n]);
    ++orders;
  }
  if (orders == 4 || options.effective_order)
    b.score = b.brevity_penalty * std::exp(logs / static_cast<double>(orders));
  return b;
}

std::string Bleu::text() const {
  return fmt::format(
      "BLEU = {:.2f} {:.1f}/{:.1f}/{:.1f}/{:.1f} (BP = {:.3f} ratio = {:.3f} hyp_len = {} ref_len = {})",
      score, precisions[0], precisions[1], precisions[2], precisions[3], brevity_penalty,
      reference_length > 0 ? static_cast<double>(hypothesis_length) / static_cast<double>(reference_length)
                           : 0.0,
      hypothesis_length, reference_length);
}

namespace {

struct NgramCounts {
  std::int64_t hypothesis = 0, reference = 0, common = 0;
};

double f_score(const std::vector<NgramCounts>& orders, double beta) {
  double precision = 0, recall = 0, both = 0;
  for (const NgramCounts& n : orders)
    if (n.hypothesis > 0 && n.reference > 0) {
      precision += static_cast<double>(n.common) / static_cast<double>(n.hypothesis);
      recall += static_cast<double>(n.common) / static_cast<double>(n.reference);
      ++both;
    }
  if (precision + recall == 0) return 0;
  precision /= both;
  recall /= both;
  return 100 * (1 + beta * beta) * precision * recall / (beta * beta * precision + recall);
}

std::u32string characters_of(std::string_view sentence, bool whitespace) {
  std::u32string text = detail::code_points(sentence, "chrf");
  if (!whitespace) std::erase_if(text, detail::is_space);
  return text;
}

Counts character_ngrams(const std::u32string& text, std::size_t n) {
  Counts counts;
  for (std::size_t i = 0; i + n <= text.size(); ++i) ++counts[text.substr(i, n)];
  return counts;
}

std::vector<NgramCounts> compare(std::string_view hypothesis, std::string_view reference,
                                 const ChrfOptions& o) {
  const std::u32string h = characters_of(hypothesis, o.whitespace),
                       r = characters_of(reference, o.whitespace);
  std::vector<NgramCounts> all;
  for (std::size_t n = 1; n <= static_cast<std::size_t>(o.order); ++n) {
    const Counts of_h = character_ngrams(h, n), of_r = character_ngrams(r, n);
    // A hypothesis's n-grams count only where the reference is long enough to have any.
    all.push_back({of_r.empty() ? 0 : total(of_h), total(of_r), common(of_h, of_r)});
  }
  return all;
}

}  // namespace

double chrf(std::span<const std::string> hypotheses, std::span<const std::string> references,
            const ChrfOptions& options) {
  return chrf(hypotheses, one_each(references), options);
}

double chrf(std::span<const std::string> hypotheses, std::span<const std::vector<std::string>> references,
            const ChrfOptions& o) {
  check("chrf", hypotheses.size(), references);
  if (o.order < 1) throw ShapeError(fmt::format("chrf: the order must be at least 1, not {}", o.order));
  if (!(o.beta > 0) || std::isinf(o.beta))
    throw TapeError(fmt::format("chrf: beta must be finite and above 0, not {}", o.beta));
  std::vector<NgramCounts> sums(static_cast<std::size_t>(o.order));
  for (std::size_t i = 0; i < hypotheses.size(); ++i) {
    std::vector<NgramCounts> best;
    for (const std::string& r : references[i]) {
      const auto counts = compare(hypotheses[i], r, o);
      if (best.empty() || f_score(counts, o.beta) > f_score(best, o.beta)) best = counts;
    }
    for (std::size_t n = 0; n < sums.size(); ++n) {
      sums[n].hypothesis += best[n].hypothesis;
      sums[n].reference += best[n].reference;
      sums[n].common += best[n].common;
    }
  }
  return f_score(sums, o.beta);
}

}  // namespace spool
