#pragma once
/// @file lane_dropout.h
/// Dropout of one group with the batch in the lanes. Every lane draws from its sample's own stream, so that
/// the mask of a sample is that of the row-major kernel.

#include "lane_image.h"

namespace uncial::cpu {

/// What decides a dropout mask in one lane (see DropoutMask): word j of the stream belongs to element j.
struct LaneStreams {
  uint32_t key0[16], key1[16];
  uint32_t high[16];  ///< upper half of the counter's first 64 bits
  uint32_t a[16], b[16];
};

struct LaneDropoutSimd {
  int lanes;
  /// y[j] = x[j] * scale where word j of the lane's stream is not below the threshold, else 0, for n
  /// elements; `winners` (n, or null) get kNoWinner where an element is dropped. y may be x.
  void (*dropout)(const float* x, int64_t n, const LaneStreams& streams, uint32_t threshold, float scale,
                  float* y, WinnerCode* winners);
};

UNCIAL_SIMD_FAMILY(LaneDropoutSimd, lane_dropout_simd)

}  // namespace uncial::cpu
