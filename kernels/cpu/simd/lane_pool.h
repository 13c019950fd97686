#pragma once
/// @file lane_pool.h
/// Pooling of one group with the batch in the lanes. Extents of the result (P, Q) are those of its image.

#include "lane_image.h"

namespace uncial::cpu {

struct LanePoolShape {
  int64_t kernel, stride, padding;  ///< as PoolExtents: square windows
};

struct LanePoolSimd {
  int lanes;
  /// The largest of each window; NaN wins.
  void (*max_pool)(const LaneImage& x, LanePoolShape s, const LaneImage& y);
  /// dx: dy at the first largest element of each window of x, summed where windows overlap.
  void (*max_pool_gradient)(const LaneImage& dy, const LaneImage& x, LanePoolShape s, const LaneImage& dx);
  /// Mean over the places of a window that lie inside the image, as kernels::avg_pool has it.
  void (*average_pool)(const LaneImage& x, LanePoolShape s, const LaneImage& y);
  void (*average_pool_gradient)(const LaneImage& dy, LanePoolShape s, const LaneImage& dx);
  /// y (C, 1, 1): the sum of each channel's pixels.
  void (*pixel_sums)(const LaneImage& x, const LaneImage& y);
  /// Each pixel of y is its channel's of x (C, 1, 1).
  void (*spread)(const LaneImage& x, const LaneImage& y);
};

UNCIAL_SIMD_FAMILY(LanePoolSimd, lane_pool_simd)

}  // namespace uncial::cpu
