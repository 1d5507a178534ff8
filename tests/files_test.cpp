// Files as a whole: replaced in one step or not at all, and read with the system's reason when they can't be.
#include <spool/io/atomic_file.hpp>
#include <spool/io/utf8.hpp>
#include <spool/spool.hpp>

#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "catch.hpp"
#include "scratch.hpp"

using namespace spool;
namespace fs = std::filesystem;

namespace {

std::size_t entries(const Scratch& scratch) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(scratch.path()), {}));
}

// While it lives no file can grow past this size: writing fails as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    old_signal_ = std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_signal_);
  }

 private:
  rlimit old_{};
  void (*old_signal_)(int) = nullptr;
};

}  // namespace

TEST_CASE("whether a file exists, where that can be told") {
  const Scratch scratch;
  CHECK(file_exists(scratch.file("a", "")));
  CHECK(file_exists(scratch.path().string()));
  CHECK(!file_exists(scratch / "b"));
  CHECK(!file_exists(scratch / "a/b"));
  const std::string loop = scratch / "loop";
  fs::create_symlink("loop", loop);
  CHECK_THROWS_WITH(file_exists(loop + "/a"), loop + "/a: Too many levels of symbolic links");
  CHECK_THROWS_AS(file_exists(loop + "/a"), FileError);
}

TEST_CASE("a file is replaced as a whole") {
  const Scratch scratch;
  const std::string path = scratch.file("a", "old");
  ::chmod(path.c_str(), 0600);
  {
    AtomicFile file(path);
    file.write("new ");
    CHECK(bytes_of(path) == "old");
    file.write("content");
    file.commit();
  }
  CHECK(bytes_of(path) == "new content");
  CHECK(entries(scratch) == 1);
  CHECK(fs::status(path).permissions() == fs::perms(0600));
}

TEST_CASE("a write that fails leaves the old file and nothing else") {
  const Scratch scratch;
  const std::string path = scratch.file("a", "old");
  {
    const FileSizeLimit full(1000);
    CHECK_THROWS_WITH(write_file(path, std::string(5000, 'x')), path + ": can't be written: File too large");
    write_file(path, std::string(1000, 'y'));
  }
  CHECK(bytes_of(path) == std::string(1000, 'y'));
  { AtomicFile abandoned(path); }
  CHECK(bytes_of(path) == std::string(1000, 'y'));
  CHECK(entries(scratch) == 1);
}

TEST_CASE("what can't be written says why") {
  const Scratch scratch;
  CHECK_THROWS_WITH(
      write_file(scratch / "no/a", ""),
      scratch / "no/a" + ": can't be written: " + (scratch / "no/a.tmp") + ": No such file or directory");
  CHECK_THROWS_WITH(write_file(scratch / "", ""),
                    scratch / "" + ": can't be replaced: it is a directory or a device, not a regular file");
  CHECK_THROWS_WITH(write_file("/dev/full", "x"),
                    "/dev/full: can't be replaced: it is a directory or a device, not a regular file");
  const std::string path = scratch / "a";
  const AtomicFile first(path);
  CHECK_THROWS_WITH(AtomicFile(path),
                    path + ": can't be written: " + path + ".tmp is in use by another program");
}

TEST_CASE("a directory that may not be written to keeps its file") {
  const Scratch scratch;
  const std::string path = scratch.file("a", "old");
  fs::permissions(scratch.path(), fs::perms(0555));
  const bool root = ::geteuid() == 0;  // who may write anywhere; be nobody for a moment
  if (root) REQUIRE(::seteuid(65534) == 0);
  std::string message;
  try {
    write_file(path, "new");
  } catch (const FileError& e) {
    message = e.what();
  }
  if (root) REQUIRE(::seteuid(0) == 0);
  fs::permissions(scratch.path(), fs::perms(0755));
  CHECK(message == path + ": can't be written: " + path + ".tmp: Permission denied");
  CHECK(bytes_of(path) == "old");
  CHECK(entries(scratch) == 1);
}

