#pragma once
/// @file tile_dense.h
/// Dense layers of bfloat16 factors on the matrix unit, on the whole batch with its samples in the lanes: x
/// is [groups][D][16], y is [groups][K][16], the weights are row-major (K, D) with rows `pitch` apart. All is
/// float32 in memory; kernels round and pack what they multiply. Each call takes some inputs d, so that
/// weights are read, packed and used while they are in the level-2 cache.

#include "simd/lane_dense.h"
#include "tile_unit.h"

namespace uncial::cpu {

struct TileDenseKernels {
  /// sums[g][k] = sum over d in [d0, d1) of w[k][d] x[g][d], for all k, rounded up to whole tiles:
  /// [groups][ceil(K / 16) * 16][16].
  void (*forward)(const LaneMatrix& x, int64_t groups, const float* w, int64_t pitch, int64_t K, int64_t d0,
                  int64_t d1, float* sums, float* workspace);
  /// One group's y[k] = the sums of `parts`, which lie `distance` floats apart, plus bias[k] unless null, and
  /// ReLU of that when asked for; k < K. Parts are added in order.
  void (*finish)(const float* sums, int64_t parts, int64_t distance, const float* bias, bool relu, float* y,
                 int64_t K);
  /// dx[d] = sum over k < K of w[k][d] dy[k], d in [d0, d1).
  void (*input_gradient)(const LaneMatrix& dy, int64_t groups, const float* w, int64_t pitch, int64_t K,
                         const LaneMatrix& dx, int64_t d0, int64_t d1, float* workspace);
  /// dw[k][d] = sum over samples of dy[k] x[d], for all k < K and d in [d0, d1); dw has rows `pitch` apart.
  /// `samples` of the last group count.
  void (*weight_gradient)(const LaneMatrix& dy, const LaneMatrix& x, int64_t groups, int64_t samples,
                          float* dw, int64_t pitch, int64_t K, int64_t d0, int64_t d1, float* workspace);
  /// Scratch memory of each, in floats, 64-byte aligned.
  int64_t (*workspace_floats)(int64_t groups, int64_t K);
};

#if defined(__x86_64__)
namespace amx {
extern const TileDenseKernels tile_dense_kernels;
}
namespace avx512_bf16 {
extern const TileDenseKernels tile_dense_kernels;
}
namespace amx_emulated {
extern const TileDenseKernels tile_dense_kernels;
}
#endif

/// Those of tile_unit(); null where there is none.
inline const TileDenseKernels* tile_dense() {
#if defined(__x86_64__)
  return of_tile_unit(amx::tile_dense_kernels, avx512_bf16::tile_dense_kernels,
                      amx_emulated::tile_dense_kernels);
#else
  return nullptr;
#endif
}

}  // namespace uncial::cpu
