#pragma once
/// @file tile_extents.h
/// Extents of a tile: 16 rows of 64 bytes.

#include <cstdint>

namespace UNCIAL_SIMD {
namespace {

constexpr int64_t kTileSide = 16;   ///< rows of a tile, and dwords of a row
constexpr int64_t kTileDepth = 32;  ///< products that one instruction adds to a sum
constexpr int64_t kTileFloats = kTileSide * kTileSide;
constexpr int64_t kTileBytes = 1024;
constexpr int64_t kRowBytes = 64;

}  // namespace
}  // namespace UNCIAL_SIMD
