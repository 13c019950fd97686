#pragma once
#include "uncial/kernels/kernel.h"

namespace uncial {

/// A tensor as (outer, classes, inner) around the axis that softmax runs along.
struct SoftmaxExtents {
  int64_t outer, classes, inner;
};

}  // namespace uncial

/// y = exp(x) / sum(exp(x)) along the middle axis; x and y may be the same memory.
UNCIAL_KERNEL(softmax, (const T* x, T* y, SoftmaxExtents e))
/// y = x - log(sum(exp(x))).
UNCIAL_KERNEL(log_softmax, (const T* x, T* y, SoftmaxExtents e))
