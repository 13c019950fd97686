#pragma once
/// @file factor_format.h
/// The two formats of 16 bits that tensor cores multiply with float32 sums, for bodies that take either.

#include "body.h"
#include "uncial/core/precision.h"
#include "uncial/kernels/bfloat16_formula.h"
#include "uncial/kernels/float16_formula.h"

namespace uncial::cuda {

/// `pair`: two factors as they lie in memory. `rounded_pair`: the same, to the bit what the rounding
/// operators give; of bfloat16 a denormal stays one in a pair on the GPU, whose products take it.
struct Bfloat16Format {
  UNCIAL_BODY static float rounded(float x) { return formula::rounded_to_bfloat16(x); }
  UNCIAL_BODY static uint16_t bits(float x) { return uint16_t(math::to_bits(rounded(x)) >> 16); }
  UNCIAL_BODY static float value(uint16_t bits) { return math::from_bits(uint32_t(bits) << 16); }
  UNCIAL_BODY static bool above_zero(uint16_t bits) { return value(bits) > 0; }
  UNCIAL_BODY static uint32_t pair(float first, float second) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    uint32_t both;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(second), "f"(first));
    return both;
#else
    return uint32_t(bits(first)) | uint32_t(bits(second)) << 16;
#endif
  }
  UNCIAL_BODY static uint32_t rounded_pair(float first, float second) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    uint32_t both;
    asm("{.reg .f32 x, y; mul.ftz.f32 x, %1, 0f3F800000; mul.ftz.f32 y, %2, 0f3F800000;\n"
        "cvt.rn.bf16x2.f32 %0, y, x;}"
        : "=r"(both)
        : "f"(first), "f"(second));
    return both;
#else
    return pair(first, second);
#endif
  }
};

struct Float16Format {
  UNCIAL_BODY static float rounded(float x) { return formula::rounded_to_float16(x); }
  UNCIAL_BODY static uint16_t bits(float x) {
#if defined(__CUDA_ARCH__)
    uint16_t half;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(x));
    return half;
#else
    return formula::float16_bits(x);
#endif
  }
  /// Bits of positive numbers up to infinity; NaN has larger ones.
  UNCIAL_BODY static bool above_zero(uint16_t bits) { return bits - 1u < 0x7c00u; }
  UNCIAL_BODY static float value(uint16_t bits) {
#if defined(__CUDA_ARCH__)
    float x;
    asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
    return x;
#else
    return formula::float16_value(bits);
#endif
  }
  UNCIAL_BODY static uint32_t pair(float first, float second) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    uint32_t both;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(second), "f"(first));
    return both;
#else
    return uint32_t(bits(first)) | uint32_t(bits(second)) << 16;
#endif
  }
  UNCIAL_BODY static uint32_t rounded_pair(float first, float second) { return pair(first, second); }
};

/// Four factors.
template <class Format>
UNCIAL_BODY inline Float4 rounded(const Float4& x) {
  const uint32_t first = Format::rounded_pair(x.v[0], x.v[1]), second = Format::rounded_pair(x.v[2], x.v[3]);
  return {{Format::value(uint16_t(first)), Format::value(uint16_t(first >> 16)),
           Format::value(uint16_t(second)), Format::value(uint16_t(second >> 16))}};
}

}  // namespace uncial::cuda
