#pragma once
/// @file download.h
/// Data sets by name: loading the files of one, and fetching them from the internet first.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "uncial/data/mnist.h"

namespace uncial::data {

/// "mnist", "fashion_mnist", "kmnist", and "emnist_balanced", "emnist_byclass", "emnist_bymerge",
/// "emnist_digits", "emnist_letters", "emnist_mnist".
std::vector<std::string> names();

/// The data set called `name`, as uint8 images (N, 1, 28, 28), 0 = paper, 255 = ink, and labels from 0.
/// EMNIST's pictures, which are stored lying on their side, come upright. Checksums are verified. Throws a
/// usage Error for an unknown name, Error(io) when a file is not found, Error(data) when one is damaged.
Splits load(std::string_view name, const LoadOptions& options = {});

/// Options of download().
struct DownloadOptions {
  /// Where the files go: into a folder named like the data set below this one. Empty: UNCIAL_DATA, or else
  /// the data folder of the source tree when the library was built from one that is still there.
  std::filesystem::path directory = {};
  /// Replaces the built-in mirrors: URLs that a file's name is appended to. Checksums hold all the same.
  std::vector<std::string> mirrors = {};
  int connect_seconds = 8;  ///< for one connection; three dead mirrors fail in under 30 s
  int stall_seconds = 30;   ///< a transfer slower than 256 bytes a second for so long is given up
  /// Called now and then with the file's name, bytes so far and bytes in all; may throw to stop.
  std::function<void(std::string_view file, int64_t done, int64_t total)> progress = {};
};

/// Brings the files of the data set `name` to disk and returns their folder. Files that are there and whole
/// are kept, damaged ones fetched again (with a warning to the log). A transfer that was cut off is resumed;
/// a file appears under its name only after its SHA-256 was found right; two processes at once do not disturb
/// each other. EMNIST is one archive of 562 MB for all its sets; it is kept beside the files taken out of it.
/// Throws a usage Error for an unknown name, Error(data) when a mirror sent other bytes than it should have
/// and no other mirror helped, and Error(io) for all other trouble, listing every mirror with its fault and
/// how to place the files by hand; a build without libcurl says so.
std::filesystem::path download(std::string_view name, const DownloadOptions& options = {});

}  // namespace uncial::data
