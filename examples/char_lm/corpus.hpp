// The text to learn: read, turned into whole numbers, and divided into its three parts.
#pragma once

#include "options.hpp"

#include <spool/spool.hpp>

#include <optional>
#include <string>

namespace char_lm {

struct Corpus {
  spool::Vocabulary vocabulary;
  std::size_t characters;  // of the part to train on
  spool::TextBatches train, validation;
  std::optional<spool::TextBatches> test;  // nothing where --split leaves none
  std::string fingerprint;                 // tells whether it is the text that a checkpoint is about
};

/// Reads --text, or the embedded one. Throws spool::FileError, and UsageError for a split that is none or
/// that leaves a part too short to be read.
Corpus read_corpus(const Options& options);

}  // namespace char_lm
