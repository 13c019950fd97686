#include "data/fetch.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "data/transfer.h"
#include "io/posix.h"
#include "uncial/core/log.h"
#include "uncial/core/sha256.h"
#include "uncial/io/atomic_file.h"

namespace uncial::data {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kWhat = "download";

/// The partial file, locked for this process.
class PartFile {
 public:
  explicit PartFile(const fs::path& target) : path_(target.native() + ".part") {
    // Whoever held the lock before may have renamed or removed the file: then the name means another one now.
    do {
      fd_ = io::FileDescriptor(
          ::open(path_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0666));
      if (!fd_) io::fail_io(kWhat, path_, errno);
      while (::flock(fd_.get(), LOCK_EX) != 0)
        if (errno != EINTR) io::fail_io(kWhat, path_, errno);
    } while (!still_there());
  }
  int fd() const { return fd_.get(); }
  const fs::path& path() const { return path_; }

  /// Bytes so far; the next write goes behind them.
  int64_t seek_end() {
    const off_t end = ::lseek(fd_.get(), 0, SEEK_END);
    if (end < 0) io::fail_io(kWhat, path_, errno);
    return end;
  }
  void clear() {
    if (::ftruncate(fd_.get(), 0) != 0) io::fail_io(kWhat, path_, errno);
  }
  void remove() { ::unlink(path_.c_str()); }
  void become(const fs::path& target) {
    io::sync_file(fd_.get(), kWhat, path_);
    if (::rename(path_.c_str(), target.c_str()) != 0) io::fail_io(kWhat, target, errno);
    io::sync_parent(kWhat, target);
  }

 private:
  bool still_there() const {
    struct stat mine {
    }, named{};
    return ::fstat(fd_.get(), &mine) == 0 && ::lstat(path_.c_str(), &named) == 0 &&
           mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
  }

  fs::path path_;
  io::FileDescriptor fd_;
};

bool is_done(const FetchRequest& request) {
  std::error_code error;
  if (!fs::exists(request.target, error)) return false;
  if (file_sha256(request.target) == request.sha256) return true;
  log(LogLevel::warning, join("download: ", io::printable(request.target.native()),
                              " is damaged (its SHA-256 differs); fetching it again"));
  return false;
}

/// What is wrong with a file that came whole, or nothing.
std::string content_fault(const FetchRequest& request, PartFile& part) {
  const int64_t bytes = part.seek_end();
  if (bytes != request.bytes && bytes > 0) {
    char first = 0;
    if (::pread(part.fd(), &first, 1, 0) == 1 && first == '<')
      return join("looks like HTML (", bytes, " bytes), expected ", request.bytes, " bytes");
  }
  if (bytes != request.bytes) return join("sent ", bytes, " bytes, expected ", request.bytes);
  const std::string sum = file_sha256(part.path());
  return sum == request.sha256 ? "" : join("SHA-256 is ", sum, ", expected ", request.sha256);
}

struct Outcome {
  std::string fault;         ///< empty: the part file is the file
  bool wrong_bytes = false;  ///< the server sent something else
};

/// Tries one mirror: going on from what is there, and if that leads nowhere once more from the start.
Outcome try_mirror(const std::string& url, const FetchRequest& request, const DownloadOptions& options,
                   PartFile& part) {
  const std::string name = request.target.filename();
  for (;;) {
    int64_t offset = part.seek_end();
    if (offset == request.bytes && content_fault(request, part).empty()) return {};
    if (offset >= request.bytes) {
      part.clear();
      offset = part.seek_end();
    }
    const auto progress = [&](int64_t done) {
      if (options.progress) options.progress(name, done, request.bytes);
    };
    const TransferResult result = transfer({url, part.fd(), part.path(), offset, request.bytes,
                                            options.connect_seconds, options.stall_seconds, progress});
    Outcome outcome{result.fault, result.too_long};
    if (result.fault.empty()) {
      outcome = {content_fault(request, part), true};
      if (outcome.fault.empty()) return {};
    }
    // A transfer that was cut leaves good bytes to resume from; one that came whole and wrong does not.
    const bool useless = outcome.wrong_bytes || result.cannot_resume;
    if (useless) part.clear();
    if (!useless || offset == 0) return outcome;
  }
}

}  // namespace

std::string file_sha256(const fs::path& path) {
  io::FileReader file(kWhat, path);
  std::vector<char> block(1 << 20);
  Sha256 hash;
  while (const size_t got = file.read(block.data(), block.size())) hash.update(block.data(), got);
  return hash.hex();
}

void fetch(const FetchRequest& request, const DownloadOptions& options) {
  if (is_done(request)) return;
  require_transfers(request.advice);
  std::error_code error;
  fs::create_directories(request.target.parent_path(), error);
  if (error) io::fail_io(kWhat, request.target.parent_path(), error.value());

  PartFile part(request.target);
  std::string faults;
  bool wrong_bytes = false;
  // While this process waited for the lock, another one may have brought the file.
  if (fs::exists(request.target, error) && file_sha256(request.target) == request.sha256)
    return part.remove();
  for (const std::string& url : request.urls) {
    const Outcome outcome = try_mirror(url, request, options, part);
    if (outcome.fault.empty()) return part.become(request.target);
    faults += join(faults.empty() ? "" : "; ", io::printable(url), ": ", outcome.fault);
    wrong_bytes = wrong_bytes || outcome.wrong_bytes;
  }
  if (part.seek_end() == 0) part.remove();
  fail(wrong_bytes ? ErrorKind::data : ErrorKind::io, kWhat, ": ", io::printable(request.target.native()),
       ": no mirror delivered it: ", faults, ". ", request.advice);
}

}  // namespace uncial::data
