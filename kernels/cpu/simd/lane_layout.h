#pragma once
/// @file lane_layout.h
/// Between row-major samples and groups with the batch in the lanes.

#include "lane_image.h"

namespace uncial::cpu {

struct LaneLayoutSimd {
  int lanes;
  /// Lanes of `samples` (1 to lanes) row-major samples, `distance` floats apart, each C x H x W; the other
  /// lanes become 0. The halo of y is not touched.
  void (*load)(const float* x, int64_t samples, int64_t distance, const LaneImage& y);
  /// The reverse; lanes from `samples` on are not stored.
  void (*store)(const LaneImage& x, float* y, int64_t samples, int64_t distance);
  /// Zeros in the halo of an image whose memory starts `before` rows and columns ahead of (0, 0) and ends
  /// `below` rows under it and `behind` columns after it.
  void (*clear_halo)(const LaneImage& x, int64_t before, int64_t below, int64_t behind);
};

UNCIAL_SIMD_FAMILY(LaneLayoutSimd, lane_layout_simd)

}  // namespace uncial::cpu
