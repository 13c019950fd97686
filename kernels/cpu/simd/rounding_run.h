#pragma once
/// @file rounding_run.h
/// Rounding neighbouring values to the 16-bit formats that factors of products may have.

#include <cstdint>

#include "isa.h"

namespace uncial::cpu {

struct RoundingSimd {
  /// y[i] = scale x[i], rounded to float32 and then to the format; y may be x.
  using Round = void (*)(const float* x, float scale, float* y, int64_t size);
  Round bfloat16, float16;
};

UNCIAL_SIMD_FAMILY(RoundingSimd, rounding_simd)

}  // namespace uncial::cpu
