#pragma once
/// Files as the operating system sees them: descriptors that close themselves, and errors with path and
/// cause.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace uncial::io {

/// Owns a file descriptor.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() { close(); }
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void close();

 private:
  int fd_ = -1;
};

/// Throws Error(io): "<what>: <path>: <cause of `error`>. <advice>", advice computed from the errno value.
[[noreturn]] void fail_io(std::string_view what, const std::filesystem::path& path, int error);

/// Writes all bytes. Throws Error(io), also when the file-size limit is hit: SIGXFSZ never reaches the host.
void write_all(int fd, const void* data, size_t bytes, std::string_view what,
               const std::filesystem::path& path);

/// fsync. Throws Error(io).
void sync_file(int fd, std::string_view what, const std::filesystem::path& path);
/// fsync of the folder that holds `path`, so that a rename in it survives a power cut. Throws Error(io).
void sync_parent(std::string_view what, const std::filesystem::path& path);

/// Reads a regular file from its start. A file that shrinks meanwhile is an Error(io), not a signal:
/// read() rather than mmap.
class FileReader {
 public:
  /// `what` opens every message, such as "read_idx". Throws Error(io) when missing, unreadable, or no regular
  /// file (a FIFO or device is refused at once: it could block or never end).
  FileReader(std::string_view what, const std::filesystem::path& path);
  int64_t size() const { return size_; }
  int64_t position() const { return position_; }
  /// Up to `bytes` bytes; fewer only at the end of the file.
  size_t read(void* data, size_t bytes);
  /// Continues at `position`, an offset in [0, size()].
  void seek(int64_t position);

 private:
  std::string what_;
  std::filesystem::path path_;
  FileDescriptor fd_;
  int64_t size_ = 0, position_ = 0;
};

}  // namespace uncial::io
