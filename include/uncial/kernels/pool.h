#pragma once
#include "uncial/kernels/kernel.h"

namespace uncial {

/// Extents of one pooling: `planes` images of H x W give planes of P x Q. Every window touches its image
/// (padding <= kernel / 2), and H, W >= 1.
struct PoolExtents {
  int64_t planes, H, W, P, Q;
  int64_t kernel, stride, padding;
};

}  // namespace uncial

/// y[n, p, q] = the largest x of window (p, q); NaN wins.
UNCIAL_KERNEL(max_pool, (const T* x, T* y, PoolExtents e))
/// y[n, p, q] = values[n, h, w], where (h, w) is the first place of the largest x of window (p, q).
UNCIAL_KERNEL(max_pool_gather, (const T* values, const T* x, T* y, PoolExtents e))
/// The transpose of max_pool_gather: dx is dy added at those places, 0 elsewhere.
UNCIAL_KERNEL(max_pool_scatter, (const T* dy, const T* x, T* dx, PoolExtents e))
/// y[n, p, q] = mean of x over the places of window (p, q) inside the image.
UNCIAL_KERNEL(avg_pool, (const T* x, T* y, PoolExtents e))
/// The transpose of avg_pool.
UNCIAL_KERNEL(avg_pool_backward, (const T* dy, T* dx, PoolExtents e))
