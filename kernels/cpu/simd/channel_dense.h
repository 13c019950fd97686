#pragma once
/// @file channel_dense.h
/// Dense layers of few samples, straight from the row-major weights: what takes the time is reading them
/// once.

#include <cstdint>

#include "isa.h"

namespace uncial::cpu {

struct ChannelDenseSimd {
  /// y[n][k] = sum over d of w[k][d] x[n][d], + bias[k] unless null, with ReLU if asked for, k in [k0, k1), n
  /// < N. Rows of x and of w have D floats, rows of y K.
  void (*forward)(const float* x, int64_t N, int64_t D, const float* w, const float* bias, bool relu,
                  float* y, int64_t K, int64_t k0, int64_t k1);
};

UNCIAL_SIMD_FAMILY(ChannelDenseSimd, channel_dense_simd)

}  // namespace uncial::cpu
