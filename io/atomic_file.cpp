#include <spool/io/atomic_file.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace spool {

namespace {

std::string reason() { return std::generic_category().message(errno); }

// Where the bytes really go: a link stays a link, and its target is replaced.
std::string resolved(const std::string& path) {
  std::error_code error;
  const auto target = std::filesystem::canonical(path, error);
  const std::string real = error ? path : target.string();
  struct stat status {};
  if (::stat(real.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
    fail_file(path, "can't be replaced: it is a directory or a device, not a regular file");
  return real;
}

// The lock lets a file that a killed program left behind be used again, and keeps two living ones apart.
Fd open_locked(const std::string& path, const std::string& temporary) {
  for (;;) {
    Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
    if (fd.get() < 0) fail_file(path, fmt::format("can't be written: {}: {}", temporary, reason()));
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
      fail_file(path, fmt::format("can't be written: {} is in use by another program", temporary));
    struct stat held {
    }, named{};
    const bool same = ::fstat(fd.get(), &held) == 0 && ::stat(temporary.c_str(), &named) == 0 &&
                      held.st_ino == named.st_ino && held.st_dev == named.st_dev;
    if (same) return fd;  // otherwise its last writer has renamed it between our open and our lock
  }
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path)
    : path_(resolved(path)), temporary_(path_ + ".tmp"), fd_(open_locked(path_, temporary_)) {
  struct stat old {};
  const bool keeps_mode = ::stat(path_.c_str(), &old) == 0;
  if (::ftruncate(fd_.get(), 0) != 0 || (keeps_mode && ::fchmod(fd_.get(), old.st_mode & 07777) != 0)) {
    ::unlink(temporary_.c_str());  // the destructor does not run after this throw
    fail();
  }
}

AtomicFile::~AtomicFile() {
  if (!committed_) ::unlink(temporary_.c_str());
}

void AtomicFile::fail() const { fail_file(path_, fmt::format("can't be written: {}", reason())); }

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(fd_.get(), bytes.data(), bytes.size());
    if (done < 0 && errno != EINTR) fail();
    if (done > 0) bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
}

void AtomicFile::commit() {
  if (::fsync(fd_.get()) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) fail();
  committed_ = true;
  const auto parent = std::filesystem::path(path_).parent_path();
  const Fd directory(::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Some file systems have no sync for directories and say EINVAL; there is nothing more to do there.
  if (directory.get() < 0 || (::fsync(directory.get()) != 0 && errno != EINVAL)) fail();
}

void write_file(const std::string& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

}  // namespace spool
