#pragma once
/// The outer structure of a PNG file, checked before any of it is decoded.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace uncial::io {

struct PngHeader {
  int64_t width, height;
};

/// Checks signature, chunk lengths, checksums and order (PNG 1.2, section 4), the extents and `max_pixels`.
/// Throws Error(data); `where` opens every message.
PngHeader check_png_chunks(std::span<const uint8_t> bytes, int64_t max_pixels, const std::string& where);

}  // namespace uncial::io
