#pragma once
/// @file rounded_pair.h
/// Rounding to bfloat16 in the instructions that newer GPUs have for it, with the bits of
/// formula::rounded_to_bfloat16().

#include "warp.h"

namespace uncial::cuda {

/// bfloat16_pair(); ftz makes denormals 0.
UNCIAL_BODY inline uint32_t rounded_pair(float first, float second) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  uint32_t both;
  asm("{.reg .f32 x, y; mul.ftz.f32 x, %1, 0f3F800000; mul.ftz.f32 y, %2, 0f3F800000;\n"
      "cvt.rn.bf16x2.f32 %0, y, x;}"
      : "=r"(both)
      : "f"(first), "f"(second));
  return both;
#else
  return bfloat16_pair(first, second);
#endif
}

UNCIAL_BODY inline Float4 rounded(const Float4& x) {
  const uint32_t first = rounded_pair(x.v[0], x.v[1]), second = rounded_pair(x.v[2], x.v[3]);
  return {{math::from_bits(first << 16), math::from_bits(first & 0xffff0000u), math::from_bits(second << 16),
           math::from_bits(second & 0xffff0000u)}};
}

}  // namespace uncial::cuda
