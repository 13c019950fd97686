#pragma once
#include "uncial/kernels/kernel.h"

namespace uncial {

/// x (N, C, L) row-major: L values of each of C channels in each of N samples.
struct NormExtents {
  int64_t N, C, L;
};

}  // namespace uncial

/// Mean and variance (divided by N * L, which is > 0) of each channel, then
/// y = (x - mean) / sqrt(variance + epsilon) * scale + shift.
UNCIAL_KERNEL(batch_norm, (const T* x, const T* scale, const T* shift, double epsilon, T* y, T* mean,
                           T* variance, NormExtents e))
/// The same with given statistics.
UNCIAL_KERNEL(batch_norm_inference, (const T* x, const T* scale, const T* shift, const T* mean,
                                     const T* variance, double epsilon, T* y, NormExtents e))
/// Gradients of batch_norm: dx like x, dscale and dshift (C).
UNCIAL_KERNEL(batch_norm_backward, (const T* dy, const T* x, const T* scale, const T* mean, const T* variance,
                                    double epsilon, T* dx, T* dscale, T* dshift, NormExtents e))
