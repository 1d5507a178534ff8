// Whole files: read into memory, mapped, or replaced in one step. Every failure is a FileError "path: why",
// on one line, with the system's reason. Nothing here knows what is in a file.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace spool {

/// Throws the FileError "path: why".
[[noreturn]] void fail_file(const std::string& path, std::string_view why);

/// Whether anything is at the path. FileError when the system can't tell, such as in a directory that this
/// user may not search.
bool file_exists(const std::string& path);

/// An open file, closed at the end of its life.
class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd();
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&&) = delete;
  int get() const { return fd_; }
  int release();

 private:
  int fd_;
};

/// All bytes of a file or a pipe. Throws FileError when it is missing, unreadable or a directory.
std::string read_file(const std::string& path);

/// The bytes of a regular file, in memory only as far as they are looked at. Errors as read_file.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  std::byte* data_ = nullptr;  // stays null for an empty file, which can't be mapped
  std::size_t size_ = 0;
};

}  // namespace spool
