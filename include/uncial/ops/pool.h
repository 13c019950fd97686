#pragma once
/// @file pool.h
/// Pooling of N C H W images.

#include "uncial/core/tensor.h"

namespace uncial {

/// Options of max_pool2d() and avg_pool2d().
struct PoolOptions {
  int64_t kernel = 2;
  int64_t stride = 0;   ///< 0: as `kernel`
  int64_t padding = 0;  ///< at most kernel / 2; padded places never win and do not count in an average
};

/// x (N, C, H, W) -> (N, C, P, Q), P = (H + 2*padding - kernel) / stride + 1. The gradient goes to the first
/// of equal winners in row-major order; NaN wins.
Tensor max_pool2d(const Tensor& x, PoolOptions options = {});
Tensor avg_pool2d(const Tensor& x, PoolOptions options = {});
/// (N, C, H, W) -> (N, C, 1, 1)
Tensor global_avg_pool2d(const Tensor& x);
Tensor global_max_pool2d(const Tensor& x);

}  // namespace uncial
