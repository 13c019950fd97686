#pragma once
/// @file reduce_simd.h
/// Sums of floats in double, compiled once for each instruction set. Internal.

#include <cstdint>

#include "isa.h"

namespace uncial::cpu {

struct ReduceSimd {
  /// Sum of a run. 16 partial sums, combined pairwise.
  double (*sum)(const float* x, int64_t size);
  /// sums[i] += x[r * stride + i] for r in [0, rows), i in [0, cols)
  void (*add_rows)(const float* x, int64_t rows, int64_t stride, int64_t cols, double* sums);
};
UNCIAL_SIMD_FAMILY(ReduceSimd, reduce_simd)

}  // namespace uncial::cpu
