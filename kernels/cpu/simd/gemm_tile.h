#pragma once
/// @file gemm_tile.h
/// The two register-blocked products that every matrix multiplication and convolution is made of.

#include <cstdint>

#include "isa.h"

namespace uncial::cpu {

/// Tile functions for element type T.
template <class T>
struct GemmTile {
  /// Rows and columns of one tile; the packed operands come in panels of this width.
  int mr, nr;
  /// c[i][j] = sum over l < k of a[l][i] * b[l][j], with a packed [k][mr], b packed [k][nr], c dense
  /// [mr][nr].
  void (*packed)(int64_t k, const T* a, const T* b, T* c);

  /// Rows and columns of one dot tile, and the lanes that k must be a multiple of.
  int dot_rows, dot_cols, lanes;
  /// c[i * dot_cols + j] += sum over l < k of a[i][l] * b[j][l]: both operands run along k in memory.
  void (*dot)(int64_t k, const T* const* a, const T* const* b, T* c);
};

struct GemmSimd {
  GemmTile<float> f32;
  GemmTile<double> f64;
};

UNCIAL_SIMD_FAMILY(GemmSimd, gemm_simd)

template <class T>
const GemmTile<T>& gemm_tile() {
  if constexpr (sizeof(T) == 4)
    return gemm_simd().f32;
  else
    return gemm_simd().f64;
}

}  // namespace uncial::cpu
