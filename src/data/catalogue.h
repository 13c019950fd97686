#pragma once
/// What is known about each data set: files, checksums, mirrors, class names.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace uncial::data {

/// One file as it is published.
struct FileRecord {
  std::string_view name;
  int64_t bytes;                  ///< as published; 0 for a member of an archive
  std::string_view sha256;        ///< of the published (compressed) bytes
  std::string_view plain_sha256;  ///< of the uncompressed bytes; empty where nobody published it
};

/// A zip archive that holds a data set's files in one folder.
struct ArchiveRecord {
  FileRecord file;
  std::string_view folder;  ///< before the members' names, with its slash
};

struct SetRecord {
  std::string_view name;
  std::string_view folder;          ///< below a data folder
  std::array<FileRecord, 4> files;  ///< training images and labels, test images and labels
  std::span<const std::string_view> mirrors;
  const ArchiveRecord* archive;  ///< null when the files are published one by one
  std::string_view classes;      ///< names, separated by commas
  int first_label;               ///< the files' number of the first class
  bool transposed;               ///< images are stored column by column
};

std::span<const SetRecord> catalogue();
/// Throws a usage Error listing the names there are.
const SetRecord& find_set(std::string_view name, std::string_view what);
std::vector<std::string> class_names(const SetRecord& set);

}  // namespace uncial::data
