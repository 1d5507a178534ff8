// Files that may be compressed. For io/ itself.
#pragma once

#include <string>

namespace spool {

/// All bytes of a file or a pipe; gzip, told by its first bytes, is unpacked. Throws FileError as read_file,
/// and when what is compressed is damaged or truncated.
std::string read_unpacked(const std::string& path);

}  // namespace spool
