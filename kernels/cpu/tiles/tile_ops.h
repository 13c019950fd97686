#pragma once
/// @file tile_ops.h
/// The tile registers of the matrix unit and the few instructions that kernels need. Files that include this
/// are compiled twice: for the unit, and with tiles in memory (UNCIAL_TILES_EMULATED).

#include <cstring>

#include "simd/lane_transpose.h"

#if !defined(UNCIAL_TILES_EMULATED)
#include <immintrin.h>
#else
#include "uncial/kernels/bfloat16_formula.h"
#endif

namespace UNCIAL_SIMD {
namespace {

constexpr int64_t kTileSide = 16;   ///< rows of a tile, and dwords of a row
constexpr int64_t kTileDepth = 32;  ///< products that one instruction adds to a sum
constexpr int64_t kTileBytes = 1024;
constexpr int64_t kRowBytes = 64;

}  // namespace

#if defined(UNCIAL_TILES_EMULATED)

/// As TDPBF16PS is described: even and odd products have sums of their own, which are added to each other and
/// then to the tile.
class Tiles {
 public:
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

#else

/// Holds the configuration of this thread's tiles: all of them whole. Memory is clobbered by loads, too: they
/// must not pass the stores that packed what they read.
class Tiles {
 public:
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

#endif

namespace {

/// [a0 b0 a1 b1 ...] in bfloat16: a row of a tile of pixels, or of weights.
[[gnu::always_inline]] inline void store_pairs(void* to, Lanes<float>::V a, Lanes<float>::V b) {
#if defined(UNCIAL_TILES_EMULATED)
  float first[kTileSide], second[kTileSide];
  uint32_t pairs[kTileSide];
  store<float>(first, a), store<float>(second, b);
  for (int i = 0; i < kTileSide; ++i)
    pairs[i] = uncial::math::to_bits(uncial::formula::rounded_to_bfloat16(first[i])) >> 16 |
               uncial::math::to_bits(uncial::formula::rounded_to_bfloat16(second[i]));
  std::memcpy(to, pairs, sizeof pairs);
#else
  alignas(64) static constexpr uint16_t kInTurn[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                                       21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                                       11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512i halves = (__m512i)_mm512_cvtne2ps_pbh((__m512)b, (__m512)a);
  _mm512_storeu_si512(to, _mm512_permutexvar_epi16(_mm512_load_si512(kInTurn), halves));
#endif
}

/// [a0 a1 ... b0 b1 ...] in bfloat16: a row of a tile of weights whose factors are neighbours in memory.
[[gnu::always_inline]] inline void store_run(void* to, Lanes<float>::V a, Lanes<float>::V b) {
#if defined(UNCIAL_TILES_EMULATED)
  float run[2 * kTileSide];
  uint16_t halves[2 * kTileSide];
  store<float>(run, a), store<float>(run + kTileSide, b);
  for (int i = 0; i < 2 * kTileSide; ++i)
    halves[i] = uint16_t(uncial::math::to_bits(uncial::formula::rounded_to_bfloat16(run[i])) >> 16);
  std::memcpy(to, halves, sizeof halves);
#else
  _mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh((__m512)b, (__m512)a));
#endif
}

/// rows[i][j] becomes rows[j][i], of dwords whatever they hold, in place.
[[gnu::always_inline]] inline void transpose_tile(void* tile) {
  auto* floats = static_cast<float*>(tile);
  Lanes<float>::V rows[kTileSide];
#pragma GCC unroll 16
  for (int i = 0; i < kTileSide; ++i) rows[i] = load(floats + i * kTileSide);
  transpose_square(rows);
#pragma GCC unroll 16
  for (int i = 0; i < kTileSide; ++i) store<float>(floats + i * kTileSide, rows[i]);
}

}  // namespace
}  // namespace UNCIAL_SIMD
