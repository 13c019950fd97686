#pragma once
/// A file from the internet to the disk: several mirrors, one checksum.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "uncial/data/download.h"

namespace uncial::data {

struct FetchRequest {
  std::vector<std::string> urls;  ///< the same file at several places, best first
  std::filesystem::path target;
  int64_t bytes;
  std::string sha256;
  std::string advice;  ///< ends the message when all fails: how to place the file by hand
};

/// Makes `target` the file with that checksum, unless it is already. Bytes gather in `<target>.part`, which
/// stays after a fault, so that the next call resumes; it is locked, so that a second process waits and then
/// finds the file done. Of the options, `directory` and `mirrors` are not looked at.
void fetch(const FetchRequest& request, const DownloadOptions& options);

/// SHA-256 of a file's bytes as lower-case hex. Throws Error(io).
std::string file_sha256(const std::filesystem::path& path);

}  // namespace uncial::data
