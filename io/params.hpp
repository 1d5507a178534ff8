// Parameters by name, to and from files and snapshots. Loading is all or nothing: names and shapes are
// compared first, and nothing changes unless everything fits.
#pragma once

#include <spool/graph/param.hpp>
#include <spool/graph/snapshot.hpp>

#include <string>
#include <vector>

namespace spool {

struct LoadOptions {
  /// Refuse a file that lacks a parameter or has a tensor too many. A wrong shape is always refused.
  bool strict = true;
};

/// What a load that is not strict has passed over.
struct LoadReport {
  std::vector<std::string> missing;  ///< parameters that the file does not have; they are unchanged
  std::vector<std::string> unused;   ///< tensors of the file that no parameter is called by
};

/// Writes each parameter under its name, as safetensors. One parameter held several times is written once.
/// Throws TapeError when different parameters share a name, FileError when the file can't be written.
void save_params(const std::string& path, const Params& params);
/// Reads what save_params, or any other writer of safetensors, wrote. Numbers are converted to the
/// parameter's own dtype. Throws FileError naming every tensor that is missing, superfluous or of another
/// shape.
LoadReport load_params(const std::string& path, const Params& params, LoadOptions options = {});

/// The parameters as tensors of a snapshot, and back. Errors as above.
Snapshot snapshot(const Params& params);
LoadReport restore(const Params& params, const Snapshot& from, LoadOptions options = {});

}  // namespace spool
