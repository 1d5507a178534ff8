// The command line of char_lm. Options that shape the model or its training are also kept in the checkpoint,
// so that --resume needs only --checkpoint, and can't go on with other settings by accident.
#pragma once

#include <cstdint>
#include <string>

namespace char_lm {

struct Options {
  std::string verb;  // train, sample or eval

  // what is learnt, kept in the checkpoint
  std::string text;  // empty: the source and docs of Spool itself
  std::string cell, optim, split;
  int layers = 0, hidden = 0, embed = 0, seq = 0, batch = 0;
  double dropout = 0, lr = 0, decay = 0, clip = 0;
  std::uint64_t seed = 0;

  // how far, and where to
  int epochs = 0, save_every = 0, threads = 0;
  std::int64_t steps = -1;  // -1: no bound
  double minutes = 0;       // 0: no bound
  std::string checkpoint, log;
  bool resume = false;

  // sampling
  std::string prime;
  int length = 0, top_k = 0;
  double temperature = 0, top_p = 0;
};

/// Reads the command line. `kept` is the text that to_config() gave for the checkpoint to go on with: it
/// fills in what the command line leaves open, and a contradiction is a UsageError. Prints help and ends the
/// program with 0 when asked to.
Options parse(int argc, char** argv, const std::string& kept = {});

/// The options to keep, one "--name=value" a line.
std::string to_config(const Options& options);

/// A command line that can't be followed. The program prints it and exits with 2.
struct UsageError {
  std::string what;
};

std::string last_file(const Options& options);  ///< the state that training goes on from
std::string best_file(const Options& options);  ///< the weights with the lowest validation loss

}  // namespace char_lm
