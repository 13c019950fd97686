#pragma once
/// @file norm_plane.h
/// The passes of normalisation over `n` neighbouring values of one channel.

#include <cstdint>

#include "isa.h"

namespace uncial::cpu {

template <class T>
struct NormPlane {
  /// Sum of x.
  double (*sum)(const T* x, int64_t n);
  /// Sum of (x - centre)^2.
  double (*squares)(const T* x, T centre, int64_t n);
  /// y = (x - mean) * factor + shift.
  void (*affine)(const T* x, T mean, T factor, T shift, T* y, int64_t n);
  /// sums[0] = sum of dy, sums[1] = sum of dy * (x - mean).
  void (*gradient_sums)(const T* dy, const T* x, T mean, int64_t n, double* sums);
  /// dx = (dy - dy_mean - (x - mean) * slope) * factor.
  void (*gradient)(const T* dy, const T* x, T mean, T dy_mean, T slope, T factor, T* dx, int64_t n);
};

struct NormSimd {
  NormPlane<float> f32;
  NormPlane<double> f64;
};

UNCIAL_SIMD_FAMILY(NormSimd, norm_simd)

template <class T>
const NormPlane<T>& norm_plane() {
  if constexpr (sizeof(T) == 4)
    return norm_simd().f32;
  else
    return norm_simd().f64;
}

}  // namespace uncial::cpu
