#pragma once
#include "uncial/kernels/kernel.h"

/// y[i] = x[i] rounded to bfloat16 (bfloat16_formula.h), for `size` neighbouring values; y may be x.
UNCIAL_KERNEL(round_bfloat16, (const T* x, T* y, int64_t size))
/// The same for float16 (float16_formula.h).
UNCIAL_KERNEL(round_float16, (const T* x, T* y, int64_t size))
