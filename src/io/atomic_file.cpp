#include "uncial/io/atomic_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <memory>

#include "io/atomic_writer.h"
#include "uncial/core/error.h"

namespace uncial::io {
namespace {

constexpr std::string_view kPrefix = ".uncial-", kSuffix = ".tmp";

std::filesystem::path temporary_name(const std::filesystem::path& folder) {
  static std::atomic<uint64_t> counter{0};
  return folder / join(kPrefix, ::getpid(), "-", counter.fetch_add(1), kSuffix);
}

bool is_temporary(std::string_view name) { return name.starts_with(kPrefix) && name.ends_with(kSuffix); }

/// Removes temporary files whose writer is gone. Best effort: errors here must not stop a save.
void remove_leftovers(const std::filesystem::path& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(folder.c_str()), ::closedir);
  if (!entries) return;
  while (const dirent* entry = ::readdir(entries.get())) {
    if (!is_temporary(entry->d_name)) continue;
    const std::filesystem::path path = folder / entry->d_name;
    const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) ::unlink(path.c_str());
  }
}

/// A new, locked, empty file in `folder`.
std::pair<FileDescriptor, std::filesystem::path> create_temporary(std::string_view what,
                                                                  const std::filesystem::path& folder) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    std::filesystem::path path = temporary_name(folder);
    FileDescriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
    if (!fd && errno == EEXIST) continue;
    if (!fd) fail_io(what, folder, errno);
    // Somebody's remove_leftovers() may have come between creating and locking: then the name is gone.
    const bool locked = ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
    struct stat status {};
    if (locked && ::fstat(fd.get(), &status) == 0 && status.st_nlink == 1)
      return {std::move(fd), std::move(path)};
  }
  fail_io(what, folder, EEXIST);
}

void refuse_anything_but_a_file(std::string_view what, const std::filesystem::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) fail_io(what, path, errno);
  } else if (!S_ISREG(status.st_mode)) {
    fail(ErrorKind::io, what, ": ", printable(path.native()), ": a ",
         S_ISDIR(status.st_mode)   ? "folder"
         : S_ISLNK(status.st_mode) ? "symbolic link"
                                   : "device, FIFO or socket",
         " is in the way, expected a file or nothing. Move it away, or choose another name.");
  }
}

}  // namespace

AtomicWriter::AtomicWriter(std::string_view what, const std::filesystem::path& path)
    : what_(what), path_(path) {
  if (!path_.has_filename()) fail_io(what_, path_, EISDIR);
  refuse_anything_but_a_file(what_, path_);
  const std::filesystem::path folder = path_.has_parent_path() ? path_.parent_path() : ".";
  remove_leftovers(folder);
  std::tie(fd_, temporary_) = create_temporary(what_, folder);
}

AtomicWriter::~AtomicWriter() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicWriter::write(const void* data, size_t bytes) { write_all(fd_.get(), data, bytes, what_, path_); }

void AtomicWriter::commit() {
  sync_file(fd_.get(), what_, path_);
  refuse_anything_but_a_file(what_, path_);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_io(what_, path_, errno);
  temporary_.clear();
  // close() reports what a network file system could not keep.
  if (::close(fd_.release()) != 0 && errno != EINTR) fail_io(what_, path_, errno);
  sync_parent(what_, path_);
}

void write_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  AtomicWriter writer("write_atomically", path);
  writer.write(bytes.data(), bytes.size());
  writer.commit();
}

void write_atomically(const std::filesystem::path& path, std::string_view text) {
  write_atomically(path, std::as_bytes(std::span<const char>(text)));
}

std::string read_file(const std::filesystem::path& path, int64_t limit) {
  FileReader file("read_file", path);
  if (file.size() > limit)
    fail(ErrorKind::io, "read_file: ", printable(path.native()), ": has ", file.size(),
         " bytes, expected at most ", limit, ".");
  std::string content(size_t(file.size()), '\0');
  file.read(content.data(), content.size());
  return content;
}

void require_writable_folder(const std::filesystem::path& folder) {
  constexpr std::string_view kWhat = "require_writable_folder";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail_io(kWhat, folder, error.value());
  remove_leftovers(folder);
  const auto [fd, path] = create_temporary(kWhat, folder);
  // One byte: a full disk or a used-up quota shows itself only when data needs a block.
  struct Unlink {
    const std::filesystem::path& path;
    ~Unlink() { ::unlink(path.c_str()); }
  } const unlink{path};
  write_all(fd.get(), "", 1, kWhat, folder);
  sync_file(fd.get(), kWhat, folder);
}

}  // namespace uncial::io
