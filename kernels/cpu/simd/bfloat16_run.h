#pragma once
/// @file bfloat16_run.h
/// Rounding neighbouring values to bfloat16.

#include <cstdint>

#include "isa.h"

namespace uncial::cpu {

struct Bfloat16Simd {
  /// y[i] = scale x[i], rounded to float32 and then to bfloat16; y may be x.
  void (*round)(const float* x, float scale, float* y, int64_t size);
};

UNCIAL_SIMD_FAMILY(Bfloat16Simd, bfloat16_simd)

}  // namespace uncial::cpu
