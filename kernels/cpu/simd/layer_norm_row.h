#pragma once
/// @file layer_norm_row.h
/// The passes of layer normalisation over one row of D values. Statistics are norm_plane.h's.

#include <cstdint>

#include "isa.h"

namespace uncial::cpu {

template <class T>
struct LayerNormRow {
  /// y = (x - mean) * inverse * scale + shift.
  void (*apply)(const T* x, T mean, T inverse, const T* scale, const T* shift, T* y, int64_t D);
  /// sums[0] = sum of dy * scale, sums[1] = sum of dy * scale * (x - mean).
  void (*gradient_sums)(const T* dy, const T* x, const T* scale, T mean, int64_t D, double* sums);
  /// dx = (dy * scale - g_mean - (x - mean) * slope) * inverse.
  void (*gradient)(const T* dy, const T* x, const T* scale, T mean, T g_mean, T slope, T inverse, T* dx,
                   int64_t D);
  /// dscale += dy * (x - mean) * inverse, dshift += dy.
  void (*add_parameters)(const T* dy, const T* x, T mean, T inverse, double* dscale, double* dshift,
                         int64_t D);
};

struct LayerNormSimd {
  LayerNormRow<float> f32;
  LayerNormRow<double> f64;
};

UNCIAL_SIMD_FAMILY(LayerNormSimd, layer_norm_simd)

template <class T>
const LayerNormRow<T>& layer_norm_row() {
  if constexpr (sizeof(T) == 4)
    return layer_norm_simd().f32;
  else
    return layer_norm_simd().f64;
}

}  // namespace uncial::cpu
