// Decoding: which words a model writes, by its scores alone: greedy, sampling, and beam search. It knows no
// model: a step is any function that gives scores, such as a DecodeStepper (decode_stepper.hpp), which runs a
// decoder that was recorded once.
//
// Rows are hypotheses side by side. At each step row i takes up what row parents[i] was after the last step
// and reads tokens[i] next; so a search drops and doubles hypotheses without knowing what a state is.
#pragma once

#include <spool/graph/tensor.hpp>
#include <spool/ops/philox.hpp>

#include <functional>
#include <span>
#include <vector>

namespace spool {

/// tokens and parents [N] -> scores [N,V] of the next token: logits, or log-probabilities. Where V rules a
/// token out its score is -inf. The result stands until the next call.
using DecodeStep = std::function<const Tensor&(std::span<const int> tokens, std::span<const int> parents)>;

struct DecodeOptions {
  int begin = 0;         ///< the token before the first
  int end = 0;           ///< the token after the last
  int max_length = 100;  ///< tokens that a hypothesis may have, its end among them
};

struct Hypothesis {
  std::vector<int> tokens;  ///< without begin and end
  double log_prob = 0;      ///< natural logarithm, of all tokens and the end
  double score = 0;         ///< what beam search ranks by; the log_prob elsewhere
  bool ended = false;       ///< false: cut off at max_length
};

// For all of these: a step of `batch` sequences (beam search: batch * width rows, those of one sequence side
// by side), in the state before `begin`. A sequence that has ended goes on stepping with `end`, to no effect.
// ShapeError for scores that are not [N,V] with begin and end in V, or options below 1; TapeError for scores
// that are NaN or +inf, or -inf throughout.

/// The likeliest token at each step, the first of equals.
std::vector<Hypothesis> decode_greedy(const DecodeStep& step, std::int64_t batch,
                                      const DecodeOptions& options);

struct SampleOptions {
  double temperature = 1;  ///< scores are divided by it; 0: greedy. TapeError unless finite and at least 0
  int top_k = 0;           ///< among the k likeliest (Fan, Lewis and Dauphin 2018); 0: all
  double top_p = 1;        ///< among the fewest that hold this probability (Holtzman et al. 2020)
};

/// A token by its score: drawn from softmax(score / temperature), cut to top_k, then to top_p, and
/// renormalised. Errors as above; TapeError for a top_p outside (0, 1].
int sample_token(std::span<const double> scores, const SampleOptions& options, Philox& random);

/// Draws each token by sample_token(). log_prob is that of the model, whatever the temperature.
std::vector<Hypothesis> decode_sample(const DecodeStep& step, std::int64_t batch,
                                      const DecodeOptions& options, const SampleOptions& sampling,
                                      Philox& random);

struct BeamOptions {
  int width = 5;
  /// alpha of the length penalty ((5 + length) / 6)^alpha that log P is divided by (Wu et al. 2016, eq. 14);
  /// 0: none. length counts the end. TapeError when negative or not finite.
  double length_penalty = 0;
  int best = 1;  ///< hypotheses wanted of each sequence, at most width
};

/// The best hypotheses found of each sequence, best first. At each step the best `width` of all continuations
/// are kept, and those that end leave the beam, so that width 1 is greedy. It stops when nothing left in the
/// beam can still surpass what has ended; thus with a width that keeps all continuations it is exact.
std::vector<std::vector<Hypothesis>> decode_beam(const DecodeStep& step, std::int64_t batch,
                                                 const DecodeOptions& options, const BeamOptions& beam);

}  // namespace spool
