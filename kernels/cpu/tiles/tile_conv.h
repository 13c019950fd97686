#pragma once
/// @file tile_conv.h
/// Convolutions of bfloat16 factors on the matrix unit, one group with the batch in the lanes. Values stay
/// float32 in memory, [channel][row][column][16 images]; kernels round and pack what they multiply, a few
/// rows at a time. Factors that hold bfloat16 values lose nothing by that, and products are summed in
/// float32.
///
/// A tile of sums is 16 filters x 16 images, which is how images lie in memory. Its factors are a tile of
/// weights, 16 filters x 32 products, and a tile of pixels, 32 products x 16 images, where the 32 are the
/// channels of neighbouring taps: pixels are packed one after another, so that the taps of a filter's row are
/// one run of memory. A run's last tile reaches into the next pixel, whose weights are zero there.

#include "simd/lane_conv.h"
#include "tile_unit.h"

namespace uncial::cpu {

struct TileConvKernels {
  /// Whether they are faster than Winograd's form, too: that takes a quarter of the multiplications.
  bool beat_winograd;
  /// True for convolutions that the others can do, faster than float32's kernels.
  bool (*fits)(const LaneConvShape& s, int64_t C, int64_t K);
  /// Floats of packed weights, for the forward pass and for the input gradient.
  int64_t (*weight_floats)(const LaneConvShape& s, int64_t C, int64_t K);
  int64_t (*turned_weight_floats)(const LaneConvShape& s, int64_t C, int64_t K);
  /// Packs w (K, C, R, S) for 16 outputs: filters of the forward pass, channels of the input gradient.
  void (*pack_weights)(const LaneConvShape& s, const float* w, int64_t C, int64_t K, int64_t tile,
                       float* packed);
  void (*pack_turned_weights)(const LaneConvShape& s, const float* w, int64_t C, int64_t K, int64_t tile,
                              float* packed);
  /// epilogue(x * w). x has a zero halo of `padding` on every side.
  void (*forward)(const LaneConvShape& s, const LaneImage& x, const float* weights,
                  const LaneEpilogue& epilogue, int64_t P, int64_t Q, float* workspace);
  /// Adds to sums (weight_sums() floats, a layout of the kernel's own) unless null, and to bias_sums
  /// [K][lanes] unless null; writes dx (C, H, W), but not its halo, unless dx.data is null. x as in
  /// forward(); without sums only its extents are used.
  void (*backward)(const LaneConvShape& s, const LaneImage& x, const float* turned_weights,
                   const LaneGradient& dy, float* sums, float* bias_sums, const LaneImage& dx,
                   float* workspace);
  int64_t (*weight_sums)(const LaneConvShape& s, int64_t C, int64_t K);
  /// dw (K, C, R, S) from sums, for filters [k0, k1).
  void (*finish_weights)(const LaneConvShape& s, int64_t C, int64_t K, const float* sums, float* dw,
                         int64_t k0, int64_t k1);
  /// Scratch memory of forward() and backward(), in floats, 64-byte aligned.
  int64_t (*workspace_floats)(const LaneConvShape& s, int64_t C, int64_t W, int64_t K, int64_t Q);
};

#if defined(__x86_64__)
namespace amx {
extern const TileConvKernels tile_conv_kernels;
}
namespace avx512_bf16 {
extern const TileConvKernels tile_conv_kernels;
}
namespace amx_emulated {
extern const TileConvKernels tile_conv_kernels;
}
#endif

/// Those of tile_unit(); null where there is none.
inline const TileConvKernels* tile_conv() {
#if defined(__x86_64__)
  return of_tile_unit(amx::tile_conv_kernels, avx512_bf16::tile_conv_kernels,
                      amx_emulated::tile_conv_kernels);
#else
  return nullptr;
#endif
}

}  // namespace uncial::cpu
