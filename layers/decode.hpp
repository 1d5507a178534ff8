// Decoding: which words a model writes, by its scores alone: greedy, sampling, and beam search. It knows no
// model: a step is any function that gives scores, such as a DecodeStepper (decode_stepper.hpp), which runs a
// decoder that was recorded once.
//
// Rows are hypotheses side by side. Before each step, row i takes over the state that row parents[i] had
// after the previous step, then reads tokens[i]. So a search drops and copies hypotheses without knowing what
// a state is.
#pragma once

#include <spool/graph/tensor.hpp>
#include <spool/ops/philox.hpp>

#include <functional>
#include <span>
#include <vector>

namespace spool {

/// tokens and parents [N] -> scores [N,V] of the next token: logits, or log-probabilities. A token that must
/// not be chosen has score -inf. The result stands until the next call.
using DecodeStep = std::function<const Tensor&(std::span<const int> tokens, std::span<const int> parents)>;

struct DecodeOptions {
  int begin = -1;        ///< the token before the first; must be said
  int end = -1;          ///< the token after the last; must be said
  int max_length = 100;  ///< tokens that a hypothesis may have, its end among them
  /// Tokens that are never written, such as the one for unknown words. Their scores count as -inf, so that
  /// probabilities are those of softmax over the other tokens.
  std::vector<int> banned = {};
};

struct Hypothesis {
  std::vector<int> tokens;  ///< without begin and end
  double log_prob = 0;      ///< natural logarithm, of all tokens and the end
  double score = 0;         ///< what beam search ranks by; the log_prob elsewhere
  bool ended = false;       ///< false: cut off at max_length
};

// For all of these: a step of `batch` sequences (beam search: batch * width rows, those of one sequence side
// by side), in the state before `begin`. A sequence that has ended goes on stepping with `end`, to no effect.
// ShapeError without begin or end, for scores that are not [N,V] with begin, end and the banned tokens in V,
// for an end that is banned, and for options below 1; TapeError for scores that are NaN or +inf, and where
// those of all tokens that are not banned are -inf.

/// The likeliest token at each step, the first of equals.
std::vector<Hypothesis> decode_greedy(const DecodeStep& step, std::int64_t batch,
                                      const DecodeOptions& options);

struct SampleOptions {
  double temperature = 1;  ///< scores are divided by it; 0: greedy. TapeError unless finite and at least 0
  int top_k = 0;           ///< among the k likeliest (Fan, Lewis and Dauphin 2018); 0: all
  /// Sample only from the smallest set of tokens whose total probability is at least top_p (nucleus sampling,
  /// Holtzman et al. 2020).
  double top_p = 1;
};

/// A token by its score: drawn from softmax(score / temperature), cut to top_k, then to top_p, and
/// renormalised. Errors as above; TapeError for a top_p outside (0, 1].
int sample_token(std::span<const double> scores, const SampleOptions& options, Philox& random);

/// Draws each token by sample_token(). log_prob is that of softmax(scores), whatever the temperature, top_k
/// and top_p.
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
