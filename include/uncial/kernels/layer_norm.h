#pragma once
#include "uncial/kernels/kernel.h"

namespace uncial {

/// x (rows, D) row-major, each row normalised by itself.
struct LayerNormExtents {
  int64_t rows, D;
};

}  // namespace uncial

/// Of each row: mean and inverse = 1 / sqrt(variance + epsilon) (rows), the variance divided by D; then
/// y = (x - mean) * inverse * scale + shift, with scale and shift (D). Source: Ba, Kiros & Hinton, "Layer
/// normalization", 2016.
UNCIAL_KERNEL(layer_norm, (const T* x, const T* scale, const T* shift, double epsilon, T* y, T* mean,
                           T* inverse, LayerNormExtents e))
/// Gradients of layer_norm: dx like x; dscale and dshift (D), sums over rows in a fixed order.
UNCIAL_KERNEL(layer_norm_backward, (const T* dy, const T* x, const T* scale, const T* mean, const T* inverse,
                                    T* dx, T* dscale, T* dshift, LayerNormExtents e))

/// What both backends instantiate.
#define UNCIAL_INSTANTIATE_LAYER_NORM(T)                                                             \
  template void layer_norm<T>(const T*, const T*, const T*, double, T*, T*, T*, LayerNormExtents);   \
  template void layer_norm_backward<T>(const T*, const T*, const T*, const T*, const T*, T*, T*, T*, \
                                       LayerNormExtents);
