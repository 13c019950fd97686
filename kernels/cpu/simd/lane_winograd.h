#pragma once
/// @file lane_winograd.h
/// Convolutions of stride 1 by Winograd's F(4x4, 3x3) and F(2x2, 5x5), all three passes with the batch in the
/// lanes: 4 and 2.8 times fewer multiplications than the direct form. One transform of the weights serves
/// forward and input gradient, one of the output gradient serves both gradients; the input gradient is the
/// exact transpose of the forward pass (overlap-add). Source: Lavin & Gray, "Fast algorithms for
/// convolutional neural networks", 2016.

#include "lane_image.h"

namespace uncial::cpu {

/// How the output of filters of taps x taps, 3 or 5, is cut: into tiles of edge x edge pixels, each computed
/// from a patch of 6 x 6.
struct WinogradTiling {
  static constexpr int64_t kPatch = 6;
  int64_t taps;

  static constexpr bool fits(int64_t taps) { return taps == 3 || taps == 5; }
  int64_t edge() const { return kPatch + 1 - taps; }
  /// Channels of the input from which on it takes less time than the direct form (measured with AVX-512).
  int64_t fewest_channels() const { return taps == 5 ? 6 : 4; }
  /// Tiles in a row or column of `extent` outputs.
  int64_t tiles(int64_t extent) const { return (extent + edge() - 1) / edge(); }
  /// Rows (or columns) of the padded input that the first `count` rows of tiles read.
  int64_t patch_end(int64_t count) const { return edge() * count + taps - 1; }
};

/// With so many channels and fewer, weight gradients put two images of each in a vector where it has room.
constexpr int64_t kPairedChannels = 8;

/// Kernels of one size of filters, R x R.
struct WinogradSimd {
  int lanes;
  WinogradTiling tiling;
  /// Floats of transformed weights.
  int64_t (*weight_floats)(int64_t C, int64_t K);
  /// u from w (K, C, R, R) for filters [k0, k1); both multiples of 8 unless k1 == K.
  void (*transform_weights)(const float* w, int64_t C, int64_t K, float* u, int64_t k0, int64_t k1);
  /// epilogue(x * w). x has `padding` zero rows and columns on the upper and left side; on the other sides it
  /// has them up to the last whole tile: tiling.patch_end() rows and columns in all.
  void (*forward)(const LaneImage& x, int64_t padding, const float* u, const LaneEpilogue& epilogue,
                  int64_t P, int64_t Q, float* workspace);
  /// Adds to sums (weight_sums() floats, a layout of the kernel's own) unless null, and to bias_sums
  /// [K][lanes] unless null, and writes dx (C, H, W) unless dx.data is null. x as in forward(), or nothing
  /// without sums; the halo of dx has the extents of x's and may be overwritten.
  void (*backward)(const LaneImage& x, int64_t padding, const float* u, const LaneGradient& dy, float* sums,
                   float* bias_sums, const LaneImage& dx, float* workspace);
  /// The same for rows [t0, t1) of tiles, of ceil(P / edge). x may be a ring.
  void (*forward_rows)(const LaneImage& x, int64_t padding, const float* u, const LaneEpilogue& epilogue,
                       int64_t P, int64_t Q, int64_t t0, int64_t t1, float* workspace);
  /// The same, called for all rows of tiles in order; workspace keeps something from call to call. x and dx
  /// may be rings. After a call rows of dx before edge * t1 - padding are done, and those of x are not read
  /// again.
  void (*backward_rows)(const LaneImage& x, int64_t padding, const float* u, const LaneGradient& dy,
                        float* sums, float* bias_sums, const LaneImage& dx, int64_t t0, int64_t t1,
                        float* workspace);
  /// Where backward_rows() finds rows of x that a caller writes there itself, in place of an x with data:
  /// those that the tiles of each call read, x.ring at most. The result's ring may be shorter; x must say so
  /// then. For more than kPairedChannels channels.
  LaneTurnedRows (*turned_rows)(const LaneImage& x, int64_t padding, int64_t K, int64_t Q, float* workspace);
  int64_t (*weight_sums)(int64_t C, int64_t K);
  /// dw (K, C, R, R) from sums, for filters [k0, k1).
  void (*finish_weights)(int64_t C, int64_t K, const float* sums, float* dw, int64_t k0, int64_t k1);
  /// Scratch memory of forward() and backward(), in floats; W is x's width with its halo. Best 64-byte
  /// aligned.
  int64_t (*workspace_floats)(int64_t C, int64_t W, int64_t K);
};

UNCIAL_SIMD_FAMILY(WinogradSimd, winograd_3x3_simd)
UNCIAL_SIMD_FAMILY(WinogradSimd, winograd_5x5_simd)

/// Those for filters of `taps` x `taps`, which WinogradTiling::fits().
inline const WinogradSimd& winograd_simd(int64_t taps) {
  return taps == 5 ? winograd_5x5_simd() : winograd_3x3_simd();
}

}  // namespace uncial::cpu
