// What a trained model is used for: writing text, and measuring it on text.
#pragma once

#include "options.hpp"

#include <spool/spool.hpp>

namespace char_lm {

/// Writes --length characters after --prime to standard output.
void sample(const Options& options, const spool::Checkpoint& checkpoint);

/// Prints the loss on the validation and test parts of the checkpoint's text.
void eval(const Options& options, const spool::Checkpoint& checkpoint);

}  // namespace char_lm
