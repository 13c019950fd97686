#pragma once
/// @file pool_2x2.h
/// The pooling that nearly every network has: 2 x 2 windows side by side, no padding.

#include <cstdint>

#include "isa.h"

namespace uncial::cpu {

template <class T>
struct Pool2x2 {
  /// y (P, Q) from one image x (H, W); H >= 2 * P, W >= 2 * Q.
  void (*max)(const T* x, T* y, int64_t W, int64_t P, int64_t Q);
  /// dx (2 * P rows of W) from dy (P, Q); columns from 2 * Q on become 0.
  void (*max_scatter)(const T* dy, const T* x, T* dx, int64_t W, int64_t P, int64_t Q);
};

struct PoolSimd {
  Pool2x2<float> f32;
  Pool2x2<double> f64;
};

UNCIAL_SIMD_FAMILY(PoolSimd, pool_simd)

template <class T>
const Pool2x2<T>& pool_2x2() {
  if constexpr (sizeof(T) == 4)
    return pool_simd().f32;
  else
    return pool_simd().f64;
}

}  // namespace uncial::cpu
