#pragma once
/// @file rounded_factor.h
/// What products should have seen of a number.

#include "uncial/core/precision.h"
#include "uncial/kernels/bfloat16_formula.h"
#include "uncial/kernels/float16_formula.h"

namespace uncial::test {

/// x as a factor at a precision.
inline float rounded_factor(Precision precision, float x) {
  return precision == Precision::bf16   ? formula::rounded_to_bfloat16(x)
         : precision == Precision::fp16 ? formula::rounded_to_float16(x)
                                        : x;
}

}  // namespace uncial::test
