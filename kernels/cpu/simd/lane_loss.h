#pragma once
/// @file lane_loss.h
/// Softmax and its cross-entropy for one group with the batch in the lanes: logits are [classes][lanes], and
/// the classes of a sample are a column of lanes, so that nothing is summed across lanes.

#include "lane_image.h"

namespace uncial::cpu {

struct LaneLossSimd {
  int lanes;
  /// losses[i] of sample i, already times its weight, and gradient [classes][lanes] = (softmax - target) *
  /// weights[i], 0 in lanes from `samples` on; it may be the memory of the logits. Smoothing as
  /// kernels::cross_entropy has it; labels (in [0, classes)), weights (which already hold 1 / total) and
  /// losses have `samples` elements.
  void (*cross_entropy)(const float* logits, int64_t classes, const int64_t* labels, const float* weights,
                        double smoothing, int64_t samples, double* losses, float* gradient);
  /// Softmax over classes, in all lanes; y may be x.
  void (*softmax)(const float* x, int64_t classes, float* y);
};

UNCIAL_SIMD_FAMILY(LaneLossSimd, lane_loss_simd)

}  // namespace uncial::cpu
