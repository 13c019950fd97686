#pragma once
/// @file png.h
/// Reading PNG pictures that may come from strangers.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "uncial/core/tensor.h"

namespace uncial::io {

/// Options of read_png().
struct PngOptions {
  int64_t max_pixels =
      int64_t(1) << 24;      ///< width * height; checked before anything of that size is allocated
  uint8_t background = 255;  ///< what shows through transparent pixels: white
};

/// A PNG file as uint8 (C, H, W), row-major: C = 1 for grey pictures, 3 (red, green, blue) for colour and
/// palette ones. All bit depths and interlacing are read; 16 bits are rounded to 8, transparency is laid over
/// `background`. Values are the file's, without gamma or colour profile (like most readers for learning).
///
/// Every checksum is verified and nothing may follow the picture. Ancillary chunks are skipped unread, so
/// texts and profiles cannot be used as decompression bombs. Throws Error(io) when the file cannot be read or
/// this build has no libpng, Error(data) naming place and cause when its content is wrong.
Tensor read_png(const std::filesystem::path& path, const PngOptions& options = {});
/// The same for a file in memory; `name` stands for the path in messages.
Tensor read_png(std::span<const std::byte> bytes, const std::string& name, const PngOptions& options = {});

}  // namespace uncial::io
