#pragma once
/// @file tiles_amx.h
/// The tile registers of the matrix unit, and its instructions.

#include "tile_extents.h"

namespace UNCIAL_SIMD {

/// Holds the configuration of this thread's tiles: all of them whole. Memory is clobbered by loads, too: they
/// must not pass the stores that packed what they read.
class Tiles {
 public:
  static constexpr double kGain = 16;  ///< products for one of float32's multiply-adds

  Tiles() {
    struct alignas(64) {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t row_bytes[16] = {};
      uint8_t rows[16] = {};
    } config;
    static_assert(sizeof config == 64);
    for (int t = 0; t < 8; ++t) config.row_bytes[t] = kRowBytes, config.rows[t] = kTileSide;
    asm volatile("ldtilecfg %0" ::"m"(config));
  }
  ~Tiles() { asm volatile("tilerelease"); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;

  template <int t>
  [[gnu::always_inline]] void zero() {
    asm volatile("tilezero %%tmm%c0" ::"i"(t));
  }
  template <int t>
  [[gnu::always_inline]] void load(const void* from) {
    asm volatile("tileloadd (%1,%2,1), %%tmm%c0" ::"i"(t), "r"(from), "r"(kRowBytes) : "memory");
  }
  template <int t>
  [[gnu::always_inline]] void store(void* to, int64_t distance = kRowBytes) const {
    asm volatile("tilestored %%tmm%c0, (%1,%2,1)" ::"i"(t), "r"(to), "r"(distance) : "memory");
  }
  template <int sum, int a, int b>
  [[gnu::always_inline]] void multiply_add() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sum), "i"(a), "i"(b));
  }
};

}  // namespace UNCIAL_SIMD
