// The text to learn: read, turned into whole numbers, and divided into its three parts.
#pragma once

#include "options.hpp"

#include <spool/spool.hpp>

#include <string>
#include <vector>

namespace char_lm {

struct Corpus {
  spool::Vocabulary vocabulary;
  std::vector<int> all;
  spool::TextSplit parts;   // of `all`
  std::string fingerprint;  // tells whether it is the text that a checkpoint is about
};

/// Reads --text, or the embedded one. Throws spool::FileError, and UsageError for a split that is none.
Corpus read_corpus(const Options& options);

}  // namespace char_lm
