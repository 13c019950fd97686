#pragma once
/// @file gemm.h
/// Matrix product of strided operands.

#include "uncial/kernels/kernel.h"

namespace uncial {

/// c[m][n] = sum over k of a[m][k] * b[k][n] (+ bias[n]), for each of `batch` matrices.
/// Operands are strided (a transposed one costs nothing extra); c is row-major.
template <class T>
struct Gemm {
  int64_t batch, M, N, K;
  const T* a;
  int64_t a_batch, a_row, a_col;  ///< elements to the next matrix, row, column
  const T* b;
  int64_t b_batch, b_row, b_col;
  T* c;
  const T* bias;          ///< (N), or nullptr
  bool few_bits = false;  ///< 11 bits of each factor will do: they have no more, or the precision is tf32
};

}  // namespace uncial

UNCIAL_KERNEL(gemm, (const Gemm<T>& call))
