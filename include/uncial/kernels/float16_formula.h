#pragma once
/// @file float16_formula.h
/// Rounding to float16 (IEEE 754 binary16: 11 bits of significand, 5 of exponent), once for all machines.
/// Included by files that are compiled for one instruction set (math.h says what that asks for).

#include "uncial/kernels/math.h"

namespace uncial::formula {

/// x as the nearest float16, ties to even: beyond 65504 infinity, below 2^-14 a multiple of 2^-24, as
/// machines convert; NaN stays NaN.
UNCIAL_HD float rounded_to_float16(float x) {
  const uint32_t bits = math::to_bits(x), size = bits & 0x7fffffffu, sign = bits & 0x80000000u;
  const uint32_t nearest = (size + 0xfffu + (size >> 13 & 1u)) & 0xffffe000u;
  const uint32_t normal = nearest < 0x47800000u ? nearest : 0x7f800000u;
  // Next to 0.5 float32 numbers are 2^-24 apart, so the addition rounds.
  const uint32_t small = math::to_bits((math::from_bits(size < 0x38800000u ? size : 0u) + 0.5f) - 0.5f);
  const uint32_t quiet = (size | 0x400000u) & 0xffffe000u;
  return math::from_bits(sign | (size > 0x7f800000u ? quiet : size < 0x38800000u ? small : normal));
}

/// The bits of a float16 that x is; of one that it is rounded to, when it is none.
UNCIAL_HD uint16_t float16_bits(float x) {
  const uint32_t bits = math::to_bits(rounded_to_float16(x)), size = bits & 0x7fffffffu;
  const uint32_t normal = (size - 0x38000000u) >> 13;
  const uint32_t small = uint32_t(math::from_bits(size < 0x38800000u ? size : 0u) * 0x1p24f);
  const uint32_t special = 0x7c00u | (size >> 13 & 0x3ffu);
  return uint16_t(bits >> 16 & 0x8000u) | uint16_t(size >= 0x7f800000u  ? special
                                                   : size < 0x38800000u ? small
                                                                        : normal);
}

/// Its value.
UNCIAL_HD float float16_value(uint16_t half) {
  const uint32_t sign = uint32_t(half & 0x8000u) << 16, size = half & 0x7fffu;
  const uint32_t small = math::to_bits(float(size) * 0x1p-24f);
  const uint32_t other = (size << 13) + (size < 0x7c00u ? 0x38000000u : 0x70000000u);
  return math::from_bits(sign | (size < 0x400u ? small : other));
}

}  // namespace uncial::formula
