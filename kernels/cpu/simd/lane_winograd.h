#pragma once
/// @file lane_winograd.h
/// 3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3), all three passes with the batch in the lanes: 4
/// times fewer multiplications than the direct form. One transform of the weights serves forward and input
/// gradient, one of the output gradient serves both gradients; the input gradient is the exact transpose of
/// the forward pass (overlap-add). Source: Lavin & Gray, "Fast algorithms for convolutional neural networks",
/// 2016.

#include "lane_image.h"

namespace uncial::cpu {

struct WinogradSimd {
  int lanes;
  /// Floats of transformed weights.
  int64_t (*weight_floats)(int64_t C, int64_t K);
  /// u from w (K, C, 3, 3) for filters [k0, k1); both multiples of 8 unless k1 == K.
  void (*transform_weights)(const float* w, int64_t C, int64_t K, float* u, int64_t k0, int64_t k1);
  /// epilogue(x * w). x has `padding` zero rows and columns on the upper and left side; on the other sides it
  /// has them up to the last whole tile: rows up to 4 * ceil(P / 4) + 2 - padding, columns alike.
  void (*forward)(const LaneImage& x, int64_t padding, const float* u, const LaneEpilogue& epilogue,
                  int64_t P, int64_t Q, float* workspace);
  /// Adds to sums (weight_sums() floats, a layout of the kernel's own) and to bias_sums [K][lanes] unless
  /// null, and writes dx (C, H, W) unless dx.data is null. x as in forward(); the halo of dx has the extents
  /// of x's and may be overwritten.
  void (*backward)(const LaneImage& x, int64_t padding, const float* u, const LaneGradient& dy, float* sums,
                   float* bias_sums, const LaneImage& dx, float* workspace);
  /// The same for rows [t0, t1) of tiles, of ceil(P / 4). x may be a ring.
  void (*forward_rows)(const LaneImage& x, int64_t padding, const float* u, const LaneEpilogue& epilogue,
                       int64_t P, int64_t Q, int64_t t0, int64_t t1, float* workspace);
  /// The same, called for all rows of tiles in order; workspace keeps something from call to call. x and dx
  /// may be rings. After a call rows of dx before 4 * t1 - padding are done, and those of x are not read
  /// again.
  void (*backward_rows)(const LaneImage& x, int64_t padding, const float* u, const LaneGradient& dy,
                        float* sums, float* bias_sums, const LaneImage& dx, int64_t t0, int64_t t1,
                        float* workspace);
  /// Where backward_rows() finds rows of x that a caller writes there itself, in place of an x with data:
  /// those that the tiles of each call read, x.ring at most. The result's ring may be shorter; x must say so
  /// then.
  LaneTurnedRows (*turned_rows)(const LaneImage& x, int64_t padding, int64_t K, int64_t Q, float* workspace);
  int64_t (*weight_sums)(int64_t C, int64_t K);
  /// dw (K, C, 3, 3) from sums, for filters [k0, k1).
  void (*finish_weights)(int64_t C, int64_t K, const float* sums, float* dw, int64_t k0, int64_t k1);
  /// Scratch memory of forward() and backward(), in floats; W is x's width with its halo. Best 64-byte
  /// aligned.
  int64_t (*workspace_floats)(int64_t C, int64_t W, int64_t K);
};

UNCIAL_SIMD_FAMILY(WinogradSimd, winograd_simd)

}  // namespace uncial::cpu
