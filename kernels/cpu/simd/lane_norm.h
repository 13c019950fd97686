#pragma once
/// @file lane_norm.h
/// Normalisation and sums over the pixels of each channel, of one group with the batch in the lanes.
/// `samples` of the group's lanes are real; the rest does not count in sums, whatever it holds.

#include "lane_image.h"

namespace uncial::cpu {

struct LaneNormSimd {
  int lanes;
  /// Of each channel: mean over the group's real pixels and sum of squares about it: moments[2 c], [2 c + 1].
  void (*moments)(const LaneImage& x, int64_t samples, double* moments);
  /// y = (x - mean[c]) * factor[c] + shift[c] + skip, with ReLU if asked for. skip may lack data; y may be x.
  void (*affine)(const LaneImage& x, const float* mean, const float* factor, const float* shift,
                 const LaneImage& skip, bool relu, const LaneImage& y);
  /// Of each channel: sum of dy and of dy * (x - mean[c]): sums[2 c], [2 c + 1]. Where relu_y (strides as dy)
  /// is given and not > 0, dy counts as 0.
  void (*norm_sums)(const LaneImage& dy, const float* relu_y, const LaneImage& x, const float* mean,
                    int64_t samples, double* sums);
  /// dx = (dy - dy_mean[c] - (x - mean[c]) * slope[c]) * factor[c]; dy masked as above; 0 in lanes that are
  /// not real. dx may be dy or x.
  void (*norm_gradient)(const LaneImage& dy, const float* relu_y, const LaneImage& x, const float* mean,
                        const float* dy_mean, const float* slope, const float* factor, int64_t samples,
                        const LaneImage& dx);
  /// sums[c] += x[c][pixels] over real samples, in double.
  void (*channel_sums)(const LaneImage& x, int64_t samples, double* sums);
};

UNCIAL_SIMD_FAMILY(LaneNormSimd, lane_norm_simd)

}  // namespace uncial::cpu
