// What programs share that write texts about something they have read: vocabularies, training by teacher
// forcing or scheduled sampling, beam search, where it looked, and how texts are judged. What reads is the
// program's own. It is no part of the library.
#pragma once

#include "program.hpp"

#include <spool/spool.hpp>

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace examples {

using Tokens = std::vector<std::string>;
/// What may be written about each example: one text, or several that are as right.
using Texts = std::vector<std::vector<Tokens>>;

/// --attention, --scheduled, --min-count; --beam and --length-penalty.
struct WriterOptions {
  explicit WriterOptions(Program& program);

  std::string attention;
  double scheduled = 0, length_penalty = 0;
  int min_count = 0, beam = 0;
};

/// Sizes of what the decoder gets and has.
struct WriterSizes {
  std::int64_t hidden = 0;   ///< its units
  std::int64_t memory = 0;   ///< of a place that it may look at
  std::int64_t summary = 0;  ///< of what its first state is made from
};

class Writer {
 public:
  using Decoder = spool::Seq2SeqDecoder<spool::LstmCell>;
  /// Reads the examples at these positions.
  using Read =
      std::function<Decoder::Source(spool::Tape&, std::span<const std::size_t> positions, bool training)>;

  /// Learns to write the texts of `part` (only training looks at them). UsageError for options that don't
  /// fit.
  Writer(Program& program, const WriterOptions& options, const Texts& texts,
         std::span<const std::size_t> part, const WriterSizes& sizes);

  const Decoder& decoder() const { return decoder_; }
  spool::Params parameters() const { return decoder_.parameters(); }

  /// Trains `params` by all texts of the training part. Examples of about one length (one for each; or none,
  /// where all are alike) come together. The epoch is kept with the least loss on the validation part; or
  /// with the highest score (its name and value), for tasks whose validation part has many words that can't
  /// be known. Gives the exit code.
  int fit(const Program& program, const spool::Params& params, const Texts& texts, const spool::Split& split,
          std::span<const std::int64_t> lengths, const Read& read,
          const std::function<std::pair<std::string, double>()>& score = {}) const;

  /// The best text about each of these examples, by beam search of this width (1: greedy; 0: as --beam says).
  /// Lengths as of fit().
  std::vector<Tokens> write(std::span<const std::size_t> positions, std::span<const std::int64_t> lengths,
                            const Read& read, int beam = 0) const;

  /// Where it looked as it wrote this about an example: the attention's weights [T,S], a row for each token
  /// and one for the end. Nothing without attention.
  std::optional<spool::Tensor> looked(std::size_t position, const Tokens& text, const Read& read) const;

 private:
  struct Pairs;

  Recipe recipe_;
  WriterOptions options_;
  spool::WordVocabulary words_;
  int longest_;  // text of the training part, its end included
  Decoder decoder_;
};

/// What looked() gave as a picture: the source's tokens from left to right, the text's downwards.
std::string attention_map(const spool::Tensor& weights, const Tokens& source, const Tokens& text,
                          const std::string& between = " ");

/// Below these heads: error rates in percent by the closest of the right texts, BLEU and chrF by all of them,
/// tokens being joined by `between`.
const std::vector<std::string>& judged_heads();
Row judged(const std::string& who, const Texts& texts, std::span<const std::size_t> positions,
           const std::vector<Tokens>& written, const std::string& between = " ");

}  // namespace examples
