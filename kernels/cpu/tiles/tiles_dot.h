#pragma once
/// @file tiles_dot.h
/// Tiles on AVX512_BF16's dot products of pairs: twice the products of float32's multiply-adds. Sums lie in
/// memory, and pass through 16 registers for a whole row of products; one instruction multiplies a row of the
/// right factor with a pair of the left one, which it broadcasts from memory.

#include <immintrin.h>

#include "tile_extents.h"

namespace UNCIAL_SIMD {

/// Tiles of sums, 0 to 3.
class Tiles {
 public:
  static constexpr double kGain = 2;  ///< products for one of float32's multiply-adds

  template <int t>
  [[gnu::always_inline]] void zero() {
    __builtin_memset(sum_[t], 0, sizeof sum_[t]);
  }
  template <int t>
  [[gnu::always_inline]] void load(const void* from) {
    __builtin_memcpy(sum_[t], from, sizeof sum_[t]);
  }
  /// Rows `distance` bytes apart.
  template <int t>
  [[gnu::always_inline]] void store(void* to, int64_t distance = kRowBytes) const {
#pragma GCC unroll 16
    for (int m = 0; m < kTileSide; ++m)
      _mm512_storeu_ps(static_cast<char*>(to) + m * distance, _mm512_load_ps(sum_[t] + m * kTileSide));
  }

  /// sum += a[0] b[0] + a[1] b[1] + ... over `depth` tiles of 16 x 32 and 32 x 16, `a_step` and `b_step`
  /// bytes apart.
  template <int sum>
  [[gnu::always_inline]] void multiply_add(const char* a, int64_t a_step, const char* b, int64_t b_step,
                                           int64_t depth) {
    __m512 rows[kTileSide];
#pragma GCC unroll 16
    for (int m = 0; m < kTileSide; ++m) rows[m] = _mm512_load_ps(sum_[sum] + m * kTileSide);
    for (int64_t i = 0; i < depth; ++i, a += a_step, b += b_step)
      for (int k = 0; k < kTileSide; ++k) {
        const __m512i pairs = _mm512_loadu_si512(b + k * kRowBytes);
#pragma GCC unroll 16
        for (int m = 0; m < kTileSide; ++m) {
          __m512 row = rows[m];  // g++ leaves all rows in memory when the instruction names one of an array
          asm("vdpbf16ps %2%{1to16%}, %1, %0"  // compilers would broadcast into a register first
              : "+v"(row)
              : "v"(pairs), "m"(*reinterpret_cast<const Pair*>(a + m * kRowBytes + 4 * k)));
          rows[m] = row;
        }
      }
#pragma GCC unroll 16
    for (int m = 0; m < kTileSide; ++m) _mm512_store_ps(sum_[sum] + m * kTileSide, rows[m]);
  }

 private:
  typedef int Pair __attribute__((may_alias));  ///< two factors
  alignas(64) float sum_[4][kTileFloats];
};

/// Sum i * kB + j += a[i] b[j], where both are `depth` tiles, `a_step` and `b_step` bytes apart.
template <int kA, int kB>
[[gnu::always_inline]] inline void add_products(Tiles& t, const char* const* a, int64_t a_step,
                                                const char* const* b, int64_t b_step, int64_t depth) {
  t.multiply_add<0>(a[0], a_step, b[0], b_step, depth);
  if constexpr (kB >= 2) t.multiply_add<1>(a[0], a_step, b[1], b_step, depth);
  if constexpr (kB == 4) {
    t.multiply_add<2>(a[0], a_step, b[2], b_step, depth);
    t.multiply_add<3>(a[0], a_step, b[3], b_step, depth);
  }
  if constexpr (kA == 2) t.multiply_add<kB>(a[1], a_step, b[0], b_step, depth);
  if constexpr (kA == 2 && kB == 2) t.multiply_add<3>(a[1], a_step, b[1], b_step, depth);
}

}  // namespace UNCIAL_SIMD
