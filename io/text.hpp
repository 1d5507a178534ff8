// Text files: UTF-8, plain or gzip-compressed.
#pragma once

#include <string>

namespace spool {

/// The text of a file, or of a pipe; a gzip file (told by its first bytes, whatever it is called) is unpacked
/// and a byte order mark at the beginning dropped. Line ends stay as they are. Throws FileError when the file
/// is missing, unreadable, a directory, empty, damaged gzip, or not UTF-8 (with the byte and the line).
std::string read_text(const std::string& path);

}  // namespace spool
