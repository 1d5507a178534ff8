#include <spool/graph/error.hpp>
#include <spool/io/file.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

namespace spool {

void fail_file(const std::string& path, std::string_view why) {
  throw FileError(fmt::format("{}: {}", path, why));
}

bool file_exists(const std::string& path) {
  std::error_code error;
  const bool found = std::filesystem::exists(path, error);
  if (error) fail_file(path, error.message());
  return found;
}

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

int Fd::release() { return std::exchange(fd_, -1); }

namespace {

[[noreturn]] void fail_system(const std::string& path) {
  fail_file(path, std::generic_category().message(errno));
}

// Opens for reading whatever is not a directory.
Fd open_to_read(const std::string& path, struct stat& status) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0 || ::fstat(fd.get(), &status) != 0) fail_system(path);
  if (S_ISDIR(status.st_mode)) fail_file(path, "is a directory, not a file");
  return fd;
}

}  // namespace

std::string read_file(const std::string& path) {
  struct stat status {};
  const Fd fd = open_to_read(path, status);
  std::string content;
  // The size is only a hint: a pipe has none, and a file may grow.
  std::size_t room = static_cast<std::size_t>(status.st_size) + 1;
  for (;;) {
    const std::size_t had = content.size();
    content.resize(had + room);
    const ssize_t got = ::read(fd.get(), content.data() + had, room);
    content.resize(had + static_cast<std::size_t>(got > 0 ? got : 0));
    if (got == 0) return content;
    if (got < 0 && errno != EINTR) fail_system(path);
    room = std::size_t{1} << 16;
  }
}

MappedFile::MappedFile(const std::string& path) {
  struct stat status {};
  const Fd fd = open_to_read(path, status);
  if (!S_ISREG(status.st_mode)) fail_file(path, "is not a regular file");
  if (status.st_size == 0) return;
  size_ = static_cast<std::size_t>(status.st_size);
  void* const mapped = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (mapped == MAP_FAILED) fail_system(path);
  data_ = static_cast<std::byte*>(mapped);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace spool
