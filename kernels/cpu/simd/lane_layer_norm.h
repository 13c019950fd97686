#pragma once
/// @file lane_layer_norm.h
/// Layer normalisation of one group with the batch in the lanes: each lane has a row of its own, so its
/// statistics are sums over vectors and need no shuffles. All matrices are [D][lanes].

#include <cstdint>

#include "isa.h"

namespace uncial::cpu {

struct LaneLayerNormSimd {
  int lanes;
  /// y = (x - mean) * inverse * scale[d] + shift[d]; mean and inverse = 1 / sqrt(variance + epsilon) have a
  /// vector each. y may be x.
  void (*forward)(const float* x, int64_t D, const float* scale, const float* shift, double epsilon, float* y,
                  float* mean, float* inverse);
  /// dx; and of the first `samples` lanes, adds dy * (x - mean) * inverse to scale_sums [D][lanes] and dy to
  /// shift_sums [D][lanes]. dx may be dy.
  void (*backward)(const float* dy, const float* x, int64_t D, const float* scale, const float* mean,
                   const float* inverse, int64_t samples, float* dx, float* scale_sums, float* shift_sums);
  /// totals[d] = sum of lanes of sums[d].
  void (*lane_totals)(const float* sums, int64_t D, float* totals);
};

UNCIAL_SIMD_FAMILY(LaneLayerNormSimd, lane_layer_norm_simd)

}  // namespace uncial::cpu
