#pragma once
/// @file lane_norm.h
/// Normalisation and sums over the pixels of each channel, of one group with the batch in the lanes.
/// `samples` of the group's lanes are real; the rest does not count in sums, whatever it holds.

#include "lane_image.h"

namespace uncial::cpu {

/// The output gradient of a normalisation, and what its ReLU let pass: dy counts as 0 where
/// relu_y is not > 0 or, when the normalisation's own output went through the ReLU, where
/// (x - mean[c]) * factor[c] + shift[c] is not: x is read in any case, and a residual adds nothing there.
struct LaneNormGradient {
  LaneImage dy;
  const float* relu_y = nullptr;  ///< strides as dy, or null
  LaneImage x;
  const float* mean = nullptr;
  const float *factor = nullptr, *shift = nullptr;  ///< both or none; not with relu_y
};

struct LaneNormSimd {
  int lanes;
  /// Of each channel: mean over the group's real pixels and sum of squares about it: moments[2 c], [2 c + 1].
  void (*moments)(const LaneImage& x, int64_t samples, double* moments);
  /// y = (x - mean[c]) * factor[c] + shift[c] + skip, with ReLU if asked for. skip may lack data; y may be x.
  void (*affine)(const LaneImage& x, const float* mean, const float* factor, const float* shift,
                 const LaneImage& skip, bool relu, const LaneImage& y);
  /// Of each channel: sum of dy and of dy * (x - mean[c]): sums[2 c], [2 c + 1].
  void (*norm_sums)(const LaneNormGradient& g, int64_t samples, double* sums);
  /// The same of dy + more, where two gradients meet; `to` gets it, masked. more may lack data; `to` may be
  /// dy or more. Not for a ReLU of the normalisation's own output.
  void (*join_sums)(const LaneNormGradient& g, const LaneImage& more, const LaneImage& to, int64_t samples,
                    double* sums);
  /// dx = (dy - dy_mean[c] - (x - mean[c]) * slope[c]) * scale[c]; 0 in lanes that are not real. dx may be dy
  /// or x.
  void (*norm_gradient)(const LaneNormGradient& g, const float* dy_mean, const float* slope,
                        const float* scale, int64_t samples, const LaneImage& dx);
  /// sums[c] += x[c][pixels] over real samples, in double.
  void (*channel_sums)(const LaneImage& x, int64_t samples, double* sums);
};

UNCIAL_SIMD_FAMILY(LaneNormSimd, lane_norm_simd)

}  // namespace uncial::cpu
