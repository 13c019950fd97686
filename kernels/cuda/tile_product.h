#pragma once
/// @file tile_product.h
/// Products of matrices on tensor cores, rounded to 16 bits while they are read: what a dense layer and its
/// gradients are in bfloat16 and float16 training, without a launch for each rounding.

#include <cstdint>

#include "runtime.h"
#include "uncial/core/precision.h"

namespace uncial::cuda {

/// A factor in float32 memory: element (i, k), where k is what the product sums over. Fast when one step
/// is 1.
struct TileFactor {
  const float* data;
  int64_t step, k_step;  ///< elements to the next i, k
};

/// c[m][n] = sum over k of a(m, k) * b(n, k) (+ bias[n]); a and b are rounded, sums are float32.
struct TileProduct {
  int64_t M, N, K;
  TileFactor a, b;
  float* c;  ///< row-major
  const float* bias = nullptr;
  bool relu = false;                      ///< max(0, .) of it
  bool round = false;                     ///< last of all, like a factor
  float* a_sums = nullptr;                ///< (M): sum over k of a(m, k), rounded as it is; or null
  Precision precision = Precision::bf16;  ///< or fp16: what factors are rounded to
};

inline constexpr int kMaxTileProducts = 8;

/// How products are cut into blocks.
struct TileCut {
  int shape = 0;      ///< of a block's tile, < kTileShapes
  int64_t slabs = 1;  ///< pieces of k that a block adds at most; what is longer is split
};
inline constexpr int kTileShapes = 4;
/// The cut that should be fastest for products in one launch, among the first `shapes`.
TileCut best_cut(const TileProduct* products, int count, const GpuLimits& limits, int shapes = kTileShapes);

/// At most kMaxTileProducts products, none of which reads what another writes, in one launch; where k is
/// split a second one adds the parts, in a fixed order. Products with a factor that 16 bytes at once cannot
/// read, and those of another precision, have a launch of their own. Needs gpu_limits().multiplies_bfloat16.
void run(const TileProduct* products, int count);
void run(const TileProduct* products, int count, const TileCut& cut);

}  // namespace uncial::cuda
