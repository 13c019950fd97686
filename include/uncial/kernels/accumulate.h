#pragma once
#include "uncial/kernels/kernel.h"

/// y[i] = a[i] + b[i] for i in [0, size); any of the three may be the same memory.
UNCIAL_KERNEL(accumulate, (const T* a, const T* b, T* y, int64_t size))
