#pragma once
/// @file lane_ops.h
/// Everything else that a small network needs of one group with the batch in the lanes: normalisation, pooling,
/// dropout, loss, sums. `samples` of the group's lanes are real; the rest must not count in sums, and gradients
/// come out 0 there.

#include "lane_image.h"

namespace uncial::cpu {

struct LanePoolShape {
  int64_t kernel, stride, padding;  ///< as PoolExtents: square windows
};

/// What decides a dropout mask in one lane (see DropoutMask): word j of the stream belongs to element j.
struct LaneStreams {
  uint32_t key0[16], key1[16], a[16], b[16];
};

struct LaneOpsSimd {
  int lanes;

  /// Of each channel: mean over the group's real pixels and sum of squares about it: moments[2 c], [2 c + 1].
  void (*moments)(const LaneImage& x, int64_t samples, double* moments);
  /// y = (x - mean[c]) * factor[c] + shift[c], with ReLU if asked for.
  void (*affine)(const LaneImage& x, const float* mean, const float* factor, const float* shift, bool relu,
                 const LaneImage& y);
  /// Of each channel: sum of dy and of dy * (x - mean[c]): sums[2 c], [2 c + 1]. Where relu_y (strides as dy)
  /// is given and not > 0, dy counts as 0.
  void (*norm_sums)(const LaneImage& dy, const float* relu_y, const LaneImage& x, const float* mean,
                    int64_t samples, double* sums);
  /// dx = (dy - dy_mean[c] - (x - mean[c]) * slope[c]) * factor[c]; dy masked as above; 0 in lanes that are not
  /// real.
  void (*norm_gradient)(const LaneImage& dy, const float* relu_y, const LaneImage& x, const float* mean,
                        const float* dy_mean, const float* slope, const float* factor, int64_t samples,
                        const LaneImage& dx);

  void (*max_pool)(const LaneImage& x, LanePoolShape s, const LaneImage& y);
  /// dx: dy at the first largest element of each window of x, summed where windows overlap.
  void (*max_pool_gradient)(const LaneImage& dy, const LaneImage& x, LanePoolShape s, const LaneImage& dx);
  /// Mean over the places of a window that lie inside the image, as kernels::avg_pool has it.
  void (*average_pool)(const LaneImage& x, LanePoolShape s, const LaneImage& y);
  void (*average_pool_gradient)(const LaneImage& dy, LanePoolShape s, const LaneImage& dx);

  /// y[j] = x[j] * scale where word j of the lane's stream is not below the threshold, else 0, for n elements;
  /// `winners` (n, or null) get kNoWinner where an element is dropped.
  void (*dropout)(const float* x, int64_t n, const LaneStreams& streams, uint32_t threshold, float scale, float* y,
                  WinnerCode* winners);

  /// Softmax cross-entropy of logits [classes][lanes]: losses[i] of sample i, already times its weight, and
  /// gradient [classes][lanes] = (softmax - target) * weights[i]. Smoothing as kernels::cross_entropy has it;
  /// `weights` already hold 1 / total.
  void (*cross_entropy)(const float* logits, int64_t classes, const int64_t* labels, const float* weights,
                        double smoothing, int64_t samples, double* losses, float* gradient);
  /// Softmax over classes.
  void (*softmax)(const float* x, int64_t classes, float* y);

  /// sums[c] += x[c][pixels] over real samples, in double.
  void (*channel_sums)(const LaneImage& x, int64_t samples, double* sums);
};

UNCIAL_SIMD_FAMILY(LaneOpsSimd, lane_ops_simd)

}  // namespace uncial::cpu
