#pragma once
/// @file low_halves.h
/// The 32 x 32 -> 64 bit multiplication that Philox consists of, for vectors of 64-bit lanes.

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "lanes.h"

namespace UNCIAL_SIMD {
namespace {

/// The product of the lower halves of each lane; the upper halves do not matter.
[[gnu::always_inline]] inline Lanes<uint64_t>::V multiply_low_halves(Lanes<uint64_t>::V a,
                                                                     Lanes<uint64_t>::V b) {
  using Wide [[maybe_unused]] = Lanes<uint64_t>::V;
#if defined(UNCIAL_SIMD_avx512)
  return Wide(_mm512_maskz_mul_epu32(0xff, __m512i(a), __m512i(b)));  // g++ 12 warns about the unmasked one
#elif defined(UNCIAL_SIMD_avx2)
  return Wide(_mm256_mul_epu32(__m256i(a), __m256i(b)));
#elif defined(__SSE2__)
  return Wide(_mm_mul_epu32(__m128i(a), __m128i(b)));
#else
  return (a & 0xFFFFFFFFu) * (b & 0xFFFFFFFFu);
#endif
}

}  // namespace
}  // namespace UNCIAL_SIMD
