#pragma once
/// @file mnist.h
/// Handwritten digits: the data set that comes with the library.

#include <filesystem>

#include "uncial/data/dataset.h"

namespace uncial::data {

/// Options of mnist() and load().
struct LoadOptions {
  /// Folder with the files, or with a folder named like the data set that has them. Empty: searched in this
  /// order: the environment variable UNCIAL_DATA, the installed share folder, the source tree the library was
  /// built from.
  std::filesystem::path directory = {};
};

/// MNIST: 60,000 training and 10,000 test images (1, 28, 28) of the digits 0 to 9 (LeCun, Cortes & Burges,
/// 1998). Pixels 0 = paper, 255 = ink. The SHA-256 of each file's uncompressed bytes is checked. Throws
/// Error(io) when a file is not found, listing where it was looked for, and Error(data) when one is damaged;
/// both say how to get it again.
Splits mnist(const LoadOptions& options = {});

}  // namespace uncial::data
