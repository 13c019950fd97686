#pragma once
/// @file bfloat16_formula.h
/// Rounding to bfloat16, once for all machines. Included by files that are compiled for one instruction set
/// (math.h says what that asks for).

#include "uncial/kernels/math.h"

namespace uncial::formula {

/// x as the nearest bfloat16, ties to even; NaN stays NaN. A denormal becomes 0, as in the bfloat16 products
/// of the machines that have them.
UNCIAL_HD float rounded_to_bfloat16(float x) {
  const uint32_t bits = math::to_bits(x), size = bits & 0x7fffffffu;
  const uint32_t nearest = bits + 0x7fffu + (bits >> 16 & 1u), quiet = bits | 0x400000u;
  const uint32_t kept = size > 0x7f800000u ? quiet : size < 0x800000u ? bits & 0x80000000u : nearest;
  return math::from_bits(kept & 0xffff0000u);
}

}  // namespace uncial::formula
