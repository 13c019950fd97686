#pragma once
/// @file channel_dense.h
/// Dense layers of few samples. What takes the time is reading the weights. Several samples share one reading
/// of the row-major weights as they are. For one sample the weights are packed with the outputs in the lanes,
/// a row an input, so that rows whose input is 0 - behind a ReLU every other one - need not be read, and no
/// lanes be summed.

#include <cstdint>

#include "isa.h"

namespace uncial::cpu {

/// Weights w[k][d] at w + k * output + d * input.
struct DenseWeights {
  const float* w;
  int64_t D, K;
  int64_t input, output;
};

struct ChannelDenseSimd {
  int lanes;
  /// Outputs of a block of packed weights; a block is [d][outputs, rounded up to whole vectors].
  int64_t block;
  /// y[n][k] = sum over d of w[k][d] x[n][d], + bias[k] unless null, with ReLU if asked for, k in [k0, k1), n
  /// < N. Rows of x and of w have D floats, rows of y K.
  void (*rows)(const float* x, int64_t N, int64_t D, const float* w, const float* bias, bool relu, float* y,
               int64_t K, int64_t k0, int64_t k1);
  /// Packs inputs [d0, d1) of outputs [k0, k0 + block); returns whether all those weights are finite.
  bool (*pack)(const DenseWeights& weights, int64_t k0, int64_t d0, int64_t d1, float* packed);
  /// sums[k] = sum over d in [d0, d1) of w[k][d] x[d] for `outputs` outputs of a packed block, rounded up to
  /// whole vectors. `skip`: inputs that are 0 are left out, which needs finite weights. list: d1 - d0 + 64
  /// numbers.
  void (*sums)(const float* x, int64_t d0, int64_t d1, const float* packed, int64_t outputs, bool skip,
               int32_t* list, float* sums);
};

UNCIAL_SIMD_FAMILY(ChannelDenseSimd, channel_dense_simd)

}  // namespace uncial::cpu
