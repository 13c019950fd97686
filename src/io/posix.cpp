#include "io/posix.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "uncial/core/error.h"
#include "uncial/io/atomic_file.h"

namespace uncial::io {
namespace {

std::string_view advice(int error) {
  switch (error) {
    case ENOENT:
      return " Check the path.";
    case EACCES:
    case EPERM:
      return " Check its owner and permissions.";
    case EROFS:
      return " The file system is read-only; choose another place.";
    case ENOSPC:
    case EDQUOT:
      return " Free some space, or choose another place.";
    case EFBIG:
      return " Raise the limit (ulimit -f), or choose another place.";
    case EMFILE:
    case ENFILE:
      return " Raise the limit of open files (ulimit -n).";
    default:
      return "";
  }
}

/// While alive, SIGXFSZ is held back from this thread; one that came is taken away at the end. write() then
/// returns EFBIG instead of ending the host.
class HoldFileSizeSignal {
 public:
  HoldFileSizeSignal() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  ~HoldFileSizeSignal() {
    if (sigismember(&before_, SIGXFSZ) == 0) {
      const timespec now{};
      while (sigtimedwait(&set_, nullptr, &now) < 0 && errno == EINTR) {
      }
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  HoldFileSizeSignal(const HoldFileSizeSignal&) = delete;
  HoldFileSizeSignal& operator=(const HoldFileSizeSignal&) = delete;

 private:
  sigset_t set_, before_;
};

}  // namespace

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = other.release();
  }
  return *this;
}

void FileDescriptor::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void fail_io(std::string_view what, const std::filesystem::path& path, int error) {
  fail(ErrorKind::io, what, ": ", printable(path.native()), ": ", std::generic_category().message(error), ".",
       advice(error));
}

void write_all(int fd, const void* data, size_t bytes, std::string_view what,
               const std::filesystem::path& path) {
  const HoldFileSizeSignal hold;
  const auto* in = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(fd, in, std::min<size_t>(bytes, size_t(1) << 30));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail_io(what, path, written < 0 ? errno : ENOSPC);
    in += written;
    bytes -= size_t(written);
  }
}

void sync_file(int fd, std::string_view what, const std::filesystem::path& path) {
  // Not retried: after a failed fsync the kernel may have dropped the dirty pages, and a second call
  // succeeds.
  if (::fsync(fd) != 0) fail_io(what, path, errno);
}

void sync_parent(std::string_view what, const std::filesystem::path& path) {
  const std::filesystem::path parent = path.has_parent_path() ? path.parent_path() : ".";
  const FileDescriptor folder(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) fail_io(what, parent, errno);
  // EINVAL: this file system has no such operation for folders, and nothing more can be done.
  if (::fsync(folder.get()) != 0 && errno != EINVAL) fail_io(what, parent, errno);
}

FileReader::FileReader(std::string_view what, const std::filesystem::path& path) : what_(what), path_(path) {
  // O_NONBLOCK: opening a FIFO without a writer would wait for ever.
  fd_ = FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd_) fail_io(what_, path_, errno);
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) fail_io(what_, path_, errno);
  if (S_ISDIR(status.st_mode)) fail_io(what_, path_, EISDIR);
  if (!S_ISREG(status.st_mode))
    fail(ErrorKind::io, what_, ": ", printable(path_.native()),
         ": is a device, FIFO or socket, expected a file.");
  size_ = status.st_size;
}

size_t FileReader::read(void* data, size_t bytes) {
  auto* out = static_cast<char*>(data);
  bytes = size_t(std::min<uint64_t>(bytes, uint64_t(size_ - position_)));
  size_t done = 0;
  while (done < bytes) {
    const ssize_t got = ::read(fd_.get(), out + done, std::min<size_t>(bytes - done, size_t(1) << 30));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_io(what_, path_, errno);
    if (got == 0)
      fail(ErrorKind::io, what_, ": ", printable(path_.native()), "@byte ", position_ + int64_t(done),
           ": the file shrank while being read, expected ", size_,
           " bytes. Read it again when nobody writes it.");
    done += size_t(got);
  }
  position_ += int64_t(done);
  return done;
}

void FileReader::seek(int64_t position) {
  if (::lseek(fd_.get(), position, SEEK_SET) < 0) fail_io(what_, path_, errno);
  position_ = position;
}

}  // namespace uncial::io
