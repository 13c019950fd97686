#pragma once
/// @file factor_format.h
/// The two formats of 16 bits that tensor cores multiply with float32 sums, for bodies that take either.

#include "body.h"
#include "uncial/core/precision.h"
#include "uncial/kernels/bfloat16_formula.h"
#include "uncial/kernels/float16_formula.h"

namespace uncial::cuda {

UNCIAL_BODY inline Bfloat16 to_bfloat16(float x) {
  return Bfloat16(math::to_bits(formula::rounded_to_bfloat16(x)) >> 16);
}
UNCIAL_BODY inline float to_float(Bfloat16 x) { return math::from_bits(uint32_t(x) << 16); }
/// Two of them as they lie in memory.
UNCIAL_BODY inline uint32_t bfloat16_pair(float first, float second) {
  return uint32_t(to_bfloat16(first)) | uint32_t(to_bfloat16(second)) << 16;
}

struct Bfloat16Format {
  UNCIAL_BODY static float rounded(float x) { return formula::rounded_to_bfloat16(x); }
  UNCIAL_BODY static float value(uint16_t bits) { return to_float(bits); }
  /// Two rounded numbers as they lie in memory, in the instructions that newer GPUs have for it: ftz makes
  /// denormals 0.
  UNCIAL_BODY static uint32_t pair(float first, float second) {
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
};

struct Float16Format {
  UNCIAL_BODY static float rounded(float x) { return formula::rounded_to_float16(x); }
  UNCIAL_BODY static float value(uint16_t bits) { return formula::float16_value(bits); }
  UNCIAL_BODY static uint32_t pair(float first, float second) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    uint32_t both;
    asm("cvt.rn.f16x2.f32 %0, %2, %1;" : "=r"(both) : "f"(first), "f"(second));
    return both;
#else
    return uint32_t(formula::float16_bits(first)) | uint32_t(formula::float16_bits(second)) << 16;
#endif
  }
};

/// x as a factor at a precision.
UNCIAL_BODY inline float rounded_factor(Precision precision, float x) {
  return precision == Precision::bf16   ? Bfloat16Format::rounded(x)
         : precision == Precision::fp16 ? Float16Format::rounded(x)
                                        : x;
}

}  // namespace uncial::cuda
