#pragma once
/// @file atomic_file.h
/// Writing files so that a crash, a full disk or a power cut leaves the old one or the new one, whole.

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace uncial::io {

/// Replaces `path` by `bytes`: temporary file beside it (O_EXCL, O_NOFOLLOW), write, fsync, rename, fsync of
/// the folder. Refuses a directory or anything but a regular file in the way. Throws Error(io).
void write_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes);
void write_atomically(const std::filesystem::path& path, std::string_view text);

/// Reads a whole regular file of at most `limit` bytes. Throws Error(io) when it is missing, no regular file,
/// too large, or shrinks while being read.
std::string read_file(const std::filesystem::path& path, int64_t limit = int64_t(1) << 32);

/// Creates `folder` (and parents) if needed and proves by a probe file that it can be written.
/// Throws Error(io) naming the folder and the cause: call it before hours of work.
void require_writable_folder(const std::filesystem::path& folder);

/// A path or name as text for messages: control characters and invalid UTF-8 escaped.
std::string printable(std::string_view text);

}  // namespace uncial::io
