#pragma once
/// @file lane_codes.h
/// Winner codes of 2x2 max pooling with the batch in the lanes: one byte a lane. g++ 12 converts vectors of
/// bytes lane by lane, so each instruction set has its own way.

#include "lane_image.h"
#include "lanes.h"
#include "largest.h"

#if defined(UNCIAL_SIMD_avx512) || defined(UNCIAL_SIMD_avx2)
#include <immintrin.h>
#endif

namespace UNCIAL_SIMD {
namespace {

/// `x` in the lanes whose code is `which`, 0 elsewhere.
[[gnu::always_inline]] inline Lanes<float>::V where_code(const uncial::cpu::WinnerCode* codes, int which,
                                                         const float* x) {
  using V = Lanes<float>::V;
#if defined(UNCIAL_SIMD_avx512)
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes));
  return (V)_mm512_maskz_loadu_ps(_mm_cmpeq_epi8_mask(bytes, _mm_set1_epi8(char(which))), x);
#elif defined(UNCIAL_SIMD_avx2)
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes));
  const __m256i equal = _mm256_cmpeq_epi32(_mm256_cvtepi8_epi32(bytes), _mm256_set1_epi32(which));
  return (V)_mm256_and_ps(_mm256_castsi256_ps(equal), _mm256_loadu_ps(x));
#else
  // Four codes are one number; each lane looks at its own byte of it.
  using I = Lanes<uint32_t>::V;
  const I own = {0xffu, 0xff00u, 0xff0000u, 0xff000000u};
  uint32_t bytes;
  __builtin_memcpy(&bytes, codes, sizeof bytes);
  const auto equal = ((I{} + bytes) & own) == ((I{} + uint32_t(which) * 0x01010101u) & own);
  return equal ? load(x) : V{};
#endif
}

/// The same of a vector at hand.
[[gnu::always_inline]] inline Lanes<float>::V where_code(const uncial::cpu::WinnerCode* codes, int which,
                                                         Lanes<float>::V x) {
#if defined(UNCIAL_SIMD_avx512)
  using V = Lanes<float>::V;
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes));
  return (V)_mm512_maskz_mov_ps(_mm_cmpeq_epi8_mask(bytes, _mm_set1_epi8(char(which))), (__m512)x);
#else
  float lanes[Lanes<float>::count];
  store<float>(lanes, x);
  return where_code(codes, which, lanes);
#endif
}

/// A bit for each lane that is positive.
[[gnu::always_inline]] inline uint16_t positive_lanes(Lanes<float>::V x) {
#if defined(UNCIAL_SIMD_avx512)
  return uint16_t(_mm512_cmp_ps_mask((__m512)x, _mm512_setzero_ps(), _CMP_GT_OQ));
#elif defined(UNCIAL_SIMD_avx2)
  return uint16_t(_mm256_movemask_ps(_mm256_cmp_ps((__m256)x, _mm256_setzero_ps(), _CMP_GT_OQ)));
#else
  return uint16_t((x[0] > 0) | (x[1] > 0) << 1 | (x[2] > 0) << 2 | (x[3] > 0) << 3);
#endif
}

/// `x` in the lanes whose bit is set, 0 elsewhere.
[[gnu::always_inline]] inline Lanes<float>::V where_bit(uint16_t bits, const float* x) {
  using V = Lanes<float>::V;
#if defined(UNCIAL_SIMD_avx512)
  return (V)_mm512_maskz_loadu_ps(__mmask16(bits), x);
#else
  using I = Lanes<int32_t>::V;
#if defined(UNCIAL_SIMD_avx2)
  const I own = {1, 2, 4, 8, 16, 32, 64, 128};
#else
  const I own = {1, 2, 4, 8};
#endif
  const V v = load(x);
  return ((I{} + int32_t(bits)) & own) != I{} ? v : V{};
#endif
}

/// The larger of each lane, the first among equals; a NaN stays when it is the first.
[[gnu::always_inline]] inline Lanes<float>::V larger_lanes(Lanes<float>::V first, Lanes<float>::V second) {
  return second > first ? second : first;
}

/// The first_largest() of the window a b / c d, and `floor` at least; its winner to `codes`: kNoWinner where
/// it is not above floor, unless that is minus infinity, which stands for none. The instruction set's own
/// comparisons where the compiler has no words for them.
[[gnu::always_inline]] inline Lanes<float>::V pool_window(Lanes<float>::V a, Lanes<float>::V b,
                                                          Lanes<float>::V c, Lanes<float>::V d,
                                                          Lanes<float>::V floor,
                                                          uncial::cpu::WinnerCode* codes) {
  using V = Lanes<float>::V;
#if defined(UNCIAL_SIMD_avx512)
  const auto beaten = [](V best, V by) __attribute__((always_inline)) {  // as beats(by, best)
    const __mmask16 number = _mm512_cmp_ps_mask((__m512)best, (__m512)best, _CMP_ORD_Q);
    return _mm512_mask_cmp_ps_mask(number, (__m512)by, (__m512)best, _CMP_NLE_UQ);
  };
  const __mmask16 b_wins = beaten(a, b), d_wins = beaten(c, d);
  const V upper = (V)_mm512_mask_mov_ps((__m512)a, b_wins, (__m512)b),
          lower = (V)_mm512_mask_mov_ps((__m512)c, d_wins, (__m512)d);
  const __mmask16 lower_wins = beaten(upper, lower);
  const V best = (V)_mm512_mask_mov_ps((__m512)upper, lower_wins, (__m512)lower);
  const __m128i top = _mm_maskz_mov_epi8(b_wins, _mm_set1_epi8(1));
  const __m128i bottom = _mm_mask_mov_epi8(_mm_set1_epi8(2), d_wins, _mm_set1_epi8(3));
  const __mmask16 has_floor =
      _mm512_cmp_ps_mask((__m512)floor, _mm512_set1_ps(-__builtin_inff()), _CMP_GT_OQ);
  const __mmask16 none = _mm512_mask_cmp_ps_mask(has_floor, (__m512)best, (__m512)floor, _CMP_NGT_UQ);
  const __m128i code = _mm_mask_mov_epi8(top, lower_wins, bottom);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(codes),
                   _mm_mask_mov_epi8(code, none, _mm_set1_epi8(uncial::cpu::kNoWinner)));
#else
  const V upper = first_largest(a, b), lower = first_largest(c, d), best = first_largest(upper, lower);
  using I = Lanes<int32_t>::V;
  const I right = I{} + 1, bottom = I{} + 2, none = I{} + uncial::cpu::kNoWinner;
  I code = beats(lower, upper) ? (bottom | (beats(d, c) & right)) : I(beats(b, a) & right);
  code = ((best > floor) | (floor == -__builtin_inff())) ? code : none;
#if defined(UNCIAL_SIMD_avx2)
  const __m256i bytes = _mm256_shuffle_epi8((__m256i)code, _mm256_set1_epi32(0x0c080400));
  const uint64_t packed =
      uint32_t(_mm256_extract_epi32(bytes, 0)) | uint64_t(uint32_t(_mm256_extract_epi32(bytes, 4))) << 32;
#else
  const uint32_t packed =
      uint32_t(code[0]) | uint32_t(code[1]) << 8 | uint32_t(code[2]) << 16 | uint32_t(code[3]) << 24;
#endif
  __builtin_memcpy(codes, &packed, sizeof packed);
#endif
  return larger_lanes(best, floor);
}

}  // namespace
}  // namespace UNCIAL_SIMD
