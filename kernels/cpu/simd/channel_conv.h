#pragma once
/// @file channel_conv.h
/// Convolutions of one sample with its channels in the lanes of vectors, for batches that do not fill them.
/// An image is a LaneImage whose planes are vectors of channels: plane v holds channels [v * lanes, (v + 1) *
/// lanes), and the lanes beyond the last channel hold anything. Every tap is then a multiply-add of a vector
/// of filters with a broadcast channel; filters are packed once, so that they are read in order.

#include "lane_conv.h"

namespace uncial::cpu {

/// What a convolution reads: an image with the channels in the lanes, or the planes of a row-major tensor.
/// Distances count floats; all that the taps of a padded image reach is readable.
struct ChannelSource {
  const float* data = nullptr;  ///< element (-padding, -padding) of the first channel
  int64_t C = 0;
  int64_t plane = 0, row = 0;     ///< from vector of channels (or channel) to the next, from row to row
  const int32_t* taps = nullptr;  ///< from ChannelConvSimd::taps(), for direct convolutions
  bool in_lanes = false;          ///< then pixels are `lanes` floats apart, else one
};

/// Extents of a convolution (groups and dilation included in `shape`; groups must be 1).
struct ChannelConvShape {
  LaneConvShape shape;
  int64_t C, K, P, Q;
};

struct ChannelConvSimd {
  int lanes;
  /// Floats of packed filters.
  int64_t (*filter_floats)(const ChannelConvShape& s);
  /// Vectors of filters [v0, v1) of w (K, C, R, S), each times factor[k] unless null; v0 is even. `in_lanes`
  /// as in the source that will be read.
  void (*pack)(const ChannelConvShape& s, bool in_lanes, const float* w, const float* factor, float* filters,
               int64_t v0, int64_t v1);
  /// Where the C * R * S taps of an output lie, from its first on; depends on the distances in x only.
  void (*taps)(const ChannelConvShape& s, const ChannelSource& x, int32_t* offsets);
  /// Rows [p0, p1) of y (of the pooled image, when there is pooling) for vectors of filters [v0, v1), v0
  /// even. The epilogue's bias has K rounded up to whole vectors; winners are not made. workspace: 4 * lanes
  /// * Q floats, for pooling.
  void (*forward)(const ChannelConvShape& s, const ChannelSource& x, const float* filters,
                  const LaneEpilogue& epilogue, int64_t v0, int64_t v1, int64_t p0, int64_t p1,
                  float* workspace);
  /// y = x * factor[c] + shift[c] for vectors of channels, with ReLU if asked for. y may be x.
  void (*affine)(const LaneImage& x, const float* factor, const float* shift, bool relu, const LaneImage& y);
};

UNCIAL_SIMD_FAMILY(ChannelConvSimd, channel_conv_simd)

/// Winograd's F(4x4, 3x3) in the same layout (lane_winograd.h has it with the batch in the lanes).
struct ChannelWinogradSimd {
  int lanes;
  int64_t (*filter_floats)(int64_t C, int64_t K);
  /// Vectors of filters [v0, v1) of w (K, C, 3, 3), each times factor[k] unless null; v0 is even.
  void (*transform_filters)(int64_t C, int64_t K, const float* w, const float* factor, float* filters,
                            int64_t v0, int64_t v1);
  /// 4x4 tiles [t0, t1) of the output, in reading order, and vectors of filters [v0, v1), v0 even, through
  /// the epilogue. x has zeros on the upper and left side, and beyond its lower and right end up to the last
  /// whole tile; it has the channels in the lanes.
  void (*forward)(const ChannelConvShape& s, const ChannelSource& x, const float* filters,
                  const LaneEpilogue& epilogue, int64_t v0, int64_t v1, int64_t t0, int64_t t1,
                  float* workspace);
  /// Scratch memory of forward(), in floats, for so many tiles at once.
  int64_t (*workspace_floats)(int64_t C, int64_t K, int64_t tiles);
};

UNCIAL_SIMD_FAMILY(ChannelWinogradSimd, channel_winograd_simd)

}  // namespace uncial::cpu
