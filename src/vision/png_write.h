#pragma once
// PNG files from pixels.

#include <cstdint>
#include <string>

namespace uncial::vision {

/// Row-major pixels of 1 (grey), 3 (RGB) or 4 (RGBA) bytes each. Throws Error(io) when memory runs out.
std::string write_png(int width, int height, int channels, const uint8_t* pixels);

}  // namespace uncial::vision
