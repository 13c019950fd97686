#pragma once
/// @file lane_dense.h
/// Dense layers with the batch in the lanes: x is [groups][D][lanes], y is [groups][K][lanes], the weights
/// are row-major (K, D) with rows `pitch` apart, as a parameter has them; nothing is packed.

#include "lane_image.h"

namespace uncial::cpu {

/// `groups` matrices [rows][lanes] of floats, `distance` floats from one group to the next.
struct LaneMatrix {
  float* data = nullptr;
  int64_t distance = 0;
};

struct LaneDenseSimd {
  int lanes;
  /// y[k] (=, or += when `add`) sum over d in [d0, d1) of w[k][d] x[d], + bias[k] unless null, k in [k0, k1);
  /// with `relu`, 0 where that is negative.
  void (*forward)(const LaneMatrix& x, int64_t groups, const float* w, int64_t pitch, const float* bias,
                  const LaneMatrix& y, int64_t k0, int64_t k1, int64_t d0, int64_t d1, bool add, bool relu);
  /// dx[d] = sum over k < K of w[k][d] dy[k], d in [d0, d1).
  void (*input_gradient)(const LaneMatrix& dy, int64_t groups, const float* w, int64_t pitch, int64_t K,
                         const LaneMatrix& dx, int64_t d0, int64_t d1);
  /// dw[k][d] (=, or += when `add`) sum over samples of dy[k] x[d], for all k < K and d in [d0, d1); dw has
  /// rows `pitch` apart. `samples` of the last group count; workspace: groups * lanes * 64 floats.
  void (*weight_gradient)(const LaneMatrix& dy, const LaneMatrix& x, int64_t groups, int64_t samples,
                          float* dw, int64_t pitch, int64_t K, int64_t d0, int64_t d1, bool add,
                          float* workspace);
  /// sums[d] = sum of the first `samples` lanes of x[d], d in [0, D), in double precision.
  void (*lane_sums)(const float* x, int64_t D, int64_t samples, double* sums);
};

UNCIAL_SIMD_FAMILY(LaneDenseSimd, lane_dense_simd)

}  // namespace uncial::cpu
