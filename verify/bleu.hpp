// BLEU and chrF: how close generated sentences come to references, with the numbers that sacreBLEU 2 gives
// (Post 2018), so that results compare with published ones.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace spool {

/// How a sentence is cut for BLEU.
enum class BleuTokens : std::uint8_t {
  v13a,       ///< mteval-v13a's rules, the usual ones: punctuation apart, but for that inside of numbers
  none,       ///< at white space alone
  characters  ///< every character but white space
};

struct BleuOptions {
  BleuTokens tokens = BleuTokens::v13a;
  /// Orders without any n-gram in the hypotheses are left out: for single short sentences.
  bool effective_order = false;
};

struct Bleu {
  double score = 0;                       ///< 0..100
  std::array<double, 4> precisions = {};  ///< 0..100, of 1-grams to 4-grams, after smoothing
  double brevity_penalty = 0;
  std::int64_t hypothesis_length = 0, reference_length = 0;  ///< in tokens; of references the closest ones
  std::string text() const;  ///< "BLEU = 48.53 82.4/50.0/45.5/37.5 (BP = 0.943 ratio = 0.944 ...)"
};

/// Of a whole corpus (Papineni et al. 2002, eqs. 2-3) with exponential smoothing: the k-th order without a
/// match counts as 1/2^k matches (Chen and Cherry 2014, smoothing 3). Each hypothesis has one reference, or a
/// list of several. ShapeError when they are not as many, or none; TapeError for text that is not UTF-8.
Bleu bleu(std::span<const std::string> hypotheses, std::span<const std::string> references,
          const BleuOptions& options = {});
Bleu bleu(std::span<const std::string> hypotheses, std::span<const std::vector<std::string>> references,
          const BleuOptions& options = {});

/// A sentence as BLEU cuts it, joined by single spaces.
std::string bleu_tokens(std::string_view sentence, BleuTokens how = BleuTokens::v13a);

struct ChrfOptions {
  int order = 6;            ///< the longest n-grams of characters
  double beta = 2;          ///< how many times as much recall counts as precision
  bool whitespace = false;  ///< whether spaces are characters
};

/// The F score of character n-grams, 0..100, of a whole corpus (Popovic 2015, eq. 1): precision and recall
/// are means over the orders that occur on both sides; a hypothesis counts for an order where its reference
/// has n-grams of it. Of several references the best one counts. Errors as bleu(); ShapeError for an order
/// below 1, TapeError unless beta is finite and above 0.
double chrf(std::span<const std::string> hypotheses, std::span<const std::string> references,
            const ChrfOptions& options = {});
double chrf(std::span<const std::string> hypotheses, std::span<const std::vector<std::string>> references,
            const ChrfOptions& options = {});

}  // namespace spool
