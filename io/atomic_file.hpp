// AtomicFile: a file that is replaced as a whole or not at all. The content goes to "path.tmp" in the same
// directory; commit() syncs it, renames it over the path and syncs the directory. Whatever goes wrong before
// (a full disk, an exception, the power), whoever reads the path finds the old file or the new one.
#pragma once

#include <spool/io/file.hpp>

namespace spool {

class AtomicFile {
 public:
  /// Throws FileError when the directory can't be written to, the path is a directory or a device, or
  /// another program is writing the same file. A symbolic link is followed.
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();  ///< Removes the temporary file unless commit() was reached.
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Appends. Throws FileError when the system refuses (no space left, ...).
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  /// Puts the file in its place. Call it once, last.
  void commit();

 private:
  [[noreturn]] void fail() const;

  std::string path_, temporary_;
  Fd fd_;
  bool committed_ = false;
};

/// Replaces the file at the path by this content, as AtomicFile does.
void write_file(const std::string& path, std::string_view content);

}  // namespace spool
