#include "uncial/io/atomic_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/atomic_writer.h"
#include "support/errors.h"
#include "support/temp_folder.h"

using namespace uncial;
using namespace uncial::test;

namespace {

/// While alive, files cannot grow past `bytes`: what a full disk looks like, without a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limited{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limited);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("write_atomically makes and replaces files", "[io]") {
  const TempFolder folder;
  io::write_atomically(folder / "a", "first");
  CHECK(read_bytes(folder / "a") == "first");
  io::write_atomically(folder / "a", "");
  CHECK(read_bytes(folder / "a").empty());
  io::write_atomically(folder / "a name with spaces \xc3\xa4 \xf0\x9f\x99\x82\n", "x");
  CHECK(folder.names().size() == 2);
}

TEST_CASE("write_atomically refuses what it should not replace", "[io]") {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "folder");
  std::filesystem::create_symlink("elsewhere", folder / "link");
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  const auto before = folder.names();
  const auto refused = [&](const char* name, const char* kind) {
    check_error(
        ErrorKind::io, [&] { io::write_atomically(folder / name, "x"); }, name, kind);
  };
  refused("folder", "a folder is in the way");
  refused("link", "a symbolic link is in the way");
  refused("fifo", "FIFO");
  check_error(
      ErrorKind::io, [&] { io::write_atomically(folder / "missing/a", "x"); }, "missing");
  check_error(
      ErrorKind::io, [&] { io::write_atomically(folder / std::string(300, 'n'), "x"); }, "nnn");
  CHECK(folder.names() == before);
}

TEST_CASE("a write that fails leaves the old file and no other", "[io]") {
  const TempFolder folder;
  io::write_atomically(folder / "a", "old");
  {
    const FileSizeLimit limit(1000);
    check_error(
        ErrorKind::io, [&] { io::write_atomically(folder / "a", std::string(5000, 'x')); },
        "/a: ", "ulimit -f");
  }
  CHECK(read_bytes(folder / "a") == "old");
  CHECK(folder.names() == std::vector<std::string>{"a"});
}

TEST_CASE("what a killed writer left is removed, a living writer's file is not", "[io]") {
  const TempFolder folder;
  io::write_atomically(folder / "a", "old");
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    io::AtomicWriter writer("test", folder / "a");
    writer.write("half", 4);
    ::_exit(0);  // no destructors: as SIGKILL leaves it
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(read_bytes(folder / "a") == "old");
  CHECK(folder.names().size() == 2);

  io::AtomicWriter living("test", folder / "b");
  living.write("new b", 5);
  CHECK(folder.names().size() == 2);  // the dead one's is gone, ours is there
  io::write_atomically(folder / "a", "new");
  living.commit();
  CHECK(read_bytes(folder / "b") == "new b");
  CHECK(folder.names() == std::vector<std::string>{"a", "b"});
}

TEST_CASE("read_file reads regular files alone", "[io]") {
  const TempFolder folder;
  write_bytes(folder / "a", "12345");
  CHECK(io::read_file(folder / "a") == "12345");
  check_error(
      ErrorKind::io, [&] { io::read_file(folder / "a", 4); }, "5 bytes", "at most 4");
  check_error(
      ErrorKind::io, [&] { io::read_file(folder / "none"); }, "none", "No such file");
  check_error(
      ErrorKind::io, [&] { io::read_file(folder.path()); }, "directory");
  check_error(
      ErrorKind::io, [&] { io::read_file("/dev/zero"); }, "device");
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  check_error(
      ErrorKind::io, [&] { io::read_file(folder / "fifo"); }, "FIFO");
}

TEST_CASE("a file that shrinks while it is read is an error", "[io]") {
  const TempFolder folder;
  write_bytes(folder / "a", std::string(100, 'x'));
  io::FileReader file("test", folder / "a");
  std::filesystem::resize_file(folder / "a", 50);
  std::string content(100, '\0');
  check_error(
      ErrorKind::io, [&] { file.read(content.data(), 100); }, "@byte 50", "shrank");
}

TEST_CASE("require_writable_folder makes folders and finds bad ones", "[io]") {
  const TempFolder folder;
  io::require_writable_folder(folder / "x/y");
  CHECK(std::filesystem::is_empty(folder / "x/y"));
  write_bytes(folder / "file", "");
  check_error(
      ErrorKind::io, [&] { io::require_writable_folder(folder / "file/z"); }, "file/z");
  check_error(
      ErrorKind::io, [&] { io::require_writable_folder(folder / "file"); }, "file");
  check_error(
      ErrorKind::io, [&] { io::require_writable_folder("/proc/uncial"); }, "/proc/uncial");
}

TEST_CASE("printable keeps text and escapes the rest", "[io]") {
  CHECK(io::printable("a \xc3\xa4 \xf0\x9f\x99\x82") == "a \xc3\xa4 \xf0\x9f\x99\x82");
  CHECK(io::printable("a\nb\tc") == "a\\nb\\tc");
  CHECK(io::printable(std::string_view("\0\x1b[2J\x7f", 6)) == "\\x00\\x1b[2J\\x7f");
  CHECK(io::printable("\xc2\x9b") == "\\xc2\\x9b");                             // a C1 control: CSI
  CHECK(io::printable("\xff\xc3") == "\\xff\\xc3");                             // no UTF-8, cut UTF-8
  CHECK(io::printable("\xc0\x80\xed\xa0\x80") == "\\xc0\\x80\\xed\\xa0\\x80");  // overlong, surrogate
  CHECK(io::printable(std::string(1 << 20, 'x')).size() < 600);
}
