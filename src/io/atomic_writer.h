#pragma once
/// The steps of an atomic write, for writers that produce their bytes piece by piece.

#include <filesystem>
#include <string>

#include "io/posix.h"

namespace uncial::io {

/// Writes a temporary file beside `path`; commit() makes it `path`. Without commit() nothing changes and the
/// temporary file is removed. A process that dies leaves a file `.uncial-*.tmp`, which the next writer in
/// that folder removes: a living writer holds a lock on its own.
class AtomicWriter {
 public:
  /// Throws Error(io) when the folder cannot be written or something other than a regular file is in the way.
  AtomicWriter(std::string_view what, const std::filesystem::path& path);
  ~AtomicWriter();
  AtomicWriter(const AtomicWriter&) = delete;
  AtomicWriter& operator=(const AtomicWriter&) = delete;

  void write(const void* data, size_t bytes);
  /// fsync, rename, fsync of the folder, in that order. Throws Error(io).
  void commit();

 private:
  std::string what_;
  std::filesystem::path path_, temporary_;
  FileDescriptor fd_;
};

}  // namespace uncial::io
