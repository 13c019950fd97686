#pragma once
/// @file tiles_emulated.h
/// Tiles in memory and loops: the bits that the matrix unit gives.

#include <cstring>

#include "tile_extents.h"

namespace UNCIAL_SIMD {

/// As TDPBF16PS is described: even and odd products have sums of their own, which are added to each other and
/// then to the tile.
class Tiles {
 public:
  static constexpr double kGain = 16;  ///< products for one of float32's multiply-adds

  template <int t>
  void zero() {
    std::memset(tile_[t], 0, sizeof tile_[t]);
  }
  template <int t>
  void load(const void* from) {
    std::memcpy(tile_[t], from, sizeof tile_[t]);
  }
  /// Rows `distance` bytes apart.
  template <int t>
  void store(void* to, int64_t distance = kRowBytes) const {
    for (int m = 0; m < kTileSide; ++m)
      std::memcpy(static_cast<char*>(to) + m * distance, tile_[t][m], sizeof tile_[t][m]);
  }
  /// sum += a b: 16 x 32 by 32 x 16, whose rows lie in pairs.
  template <int sum, int a, int b>
  void multiply_add() {
    for (int m = 0; m < kTileSide; ++m) {
      float even[kTileSide] = {}, odd[kTileSide] = {};
      for (int k = 0; k < kTileSide; ++k)
        for (int n = 0; n < kTileSide; ++n) {
          even[n] = __builtin_fmaf(low(tile_[a][m][k]), low(tile_[b][k][n]), even[n]);
          odd[n] = __builtin_fmaf(high(tile_[a][m][k]), high(tile_[b][k][n]), odd[n]);
        }
      for (int n = 0; n < kTileSide; ++n) {
        float total;
        std::memcpy(&total, &tile_[sum][m][n], sizeof total);
        total += even[n] + odd[n];
        std::memcpy(&tile_[sum][m][n], &total, sizeof total);
      }
    }
  }

 private:
  static float low(uint32_t pair) { return high(pair << 16); }
  static float high(uint32_t pair) {
    const uint32_t bits = pair & 0xffff0000u;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  alignas(64) uint32_t tile_[8][kTileSide][kTileSide];
};

}  // namespace UNCIAL_SIMD
