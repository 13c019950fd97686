#pragma once
/// @file tile_ops.h
/// Tiles, and how their rows are packed. Files that include this are compiled for each TileUnit: for the
/// matrix unit, for dot products of pairs (UNCIAL_TILES_DOT), and with tiles in memory
/// (UNCIAL_TILES_EMULATED).

#include "simd/lane_transpose.h"

#if defined(UNCIAL_TILES_DOT)
#include "tiles_dot.h"
#else
#include "tile_products.h"
#endif
#if defined(UNCIAL_TILES_EMULATED)
#include "uncial/kernels/bfloat16_formula.h"
#else
#include <immintrin.h>
#endif

namespace UNCIAL_SIMD {
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
