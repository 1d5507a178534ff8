// Training: the loop over the text, and what it keeps so that it can go on as if it had never stopped.
#pragma once

#include "corpus.hpp"
#include "options.hpp"

namespace char_lm {

/// Trains, or goes on with --resume. Returns the exit code.
int train(const Options& options, const Corpus& corpus);

/// What a checkpoint says about the model in it.
spool::ModelDescription describe(const Options& options, const Corpus& corpus);

}  // namespace char_lm
