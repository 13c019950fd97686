#pragma once
/// @file lane_conv.h
/// Direct convolutions of one group with the batch in the lanes.

#include "lane_image.h"

namespace uncial::cpu {

/// Attributes of a convolution; the weights are (K, C / groups, R, S), row-major, as a parameter has them.
struct LaneConvShape {
  int64_t R, S, stride, padding, dilation, groups;
  friend bool operator==(const LaneConvShape&, const LaneConvShape&) = default;
};

/// Channels of a convolution group from which on weight gradients have the channels in the lanes, and take
/// whole images; with fewer they are summed row by row.
constexpr int64_t kManyChannels = 8;

/// Taps times channels of an output that turned_rows() can do.
constexpr int64_t kFewTaps = 32;

struct LaneConvSimd {
  int lanes;
  /// epilogue(x * w). x has a zero halo of `padding` on every side.
  void (*forward)(const LaneConvShape& s, const LaneImage& x, const float* w, const LaneEpilogue& epilogue);
  /// Adds to sums (weight_sums() floats, a layout of the kernel's own) unless null, and to bias_sums
  /// [K][lanes] unless null; writes dx (C, H, W), but not its halo, unless dx.data is null. x as in
  /// forward(); without sums only its extents are used.
  void (*backward)(const LaneConvShape& s, const LaneImage& x, const float* w, const LaneGradient& dy,
                   float* sums, float* bias_sums, const LaneImage& dx, float* workspace);
  /// Rows [p0, p1) of forward()'s y, which may be a ring.
  void (*forward_rows)(const LaneConvShape& s, const LaneImage& x, const float* w,
                       const LaneEpilogue& epilogue, int64_t p0, int64_t p1);
  /// Rows [p0, p1) of the same with the channels in the lanes, zeros beyond [0, P), and which of their
  /// elements are positive (`positive` may lack data). For one group of at most kFewTaps taps.
  void (*turned_rows)(const LaneConvShape& s, const LaneImage& x, const float* w, const float* bias,
                      bool relu, int64_t K, int64_t p0, int64_t p1, const LaneTurnedRows& y,
                      const LaneBits& positive);
  /// What rows [p0, p1) of dy, which may be a ring and have `positive`, add to backward()'s sums and
  /// bias_sums. For fewer than kManyChannels channels a group.
  void (*weight_rows)(const LaneConvShape& s, const LaneImage& x, const LaneGradient& dy, float* sums,
                      float* bias_sums, int64_t p0, int64_t p1);
  int64_t (*weight_sums)(const LaneConvShape& s, int64_t C, int64_t K);
  /// dw (K, C / groups, R, S) from sums, for filters [k0, k1).
  void (*finish_weights)(const LaneConvShape& s, int64_t C, int64_t K, const float* sums, float* dw,
                         int64_t k0, int64_t k1);
  /// Scratch memory of backward(), in floats, for images of these extents.
  int64_t (*workspace_floats)(const LaneConvShape& s, int64_t C, int64_t H, int64_t W, int64_t K, int64_t P,
                              int64_t Q);
};

UNCIAL_SIMD_FAMILY(LaneConvSimd, lane_conv_simd)

}  // namespace uncial::cpu