TEST_CASE("a file that a killed program left half written is no obstacle, and a link stays a link") {
  const Scratch scratch;
  scratch.file("a.tmp", "half of someth");
  write_file(scratch / "a", "all");
  CHECK(bytes_of(scratch / "a") == "all");
  fs::create_symlink("a", scratch / "link");
  write_file(scratch / "link", "more");
  CHECK(fs::is_symlink(scratch / "link"));
  CHECK(bytes_of(scratch / "a") == "more");
  CHECK(entries(scratch) == 2);
}

TEST_CASE("a text is read as it is, without its byte order mark") {
  const Scratch scratch;
  const std::string text = "Zo\xC3\xAB\r\n\xE4\xBD\xA0\xE5\xA5\xBD \xF0\x9F\x98\x80\n";
  CHECK(read_text(scratch.file("plain", text)) == text);
  CHECK(read_text(scratch.file("bom", "\xEF\xBB\xBF" + text)) == text);
}

TEST_CASE("gzip is told by its first bytes") {
  const Scratch scratch;
  // "hello hello hello\n" as gzip -9 writes it.
  const std::string packed(
      "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xcb\x48\xcd\xc9\xc9\x57\xc8\x40\x90\x5c"
      "\x00\x3b\x7c\x8a\xdf\x12\x00\x00\x00",
      29);
  CHECK(read_text(scratch.file("a", packed)) == "hello hello hello\n");
  CHECK(read_text(scratch.file("two", packed + packed)) == "hello hello hello\nhello hello hello\n");
  for (std::size_t cut = 2; cut < packed.size(); ++cut) {
    INFO("cut to " << cut);
    CHECK_THROWS_AS(read_text(scratch.file("cut", packed.substr(0, cut))), FileError);
  }
  std::string wrong = packed;
  wrong[22] ^= 1;  // in the checksum
  const std::string path = scratch.file("wrong", wrong);
  CHECK_THROWS_WITH(read_text(path), path + ": is damaged or truncated gzip");
}

TEST_CASE("what is no text says why") {
  const Scratch scratch;
  const auto refused = [&](const std::string& content, const std::string& why) {
    const std::string path = scratch.file("text", content);
    CHECK_THROWS_WITH(read_text(path), path + ": " + why);
  };
  refused("", "is empty");
  refused("\xEF\xBB\xBF", "is empty");
  refused("one\ntw\xE9o\n",
          "is not UTF-8 text: byte 6 (0xe9) at line 2, column 3; convert it to UTF-8 first");
  refused("\xEF\xBB\xBF\xFF",
          "is not UTF-8 text: byte 3 (0xff) at line 1, column 2; convert it to UTF-8 first");
  CHECK_THROWS_WITH(read_text(scratch / "none"), scratch / "none" + ": No such file or directory");
  CHECK_THROWS_WITH(read_text(scratch.path()), scratch.path().string() + ": is a directory, not a file");
}

TEST_CASE("UTF-8 is accepted and refused as RFC 3629 says") {
  const auto valid = [](std::string_view text) { return !find_invalid_utf8(text); };
  for (char32_t c : {0x0u, 0x7Fu, 0x80u, 0x7FFu, 0x800u, 0xD7FFu, 0xE000u, 0xFFFFu, 0x10000u, 0x10FFFFu}) {
    std::string text;
    append_utf8(text, c);
    std::size_t at = 0;
    CHECK(next_code_point(text, at) == c);
    CHECK(at == text.size());
    if (c >= 0x80) CHECK(!valid(std::string_view(text).substr(0, text.size() - 1)));
  }
  for (const char* bad : {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xED\xA0\x80",
                          "\xED\xBF\xBF", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
                          "\xF5\x80\x80\x80", "\xF8\x88\x80\x80\x80", "\xFE", "\xFF", "\xC3(", "\xE2\x82("})
    CHECK(!valid(bad));
  CHECK(in_quotes("a\n\x01\xFF\xC3\xA9") == "\"a\\x0a\\x01\\xff\xC3\xA9\"");
  CHECK(in_quotes(std::string(1000, 'a')).size() < 130);
}
