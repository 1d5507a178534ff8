// Checkpoints: all that a training run needs to go on as if it had never stopped, in one safetensors file
// that is written in one step (see AtomicFile). Tensors keep their names ("model.weight_ih_l0"), so other
// programs can read the weights; counts, numbers and texts are in the file's metadata, and come back exactly.
//
//   Checkpoint c;
//   c.model = {{"cell", "lstm"}, {"hidden", "128"}};
//   c.state.add("model", snapshot(parameters(model)));
//   c.state.add("random", snapshot(tape.random()));
//   c.state.counts["step"] = step;
//   save_checkpoint("run/last.safetensors", c);
#pragma once

#include <spool/graph/op.hpp>
#include <spool/graph/snapshot.hpp>

#include <map>
#include <string>
#include <vector>

namespace spool {

/// What a model is, in the program's own words: {"cell", "lstm"}, {"hidden", "128"}.
using ModelDescription = std::map<std::string, std::string>;

struct Checkpoint {
  ModelDescription model = {};
  Snapshot state = {};
};

/// Replaces the file by this checkpoint. Throws FileError when it can't be written; the old file, if any, is
/// then as it was.
void save_checkpoint(const std::string& path, const Checkpoint& checkpoint);

/// Throws FileError for a file that is missing, malformed, or no checkpoint.
Checkpoint load_checkpoint(const std::string& path);
/// The same, and a FileError that names the differences when the checkpoint's model is not `expected`.
Checkpoint load_checkpoint(const std::string& path, const ModelDescription& expected);

/// The state of random ops (Tape::random), and back.
Snapshot snapshot(RandomState random);
RandomState random_state(const Snapshot& from);

/// Tensors by position, such as Carried::values(), and back. Throws FileError when their number or a shape
/// differs from what `values` has; `values` is then unchanged.
Snapshot snapshot(const std::vector<Tensor>& values);
void restore(std::vector<Tensor>& values, const Snapshot& from);

}  // namespace spool
