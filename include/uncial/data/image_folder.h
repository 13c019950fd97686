#pragma once
/// @file image_folder.h
/// A data set of one's own: a folder of pictures for each class.

#include <filesystem>

#include "uncial/data/dataset.h"

namespace uncial::data {

/// Options of image_folder().
struct ImageFolderOptions {
  int channels = 1;                       ///< 1: grey (colours by luma, ITU-R BT.601), 3: red, green, blue
  bool invert = false;                    ///< 255 - value: for black ink on white paper, as 255 is ink here
  int64_t max_pixels = int64_t(1) << 24;  ///< of one picture
};

/// Reads every PNG file of every subfolder of `path`: a subfolder is a class, its name the class's name;
/// classes and pictures come in the order of their names' bytes. Pictures must be of one size. Names that
/// begin with a dot are passed over; so are files that do not end in .png, with a warning to the log. Throws
/// Error(io) when a folder or file cannot be read, and Error(data) when there is no picture, a class is
/// empty, there are more than 256 classes, sizes differ, or a file is no whole PNG.
Dataset image_folder(const std::filesystem::path& path, const ImageFolderOptions& options = {});

}  // namespace uncial::data
